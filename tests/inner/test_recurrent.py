"""The recurrent rule: its parts against torch and the paper, its derivatives."""

import math

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.inner import Recurrent, Sgd
from metaglot.inner.recurrent import LSTM, SCALE, lstm_step, preprocessed
from metaglot.inner.rule import RATE
from metaglot.models import All, HeadOnly, Lora

SCOPES = {"all": All(), "head": HeadOnly(), "lora": Lora(rank=2)}
LOSS = torch.tensor(0.7, dtype=torch.float64)
SHAPES = {"body.w": (3, 4), "head.weight": (2, 3), "head.bias": (2,)}


def learnt(rule: Recurrent, draw, *, noise: float = 0.3) -> dict[str, torch.Tensor]:
    start = {n: v.double() for n, v in rule.learnt({}, steps=3, seed=0).items()}
    more = draw({n: tuple(v.shape) for n, v in start.items()}, 9)
    return {n: v + noise * more[n] for n, v in start.items()}


def test_a_step_is_torchs_lstm_cell(draw):
    rule = Recurrent(hidden=5)
    meta, found = learnt(rule, draw), draw({"x": (7, 4), "h": (7, 5), "c": (7, 5)})
    cell = torch.nn.LSTMCell(4, 5).double()
    with torch.no_grad():
        cell.weight_ih.copy_(meta[LSTM + "input"])
        cell.weight_hh.copy_(meta[LSTM + "hidden"])
        cell.bias_ih.copy_(meta[LSTM + "bias"])
        cell.bias_hh.zero_()
    for a, b in zip(lstm_step(meta, **found), cell(found["x"], (found["h"], found["c"])), strict=True):
        assert torch.allclose(a, b, rtol=1e-12, atol=1e-14)


def test_gradients_are_read_by_size_and_sign():
    """The two cases of Andrychowicz et al., appendix A, with p = 10."""
    z = torch.tensor([2.0, -1e-3, math.exp(-10), 1e-6, -1e-9, 0.0], dtype=torch.float64)
    expected = [
        (math.log(abs(v)) / 10, math.copysign(1.0, v)) if abs(v) >= math.exp(-10) else (-1.0, math.exp(10) * v)
        for v in z.tolist()
    ]
    assert torch.allclose(preprocessed(z), torch.tensor(expected, dtype=torch.float64), rtol=1e-12)
    z.requires_grad_()
    (slope,) = torch.autograd.grad(preprocessed(z).sum(), z)
    assert bool(slope.isfinite().all())


@pytest.mark.parametrize("scope", SCOPES)
def test_it_starts_as_gradient_descent(same_path, scope):
    pair = Recurrent(lr=0.125, head_lr=0.5, clip=0.5), Sgd(lr=0.125, head_lr=0.5, clip=0.5)
    assert same_path(*pair, SCOPES[scope]) >= 2


def test_two_steps_by_hand_through_torchs_cell(draw):
    rule = Recurrent(lr=0.2, hidden=3, scale=0.3)
    meta = learnt(rule, draw)
    cell = torch.nn.LSTMCell(4, 3).double()
    values = [meta[LSTM + part] for part in ("input", "hidden", "bias")]
    cell.load_state_dict(dict(zip(cell.state_dict(), [*values, torch.zeros(12)], strict=True)))
    fast = draw(SHAPES)
    state = rule.init(meta, fast)
    now, memory = draw(SHAPES), {n: (torch.zeros(v.numel(), 3).double(),) * 2 for n, v in fast.items()}
    for step in range(2):
        grads = draw(SHAPES, 1 + step)
        fast, state = rule.update(meta, fast, grads, LOSS, state, step)
        for name, grad in grads.items():
            part = "head" if name.startswith("head.") else "body"
            heard = preprocessed(LOSS).expand(grad.numel(), 2)
            memory[name] = cell(torch.cat([preprocessed(grad.flatten()), heard], 1), memory[name])
            written = (memory[name][0] @ meta[LSTM + "out"]).view_as(grad)
            now[name] = now[name] - 0.2 * meta[RATE + part] * grad - 0.3 * meta[SCALE + part] * written
            assert torch.allclose(fast[name], now[name], rtol=1e-10, atol=1e-12), (step, name)
    assert state["h"].shape == state["c"].shape == (20, 3)


