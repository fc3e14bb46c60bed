"""Meta-gradients on a tiny BERT in float64: exact ones by finite differences, first-order ones by their definition."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from metaglot.algorithms import GradientBased
from metaglot.algorithms.anil import anil
from metaglot.algorithms.maml import fomaml, maml
from metaglot.algorithms.protonet import protonet
from metaglot.algorithms.transfer import joint
from metaglot.inner import Adam, Sgd, unrolled
from metaglot.models import HeadOnly, Lora, Named, Prototypes, Zeros
from metaglot.models.heads import LOG_SCALE
from metaglot.seeds import fold
from metaglot.types import Params

LAST = Named(("encoder.layer.1.*",))
LORA = Lora(rank=2)
COSINE, EUCLIDEAN = Prototypes(scale=5.0), Prototypes(metric="euclidean", scale=2.0)
EXACT = {
    "protonet cosine": protonet(scale=5.0),
    "protonet euclidean": protonet(metric="euclidean", scale=2.0),
    "protonet lora": GradientBased(LORA, COSINE, Sgd(), 0, unrolled),
    "maml zeros": maml(lr=0.1, head_lr=0.5, steps=2, head=Zeros()),
    "maml prototypes": maml(lr=0.1, steps=2, head=COSINE),
    "maml clipped": maml(lr=0.3, steps=2, head=EUCLIDEAN, clip=0.1),
    "maml named": maml(lr=0.1, steps=2, head=COSINE, scope=LAST),
    "maml lora zeros": maml(lr=0.1, head_lr=0.5, steps=2, scope=LORA),
    "maml lora prototypes": maml(lr=0.1, steps=2, head=COSINE, scope=LORA),
    "anil zeros": anil(lr=1.0, steps=3),
    "anil prototypes": anil(lr=0.5, steps=3, head=EUCLIDEAN),
    # With a small ε Adam is a step function where a gradient is nearly zero (the bias of the keys).
    "adam named": GradientBased(LAST, COSINE, Adam(lr=0.01, head_lr=0.05, clip=None, eps=3e-2), 2, unrolled),
    "adam head": GradientBased(HeadOnly(), COSINE, Adam(lr=0.05), 3, unrolled),
    "joint": joint(scale=5.0),
}


def noisy(params: Params, scale: float, seed: int) -> dict[str, Tensor]:
    """In float64 with noise on whatever is not of the body: LoRA's zeros would hide half of the derivatives."""
    rng = torch.Generator().manual_seed(seed)
    return {
        name: value.double() + (0 if name.startswith("body.") else scale) * torch.randn(value.shape, generator=rng)
        for name, value in params.items()
    }


def direction(meta: Params, chosen: Callable[[str], bool], seed: int) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    noise = {n: torch.randn(v.shape, generator=rng, dtype=torch.float64) * chosen(n) for n, v in meta.items()}
    norm = torch.stack([v.norm() for v in noise.values()]).norm()
    return {name: value / norm for name, value in noise.items()}


@pytest.mark.parametrize("dropout", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "dropout"])
@pytest.mark.parametrize("name", EXACT)
def test_exact_gradients_along_random_directions(problem, bert, episode, name, dropout):
    algorithm = replace(EXACT[name], dropout=dropout)
    meta = noisy(algorithm.init(bert, [problem.task], seed=0), 0.1, seed=1)

    def judged(at: Params):
        return algorithm.meta_grad([problem], at, [episode], step=3, seed=4)

    def loss(along: dict[str, Tensor], h: float) -> float:
        found = judged({n: v + h * along[n] for n, v in meta.items()}).records[0]["loss"]
        return float(found)

    grads = judged(meta).grads
    parts = {"everything": lambda n: True, "body": lambda n: n.startswith("body.")}
    own = [n for n in meta if not n.startswith("body.") and bool(grads[n].any())]
    if own:
        parts["own"] = lambda n: n in own
    for part, chosen in parts.items():
        along, h = direction(meta, chosen, seed=len(part)), 1e-3
        slope = (8 * (loss(along, h) - loss(along, -h)) - (loss(along, 2 * h) - loss(along, -2 * h))) / (12 * h)
        found = float(sum((grads[n] * along[n]).sum() for n in meta))
        assert abs(found) > 1e-5, f"{part}: a derivative this small shows nothing"
        assert abs(slope - found) <= 1e-6 * abs(found), part
    expects_own = name not in ("maml zeros", "anil zeros")
    assert bool(own) == expects_own, f"{name}: which meta-parameters beyond the body have a gradient"
    if name.startswith("maml lora") or name == "protonet lora":
        assert {n for n in meta if ".lora." in n} <= set(own)


