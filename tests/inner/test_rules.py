"""Update rules, step by step against PyTorch's optimisers, and their derivatives against finite differences."""

import pytest
import torch
from torch.autograd import gradcheck

from metaglot.inner import Adam, Sgd
from metaglot.inner.rule import clip_to_norm

SHAPES = {"body.w": (3, 4), "body.b": (4,), "head.weight": (2, 3), "head.bias": (2,)}
LOSS = torch.zeros(())


def start(seed: int = 0) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=rng, dtype=torch.float64) for name, shape in SHAPES.items()}


def reference(optimiser_of, clip, steps: int = 12) -> list[dict[str, torch.Tensor]]:
    """The parameters after each step of a torch optimiser on the gradients start(1), start(2), …"""
    params = {name: value.clone().requires_grad_() for name, value in start().items()}
    body = [v for n, v in params.items() if n.startswith("body.")]
    optimiser = optimiser_of(body, [v for n, v in params.items() if n.startswith("head.")])
    path = []
    for step in range(steps):
        for name, grad in start(1 + step).items():
            params[name].grad = grad.clone()
        if clip is not None:
            torch.nn.utils.clip_grad_norm_(list(params.values()), clip)
        optimiser.step()
        path.append({name: value.detach().clone() for name, value in params.items()})
    return path


def ours(rule, *, recorded: bool, steps: int = 12) -> list[dict[str, torch.Tensor]]:
    fast = start()
    state = rule.init({}, fast)
    path = []
    for step in range(steps):
        with torch.set_grad_enabled(recorded):
            fast, state = rule.update({}, fast, start(1 + step), LOSS, state, step)
        path.append({name: value.detach().clone() for name, value in fast.items()})
    return path


def compare(found, expected, tolerance: float) -> None:
    assert len(found) == len(expected) == 12
    for a, b in zip(found, expected, strict=True):
        assert set(a) == set(b) == set(SHAPES)
        for name in a:
            assert (a[name] - b[name]).abs().max() <= tolerance, name


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("head_lr", [None, 0.3])
def test_sgd_is_torchs_sgd(head_lr, recorded):
    def optimiser(body, head):
        return torch.optim.SGD([{"params": body}, {"params": head, "lr": head_lr or 0.1}], lr=0.1)

    compare(ours(Sgd(lr=0.1, head_lr=head_lr), recorded=recorded), reference(optimiser, None), 1e-14)


@pytest.mark.parametrize("recorded", [True, False])
@pytest.mark.parametrize("head_lr", [None, 0.3])
def test_adam_is_torchs_adam(head_lr, recorded):
    """Ours has √(v̂ + ε²) where torch has √v̂ + ε: with |g| of about 1 they differ by ε = 1e-8 a step at most."""

    def optimiser(body, head):
        return torch.optim.Adam([{"params": body}, {"params": head, "lr": head_lr or 0.1}], lr=0.1)

    found = ours(Adam(lr=0.1, head_lr=head_lr, clip=None), recorded=recorded)
    compare(found, reference(optimiser, None), 1e-7)


def test_adams_epsilon_alone_is_what_differs_from_torch():
    def optimiser(body, head):
        return torch.optim.Adam([*body, *head], lr=0.1, betas=(0.8, 0.95), eps=0.0)

    rule = Adam(lr=0.1, clip=None, betas=(0.8, 0.95), eps=0.0)
    for recorded in (True, False):
        compare(ours(rule, recorded=recorded), reference(optimiser, None), 1e-13)


def test_adam_with_and_without_a_graph_are_the_same():
    for clip in (None, 1.0):
        rule = Adam(lr=0.1, head_lr=0.2, clip=clip)
        compare(ours(rule, recorded=False), ours(rule, recorded=True), 1e-14)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_adam_without_a_graph_takes_gradients_that_lie_otherwise_in_memory(clip):
    rule, grads = Adam(lr=0.1, clip=clip), start(1)
    lying = {n: g.T.contiguous().T if g.ndim == 2 else g.repeat_interleave(2)[::2] for n, g in grads.items()}
    assert not any(g.is_contiguous() for g in lying.values())
    found = []
    for given in (grads, lying):
        fast = start()
        with torch.no_grad():
            rule.update(
                {},
                fast,
                {n: g.clone(memory_format=torch.preserve_format) for n, g in given.items()},
                LOSS,
                rule.init({}, fast),
                0,
            )
        found.append(fast)
    assert all(torch.equal(found[0][name], value) for name, value in found[1].items())


