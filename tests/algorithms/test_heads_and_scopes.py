"""Every head and scope: finite differences of the meta-gradient on a BERT in float64, unrolled = adjoint, limits."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from metaglot.algorithms import GradientBased
from metaglot.algorithms.boil import boil
from metaglot.algorithms.cavia import cavia
from metaglot.algorithms.leo import leo
from metaglot.algorithms.leopard import leopard
from metaglot.algorithms.matching import matchingnet
from metaglot.algorithms.metaoptnet import metaoptnet
from metaglot.algorithms.proto_maml import protomaml
from metaglot.algorithms.r2d2 import r2d2
from metaglot.algorithms.warpgrad import warpgrad
from metaglot.errors import MetaglotError
from metaglot.inner import Adam, Adjoint, MetaNet, MetaSgd, Sgd, first_order, unrolled
from metaglot.models import (
    All,
    AllBut,
    BiasNorm,
    Context,
    Generated,
    Head,
    HeadOnly,
    Latent,
    Matching,
    Named,
    Prototypes,
    Ridge,
    Scope,
    Svm,
    Warp,
    Zeros,
)
from metaglot.models.context import CODE, MAP
from metaglot.types import Params

LAST = Named(("encoder.layer.1.*",))
DEEP = Generated(layers=2, hidden=8, moment=True, transform=True, scale=5.0)


def steps(scope: Scope, head: Head, lr: float = 0.1) -> GradientBased:
    return GradientBased(scope, head, Sgd(lr=lr), 2, unrolled)


STEPPED: Mapping[str, GradientBased] = {
    "leopard": leopard(lr=0.1, steps=2, scope=LAST),
    "generated, many layers": steps(LAST, DEEP),
    "ridge": steps(LAST, Ridge(scale=5.0)),
    "svm": steps(HeadOnly(), Svm(c=0.3, scale=5.0)),
    "leo": leo(lr=0.1, steps=2, size=5, scale=5.0),
    "latent, last layer": steps(LAST, Latent(size=20, scale=5.0)),
    "bias-norm": steps(BiasNorm(), Prototypes(scale=5.0)),
    "all but": steps(AllBut(("encoder.layer.0.*", "embeddings.*")), Prototypes(scale=5.0)),
    "cavia": cavia(lr=0.1, steps=2, size=4),
    "cavia, head stays": cavia(lr=0.3, head_lr=0.0, steps=2, size=4),
    "warpgrad": warpgrad(lr=0.1, steps=2, targets=("query", "output.dense")),
    "boil": boil(lr=0.1, steps=2),
    "protomaml": protomaml(lr=0.03, steps=2, scale=3.0),
}
AT_ONCE: Mapping[str, GradientBased] = {
    "matchingnet": matchingnet(scale=5.0),
    "r2d2": r2d2(penalty=0.5, scale=5.0),
    "metaoptnet": metaoptnet(c=0.3, scale=5.0),
    "generated, one layer": replace(steps(HeadOnly(), Generated(scale=5.0)), steps=0),
    "generated, many layers": replace(steps(HeadOnly(), DEEP), steps=0),
    "latent": replace(steps(HeadOnly(), Latent(size=5, scale=5.0)), steps=0),
    "context": replace(steps(Context(4), Prototypes(scale=5.0)), steps=0),
    "warp": replace(steps(Warp(), Prototypes(scale=5.0)), steps=0),
}
SMOOTH_TO = {"svm": 1e-5, "metaoptnet": 1e-5}  # the stencil must stay where no constraint changes sides
IDLE = {"algorithm.head.ridge.bias"}  # adds the same to every class
NO_STEP = {"context": {MAP}}  # a code of zero hides its map


def noisy(params: Params, scale: float, seed: int) -> dict[str, Tensor]:
    """In float64 with noise on whatever is not of the body: zeros would hide half of the derivatives."""
    rng = torch.Generator().manual_seed(seed)
    return {
        n: v.double() + (0 if n.startswith("body.") else scale) * torch.randn(v.shape, generator=rng)
        for n, v in params.items()
    }


def direction(meta: Params, chosen: Callable[[str], bool], seed: int) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    noise = {n: torch.randn(v.shape, generator=rng, dtype=torch.float64) * chosen(n) for n, v in meta.items()}
    norm = torch.stack([v.norm() for v in noise.values()]).norm()
    return {name: value / norm for name, value in noise.items()}


CASES = [(f"{name}, no step", algorithm) for name, algorithm in AT_ONCE.items()] + list(STEPPED.items())
QUICK = {f"{name}, no step" for name in AT_ONCE} | set(list(STEPPED)[::2])
MARKED = [pytest.param(*case, marks=[] if case[0] in QUICK else pytest.mark.slow, id=case[0]) for case in CASES]


@pytest.mark.parametrize("dropout", [pytest.param(False, marks=pytest.mark.slow), True], ids=["plain", "dropout"])
@pytest.mark.parametrize(("name", "algorithm"), MARKED)
def test_the_gradient_along_random_directions(problem, bert, episode, name, algorithm, dropout):
    algorithm = replace(algorithm, dropout=dropout)
    meta = noisy(algorithm.init(bert, [problem.task], seed=0), 0.1, seed=1)
    judge = replace(algorithm, estimator=first_order)  # the same loss, with less to compute

    def loss(along: dict[str, Tensor], h: float) -> float:
        moved = {n: v + h * along[n] for n, v in meta.items()}
        return float(judge.meta_grad([problem], moved, [episode], step=3, seed=4).records[0]["loss"])

    found = algorithm.meta_grad([problem], meta, [episode], step=3, seed=4)
    grads = found.grads
    assert found.records[0]["loss"] == loss(grads, 0.0)
    short = name.removesuffix(", no step")
    own = [n for n in meta if n.startswith("algorithm.")]
    hidden = IDLE | (NO_STEP.get(short, set()) if algorithm.steps == 0 else set())
    assert {n for n in own if not float(grads[n].abs().max()) > 1e-12} == hidden & set(own)
    h, tolerance = (1e-4, SMOOTH_TO[short]) if short in SMOOTH_TO else (1e-3, 1e-6)
    for seed, chosen in enumerate((lambda n: True, lambda n: n in own)):
        along = direction(meta, chosen, seed)
        slope = (8 * (loss(along, h) - loss(along, -h)) - (loss(along, 2 * h) - loss(along, -2 * h))) / (12 * h)
        found = float(sum((grads[n] * along[n]).sum() for n in meta))
        assert abs(found) > 1e-5, "a derivative this small shows nothing"
        assert abs(slope - found) <= tolerance * abs(found)


@pytest.mark.parametrize("name", STEPPED)
def test_the_adjoint_is_the_unrolled_gradient(problem, bert, episode, name):
    meta = noisy(STEPPED[name].init(bert, [problem.task], seed=0), 0.1, seed=1)
    found, truth = (
        replace(STEPPED[name], estimator=estimator).meta_grad([problem], meta, [episode], step=0, seed=1).grads
        for estimator in (Adjoint(), unrolled)
    )
    assert found.keys() == truth.keys()
    norms = [
        torch.cat([v.flatten() for v in part.values()]).norm()
        for part in ({n: found[n] - truth[n] for n in truth}, truth)
    ]
    assert float(norms[1]) > 1e-3
    assert float(norms[0]) < 1e-10 * float(norms[1])


def slopes(problem, params: Params, batch) -> dict[str, Tensor]:
    leaves = {n: v.clone().requires_grad_() for n, v in params.items()}
    grads = torch.autograd.grad(problem.loss(leaves, batch), list(leaves.values()), allow_unused=True)
    return {n: torch.zeros_like(v) if g is None else g for (n, v), g in zip(leaves.items(), grads, strict=True)}


def test_a_step_of_leo_is_the_chain_rule_through_the_decoder(problem, bert, episode):
    """∇_z L = s · [∇_W L, ∇_b L] D, computed from a plain layer."""
    algorithm = leo(lr=0.5, steps=1, size=5, scale=3.0, dropout=False)
    meta = noisy(algorithm.init(bert, [problem.task], seed=0), 0.1, seed=1)
    layer = algorithm.adapt(problem, meta, episode.support, seed=0, budget=None).params
    start = replace(algorithm, steps=0).adapt(problem, meta, episode.support, seed=0).params
    slope = slopes(problem, {**meta, **start}, episode.support)
    joined = torch.cat([slope["head.weight"], slope["head.bias"][:, None]], 1)
    scale, decoder = meta["algorithm.head.log_scale"].exp(), meta["algorithm.head.decoder"]
    step = -0.5 * scale * joined @ decoder  # of the code
    moved = scale * step @ decoder.T
    found = torch.cat([(layer[n] - start[n]).reshape(3, -1) for n in ("head.weight", "head.bias")], 1)
    assert torch.allclose(found, moved, rtol=1e-9, atol=1e-14)
    assert float(moved.norm()) > 1e-3


def test_a_step_of_cavia_is_the_slope_of_the_embeddings(problem, bert, episode):
    """∇_c L = Wᵀ Σ_v ∂L/∂e_v over the rows of the table: each token's embedding moves by the same."""
    algorithm = cavia(lr=0.5, head_lr=0.0, steps=1, size=4, dropout=False)
    meta = noisy(algorithm.init(bert, [problem.task], seed=0), 0.0, seed=1)
    fast = algorithm.adapt(problem, meta, episode.support, seed=0)
    assert set(fast.params) == {CODE, "head.weight", "head.bias"}
    start = Prototypes().start(problem, meta, episode.support)
    assert all(torch.equal(fast.params[n], start[n]) for n in start), "the head stays"
    used = torch.unique(episode.support["input_ids"][episode.support["attention_mask"] == 1])
    table = f"body.{bert.embedding.name}"
    slope = slopes(problem, {**meta, **start}, episode.support)[table]
    others = torch.ones(len(slope), dtype=torch.bool)
    others[used] = False
    assert not slope[others].any()
    assert torch.allclose(fast.params[CODE], -0.5 * meta[MAP].T @ slope.sum(0), rtol=1e-9, atol=1e-14)
    assert bool(fast.params[CODE].any())