FIRST_ORDER = {
    "zeros": fomaml(lr=0.1, head_lr=0.5, steps=2),
    "prototypes": fomaml(lr=0.1, steps=2, head=COSINE),
    "euclidean": fomaml(lr=0.1, steps=2, head=EUCLIDEAN),
    "named": fomaml(lr=0.1, steps=3, head=COSINE, scope=LAST),
    "lora": fomaml(lr=0.1, steps=2, head=COSINE, scope=LORA),
    "head only": fomaml(lr=0.1, steps=2, head=COSINE, scope=HeadOnly()),
}


@pytest.mark.parametrize("dropout", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "dropout"])
@pytest.mark.parametrize("name", FIRST_ORDER)
def test_first_order_is_its_definition(problem, bert, episode, name, dropout):
    """dL_q/dφ at φ_T, carried to θ through the start point alone; computed here step by step without estimators."""
    algorithm = replace(FIRST_ORDER[name], dropout=dropout)
    meta = noisy(algorithm.init(bert, [problem.task], seed=0), 0.1, seed=1)
    seed = fold(4, "episode", 3, 0) if dropout else None

    def seeded(*parts):
        if name == "head only" and parts != ("query",):
            parts = ("features",)  # the body runs once over the support set: one mask for all steps
        return None if seed is None else fold(seed, *parts)

    leaves = {n: v.clone().requires_grad_() for n, v in meta.items()}
    moving = algorithm.scope.start(leaves)
    head = algorithm.head.start(problem, {**leaves, **moving}, episode.support, seed=seeded("head"))
    start = {**moving, **head}
    phi = {n: v.detach().clone() for n, v in start.items()}
    for step in range(algorithm.steps):
        phi = {n: v.requires_grad_() for n, v in phi.items()}
        loss = problem.loss({**meta, **phi}, episode.support, seed=seeded("inner", step))
        slopes = torch.autograd.grad(loss, list(phi.values()), allow_unused=True)
        rates = [0.5 if name == "zeros" and n.startswith("head.") else 0.1 for n in phi]
        phi = {
            n: (v if g is None else v - r * g).detach() for (n, v), g, r in zip(phi.items(), slopes, rates, strict=True)
        }
    at = {n: v.clone().requires_grad_() for n, v in {**meta, **phi}.items()}
    loss = problem.loss(at, episode.query, seed=seeded("query"))
    outer = dict(zip(at, torch.autograd.grad(loss, list(at.values()), allow_unused=True), strict=True))
    expected = {n: torch.zeros_like(v) for n, v in meta.items()}
    for n in meta:  # what the inner loop did not move acts on the query loss directly
        if n not in phi and outer[n] is not None:
            expected[n] += outer[n]
    through = [n for n in start if start[n].requires_grad and outer[n] is not None]
    carried = (
        torch.autograd.grad(
            [start[n] for n in through], list(leaves.values()), [outer[n] for n in through], allow_unused=True
        )
        if through
        else [None] * len(leaves)
    )
    for n, g in zip(leaves, carried, strict=True):
        if g is not None:
            expected[n] += g

    found = algorithm.meta_grad([problem], meta, [episode], step=3, seed=4)
    assert found.records[0]["loss"] == pytest.approx(loss.item(), rel=1e-12)
    assert set(found.grads) == set(expected)
    for n, value in expected.items():
        assert torch.allclose(found.grads[n], value, rtol=1e-9, atol=1e-13), n
    assert sum(bool(v.any()) for v in expected.values()) >= 20
    assert bool(expected[LOG_SCALE].any() if LOG_SCALE in meta else True)


def test_first_order_is_not_the_exact_gradient(problem, bert, episode):
    """The tests above can tell them apart."""
    exact = maml(lr=0.1, steps=2, head=COSINE, dropout=False)
    meta = noisy(exact.init(bert, [problem.task], seed=0), 0.0, seed=1)
    a = exact.meta_grad([problem], meta, [episode], step=0, seed=0).grads
    b = fomaml(lr=0.1, steps=2, head=COSINE, dropout=False).meta_grad([problem], meta, [episode], step=0, seed=0).grads
    away = torch.stack([(a[n] - b[n]).norm() for n in a]).norm() / torch.stack([v.norm() for v in a.values()]).norm()
    assert away > 0.01