def test_coordinates_share_weights_and_not_state(draw):
    """Permuting the coordinates permutes what is written; changing one gradient changes one coordinate, for good."""
    rule, order = Recurrent(hidden=3), torch.tensor([3, 0, 2, 1])
    meta = learnt(rule, draw)

    def end(turn, shift=0.0):
        fast = {"body.w": draw({"w": (4,)})["w"][turn]}
        state = rule.init(meta, fast)
        for step in range(3):
            grad = draw({"w": (4,)}, 1 + step)["w"].clone()
            grad[1] += shift * (step == 0)
            fast, state = rule.update(meta, fast, {"body.w": grad[turn]}, LOSS, state, step)
        return fast["body.w"]

    plain = end(torch.arange(4))
    assert torch.allclose(end(order), plain[order], rtol=1e-12)
    assert (end(torch.arange(4), shift=0.5) != plain).tolist() == [False, True, False, False]


def test_a_hidden_size_below_one_is_refused():
    with pytest.raises(MetaglotError, match="hidden size of at least 1, got 0"):
        Recurrent(hidden=0).learnt({}, steps=1, seed=0)


@pytest.mark.parametrize("scope", SCOPES)
def test_its_derivatives(check_exact, scope):
    """A small step: a coordinate whose gradient is near e⁻¹⁰ has a kink there."""
    own = check_exact(Recurrent(lr=0.1, hidden=4, scale=0.1, through=True), SCOPES[scope], noise=0.1, h=1e-5)
    assert len(own) == 8
    idle = {"head": [RATE + "body", SCALE + "body"]}.get(scope, [])
    assert [n for n, v in own.items() if not v.any()] == idle
    assert len(check_exact(Recurrent(lr=0.1, hidden=4), SCOPES[scope], noise=0.1, follows=False)) == 8


def test_its_derivatives_with_clipped_gradients(check_exact):
    rule = Recurrent(lr=0.1, hidden=4, clip=0.5, through=True)
    assert len(check_exact(rule, HeadOnly(), noise=0.1, h=1e-5)) == 8


def test_what_it_reads_is_constant_unless_asked_for(draw):
    """One step: dθ/dg is −lr·α alone, or with what the LSTM makes of g; from step to step the state still carries."""
    fast, name = {"body.w": draw({"w": (4,)})["w"]}, "body.w"
    for through in (False, True):
        rule = Recurrent(lr=0.2, hidden=3, through=through)
        meta = learnt(rule, draw)
        grad = draw({"w": (4,)}, 1)["w"].requires_grad_()
        moved, state = rule.update(meta, fast, {name: grad}, LOSS, rule.init(meta, fast), 0)
        (slope,) = torch.autograd.grad(moved[name].sum(), grad)
        plain = torch.full((4,), -0.2 * float(meta[RATE + "body"])).double()
        assert torch.allclose(slope, plain, rtol=1e-12) != through
        inputs = meta[LSTM + "input"].requires_grad_()
        again, _ = rule.update(meta, moved, {name: grad.detach()}, LOSS, state, 1)
        assert state["h"].requires_grad is through
        assert bool(torch.autograd.grad(again[name].sum(), inputs)[0].any())


def test_the_sum_over_steps_is_the_same_by_unrolled_and_adjoint(bert, problem, episode):
    from dataclasses import replace

    from metaglot.algorithms.reml import reml
    from metaglot.inner import Adjoint

    algorithm = reml(steps=3, scope=Lora(rank=2), lr=0.1)
    assert algorithm.weights == (1.0, 1.0, 1.0)
    rng = torch.Generator().manual_seed(5)
    meta = {
        n: v.double() + 0.1 * n.startswith("algorithm.") * torch.randn(v.shape, generator=rng).double()
        for n, v in algorithm.init(bert, [problem.task], seed=0).items()
    }
    a, b = (
        replace(algorithm, estimator=e).meta_grad([problem], meta, [episode], step=0, seed=0).grads
        for e in (algorithm.estimator, Adjoint())
    )
    own = [n for n in a if n.startswith("algorithm.rule.") and "head" not in n]
    assert len(own) == 6
    for name in own:
        assert float(a[name].norm()) > 1e-8, name
        assert float((a[name] - b[name]).norm()) < 1e-9 * float(a[name].norm()), name
