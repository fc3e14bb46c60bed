"""The meta-network that writes LoRA weights."""

import pytest
import torch

from metaglot.algorithms import GradientBased, why_not
from metaglot.errors import MetaglotError
from metaglot.inner import MetaNet, Sgd, Unrolled
from metaglot.inner.metanet import NET
from metaglot.inner.rule import RATE
from metaglot.models import All, HeadOnly, Lora, Named, Prototypes, Zeros

LOSS = torch.zeros(())
SHAPES = {"lora.w.weight.a": (3, 5), "lora.w.weight.b": (4, 3), "head.weight": (2, 5), "head.bias": (2,)}
KINDS = [MetaNet(), MetaNet(write_a=True), MetaNet(layers=2), MetaNet(layers=3, hidden=6, write_a=True)]


def learnt(rule: MetaNet, draw, *, noise: float = 0.3) -> dict[str, torch.Tensor]:
    start = {n: v.double() for n, v in rule.learnt(draw(SHAPES), steps=1, seed=0).items()}
    more = draw({n: tuple(v.shape) for n, v in start.items()}, 9)
    return {n: v + noise * more[n] for n, v in start.items()}


def written(rule: MetaNet, meta, fast, grads):
    return rule.update(meta, fast, grads, LOSS, {}, 0)[0]


@pytest.mark.parametrize("rule", KINDS, ids=repr)
def test_it_starts_as_gradient_descent(same_path, rule):
    from dataclasses import replace

    ours = replace(rule, lr=0.125, head_lr=0.5, clip=0.5)
    assert same_path(ours, Sgd(lr=0.125, head_lr=0.5, clip=0.5), Lora(rank=2)) >= 10


def test_one_layer_by_hand(draw):
    """B − αGWᵀ, row by row."""
    meta, fast, grads = learnt(MetaNet(), draw), draw(SHAPES), draw(SHAPES, 1)
    moved = written(MetaNet(), meta, fast, grads)
    name = "lora.w.weight.b"
    rows = [fast[name][i] - meta[RATE + name] * (meta[NET + "b.0.weight"] @ grads[name][i]) for i in range(4)]
    assert torch.allclose(moved[name], torch.stack(rows), rtol=1e-12)
    for other in set(SHAPES) - {name}:
        assert torch.allclose(moved[other], fast[other] - meta[RATE + other] * grads[other], rtol=1e-12)


@pytest.mark.parametrize("side", ["b", "a"])
def test_many_layers_are_a_torch_network_over_rows_of_b_and_columns_of_a(draw, side):
    rule = MetaNet(layers=3, hidden=6, write_a=True)
    meta, fast, grads = learnt(rule, draw), draw(SHAPES), draw(SHAPES, 1)
    layers = [torch.nn.Linear(7, 6), torch.nn.GELU(), torch.nn.Linear(6, 6), torch.nn.GELU(), torch.nn.Linear(6, 3)]
    network = torch.nn.Sequential(*layers).double()
    network.load_state_dict(
        {f"{2 * i}.{part}": meta[f"{NET}{side}.{i}.{part}"] for i in range(3) for part in ("weight", "bias")}
    )
    name = f"lora.w.weight.{side}"
    turned = {"b": lambda v: v, "a": lambda v: v.T}[side]
    size = grads[name].pow(2).mean().sqrt()
    expected = []
    for value, grad in zip(turned(fast[name]), turned(grads[name]), strict=True):
        out = network(torch.cat([grad / size, value, size.log()[None]]))
        expected.append(value - meta[RATE + name] * (grad + size * out))
    assert torch.allclose(turned(written(rule, meta, fast, grads)[name]), torch.stack(expected), rtol=1e-10)