def test_adam_without_a_graph_leaves_the_gradients_alone():
    rule, grads = Adam(lr=0.1, clip=None), start(1)
    with torch.no_grad():
        rule.update({}, start(), grads, LOSS, rule.init({}, start()), 0)
    assert all(torch.equal(grads[name], value) for name, value in start(1).items())


def test_with_a_graph_nothing_given_is_changed():
    for rule in (Adam(lr=0.1), Sgd(lr=0.1, clip=0.1)):
        fast, grads, state = start(), start(1), rule.init({}, start())
        moments = {name: value.clone() for name, value in state.items()}
        rule.update({}, fast, grads, LOSS, state, 0)
        assert all(torch.equal(fast[name], value) for name, value in start().items())
        assert all(torch.equal(grads[name], value) for name, value in start(1).items())
        assert all(torch.equal(state[name], value) for name, value in moments.items())


@pytest.mark.parametrize("limit", [0.1, 1.0, 100.0])
def test_clipping_is_torchs(limit):
    grads = start()
    params = [torch.zeros_like(g).requires_grad_() for g in grads.values()]
    for param, grad in zip(params, grads.values(), strict=True):
        param.grad = grad.clone()
    norm = torch.nn.utils.clip_grad_norm_(params, limit)
    assert 1 < norm < 100
    # torch divides by norm + 1e-6.
    for found, param in zip(clip_to_norm(grads, limit).values(), params, strict=True):
        assert torch.allclose(found, param.grad, rtol=1e-6, atol=0)
    joint = torch.stack([g.norm() for g in clip_to_norm(grads, limit).values()]).norm()
    assert joint == pytest.approx(min(limit, float(norm)), rel=1e-12)


def test_clipped_rules_are_torchs():
    def adam(body, head):
        return torch.optim.Adam([*body, *head], lr=0.1)

    def sgd(body, head):
        return torch.optim.SGD([*body, *head], lr=0.1)

    for recorded in (True, False):
        compare(ours(Adam(lr=0.1, clip=0.5), recorded=recorded), reference(adam, 0.5), 1e-6)
        compare(ours(Sgd(lr=0.1, clip=0.5), recorded=recorded), reference(sgd, 0.5), 1e-6)


@pytest.mark.parametrize("rule", [Sgd(lr=0.1, clip=0.5), Adam(lr=0.1, clip=0.5)], ids=["sgd", "adam"])
def test_a_gradient_of_zero_moves_nothing_and_has_finite_derivatives(rule):
    for dtype in (torch.float32, torch.float64):
        value = torch.ones(3, dtype=dtype, requires_grad=True)
        grads = {"body.w": value * 0.0}
        moved, _ = rule.update({}, {"body.w": value}, grads, LOSS, rule.init({}, {"body.w": value}), 0)
        assert torch.equal(moved["body.w"], value)
        (derivative,) = torch.autograd.grad(moved["body.w"].sum(), [value])
        assert bool(derivative.isfinite().all())


@pytest.mark.parametrize(
    "rule", [Sgd(lr=0.1), Sgd(lr=0.1, clip=0.5), Adam(lr=0.1, clip=None), Adam(lr=0.1, head_lr=0.2, clip=0.5)], ids=repr
)
def test_rules_are_differentiable_in_all_they_are_given(rule):
    """Two steps as a function of the start and both gradients."""

    def two_steps(*values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        names = list(SHAPES)
        first, second, third = (dict(zip(names, values[i * 4 : i * 4 + 4], strict=True)) for i in range(3))
        fast, state = rule.update({}, first, second, LOSS, rule.init({}, first), 0)
        fast, _ = rule.update({}, fast, third, LOSS, state, 1)
        return tuple(fast.values())

    values = [v.requires_grad_() for seed in range(3) for v in start(seed).values()]
    assert gradcheck(two_steps, values, rtol=1e-6, atol=1e-8)