def test_boil_moves_the_body_and_leaves_the_head(problem, bert, episode):
    algorithm = boil(lr=0.1, steps=2, dropout=False)
    meta = algorithm.init(bert, [problem.task], seed=0)
    fast = algorithm.adapt(problem, meta, episode.support, seed=0).params
    start = Prototypes().start(problem, meta, episode.support)
    assert all(torch.equal(fast[n], start[n]) for n in start)
    assert sum(not torch.equal(fast[n], meta[n]) for n in fast if n.startswith("body.")) > 20


@pytest.mark.parametrize("name", ["leopard", "leo", "cavia", "warpgrad", "boil", "protomaml"])
def test_a_rate_of_zero_leaves_the_start(problem, bert, episode, name):
    from metaglot.choices import ALGORITHMS

    algorithm = ALGORITHMS[name](lr=0.0, dropout=False)
    meta = noisy(algorithm.init(bert, [problem.task], seed=0), 0.0, seed=1)
    moved, start = (
        a.adapt(problem, meta, episode.support, seed=0).params for a in (algorithm, replace(algorithm, steps=0))
    )
    assert set(start) <= set(moved)
    before = {**meta, **start}
    assert all(torch.allclose(value, before[n], atol=1e-12) for n, value in moved.items())


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        (GradientBased(All(), Matching(), Sgd(), 1, unrolled), r"no layer for 1 inner steps to move; use steps=0"),
        (GradientBased(HeadOnly(), Latent(), MetaSgd(), 2, unrolled), "a latent one has a code; use the rule sgd"),
        (GradientBased(HeadOnly(), Latent(), MetaNet(), 2, unrolled), "the meta-network|a latent one has a code"),
        (GradientBased(HeadOnly(), Prototypes(), Sgd(head_lr=0.0), 2, unrolled), "the scope moves nothing else"),
        (GradientBased(All(), Zeros(), Adam(head_lr=0.0), 2, unrolled), "zeros tell no class from another"),
    ],
    ids=["matching", "latent, meta-sgd", "latent, metanet", "nothing moves", "zeros stay"],
)
def test_what_is_refused_says_why(problem, bert, choices, message):
    with pytest.raises(MetaglotError, match=message):
        choices.init(bert, [problem.task], seed=0)