@pytest.mark.parametrize("rule", KINDS, ids=repr)
def test_where_the_gradient_is_zero_nothing_is_written(draw, rule):
    meta, fast = learnt(rule, draw), draw(SHAPES)
    grads = {n: torch.zeros_like(v).requires_grad_() for n, v in fast.items()}
    moved = written(rule, meta, fast, grads)
    assert all(torch.allclose(moved[n], v, atol=1e-6) for n, v in fast.items())
    slopes = torch.autograd.grad(sum(v.sum() for v in moved.values()), list(grads.values()))
    assert all(bool(slope.isfinite().all()) for slope in slopes)


def test_it_learns_to_solve_in_one_step_what_gradient_descent_cannot():
    """½tr((B − C)A(B − C)ᵀ): the rows of all tasks share A, and W → A⁻¹/α writes the solution at once."""
    rng = torch.Generator().manual_seed(0)
    axes, _ = torch.linalg.qr(torch.randn(3, 3, generator=rng, dtype=torch.float64))
    A = axes @ torch.diag(torch.tensor([0.5, 1.0, 4.0]).double()) @ axes.T
    name, rule, zeros = "lora.w.weight.b", MetaNet(lr=1.0), torch.zeros(32, 3).double()
    own = {n: v.double().requires_grad_() for n, v in rule.learnt({name: zeros}, steps=1, seed=0).items()}
    used = [own[NET + "b.0.weight"], own[RATE + name]]
    optimiser = torch.optim.Adam(used, lr=0.05)

    def judged(meta, rate=None) -> torch.Tensor:
        center = torch.randn(32, 3, generator=rng, dtype=torch.float64)
        grads = {name: -center @ A}
        moved = written(rule, meta, {name: zeros}, grads)[name] if rate is None else zeros - rate * grads[name]
        return 0.5 * torch.einsum("ri,ij,rj->", moved - center, A, moved - center)

    for step in range(600):
        optimiser.zero_grad()
        judged(own).backward()
        optimiser.param_groups[0]["lr"] = 0.05 * (1 - step / 600)
        optimiser.step()
    with torch.no_grad():
        ours = float(sum(judged(own) for _ in range(20)))
        tuned = min(float(sum(judged(own, rate) for _ in range(20))) for rate in torch.linspace(0.02, 1, 50).tolist())
    assert ours < 1e-2 * tuned
    assert torch.allclose(own[RATE + name] * own[NET + "b.0.weight"] @ A, torch.eye(3).double(), atol=0.2)


REFUSED = [
    (All(), Prototypes(), 1, "writes LoRA weights; use scope"),
    (HeadOnly(), Prototypes(), 1, "writes LoRA weights; use scope"),
    (Named(("encoder.layer.1.*",)), Prototypes(), 1, "writes LoRA weights; use scope"),
    (Lora(), Zeros(), 1, "would read nothing; use head=prototypes or"),
    (Lora(), Zeros(), 2, None),
    (Lora(), Prototypes(), 1, None),
]


@pytest.mark.parametrize(("scope", "head", "steps", "reason"), REFUSED, ids=repr)
def test_what_makes_no_sense_is_refused(scope, head, steps, reason):
    found = why_not(GradientBased(scope, head, MetaNet(), steps, Unrolled()))
    assert found is None if reason is None else reason in str(found)


@pytest.mark.parametrize("rule", [MetaNet(layers=0), MetaNet(hidden=0)], ids=repr)
def test_a_network_without_layers_or_width_is_refused(rule, draw):
    with pytest.raises(MetaglotError, match="needs layers and hidden ≥ 1"):
        rule.learnt(draw(SHAPES), steps=1, seed=0)
    with pytest.raises(MetaglotError, match="nothing of LoRA moves"):
        MetaNet().learnt(draw({"body.w": (2, 2)}), steps=1, seed=0)


@pytest.mark.parametrize("rule", KINDS, ids=repr)
def test_its_derivatives(check_exact, rule):
    from dataclasses import replace

    own = check_exact(replace(rule, lr=0.1, clip=1.0), Lora(rank=2))
    assert all(bool(v.any()) for v in own.values())
