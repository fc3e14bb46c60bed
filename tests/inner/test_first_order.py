"""First order differentiates the loop whose gradients count as constants: against finite differences of that function.

The gradients and losses of the loop are remembered at the start point and handed to the rule again elsewhere.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from metaglot.algorithms import GradientBased
from metaglot.inner import Curvature, LayerRates, MetaNet, MetaSgd, Recurrent, Rule, Sgd, Unrolled, first_order
from metaglot.inner.rule import LEARNT
from metaglot.models import All, HeadOnly, Lora, Prototypes, Zeros
from metaglot.types import Params, RuleState

PLAIN = GradientBased(All(), Prototypes(), Sgd(lr=0.3), 3, first_order, dropout=False)
CASES: Mapping[str, Mapping[str, Any]] = {
    "meta-sgd": {"rule": MetaSgd(lr=0.3)},
    "clipped": {"rule": MetaSgd(lr=0.3, clip=0.5)},
    "layer rates": {"rule": LayerRates(lr=0.3, per_step=True)},
    "every step judged": {"rule": LayerRates(lr=0.3, per_step=True), "weights": (0.2, 0.0, 1.0)},
    "from zeros": {"rule": LayerRates(lr=0.3), "head": Zeros()},
    "head only": {"rule": MetaSgd(lr=0.3), "scope": HeadOnly()},
    "curvature": {"rule": Curvature(lr=0.3)},
    "recurrent": {"rule": Recurrent(lr=0.3, hidden=4, scale=0.1), "scope": Lora(rank=2)},
    "meta-network": {"rule": MetaNet(lr=0.3, layers=2, hidden=4), "scope": Lora(rank=2)},
    "chunks": {"rule": MetaSgd(lr=0.3), "chunk": 2},
    "a pull": {"rule": MetaSgd(lr=0.3), "proximal": 0.4},
}


QUICK = ("meta-sgd", "every step judged", "from zeros", "recurrent", "chunks")
MARKED = [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in CASES]


@dataclass(frozen=True)
class Replayed:
    """A rule that is given, at each step, the gradient and loss that were noted for it."""

    rule: Rule
    noted: list[tuple[Params, Tensor]]
    noting: bool

    def learnt(self, moving: Params, *, steps: int, seed: int) -> Params:
        return self.rule.learnt(moving, steps=steps, seed=seed)

    def init(self, meta: Params, fast: Params) -> RuleState:
        return self.rule.init(meta, fast)

    def update(
        self, meta: Params, fast: Params, grads: Params, loss: Tensor, state: RuleState, step: int
    ) -> tuple[Params, RuleState]:
        if self.noting:
            self.noted.append(({n: g.detach().clone() for n, g in grads.items()}, loss.detach().clone()))
        grads, loss = self.noted[step]
        return self.rule.update(meta, fast, grads, loss, state, step)


@pytest.mark.parametrize("name", MARKED)
def test_finite_differences_of_the_loop_with_constant_gradients(bert, problem, episode, name):
    algorithm = replace(PLAIN, **CASES[name])
    rng = torch.Generator().manual_seed(5)
    meta = {
        n: v.double() + 0.03 * n.startswith("algorithm.") * torch.randn(v.shape, generator=rng).double()
        for n, v in algorithm.init(bert, [problem.task], seed=0).items()
    }
    noted: list[tuple[Params, Tensor]] = []

    def judged(at: Params, *, noting: bool = False) -> float:
        rule = Replayed(algorithm.rule, noted, noting)
        inner = replace(algorithm, rule=rule).inner._replace(weights=algorithm.weights)
        with torch.no_grad():
            start = inner.start(problem, at, episode.support, seed=None)
        total = 0.0
        for fast in inner.loop.walk(problem, at, start, episode.support, seed=None, create_graph=False):
            weight = inner.weight_after(len(fast.trace))
            if weight:
                with torch.no_grad():
                    total += weight * float(problem.loss({**at, **fast.params}, episode.query))
        return total

    judged(meta, noting=True)
    assert len(noted) == 3
    grads = algorithm.meta_grad([problem], meta, [episode], step=0, seed=1).grads
    for part in (lambda n: n.startswith(LEARNT), lambda n: not n.startswith(LEARNT)):
        along = {n: torch.randn(v.shape, generator=rng, dtype=v.dtype) * part(n) for n, v in meta.items()}
        size, h = float(torch.cat([v.flatten() for v in along.values()]).norm()), 1e-3

        def at(far: float, along=along, size=size) -> float:
            return judged({n: v + far / size * along[n] for n, v in meta.items()})

        slope = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h)
        expected = float(sum((grads[n] * along[n]).sum() for n in grads)) / size
        assert abs(expected) > 1e-6, "a derivative this small shows nothing"
        assert expected == pytest.approx(slope, rel=1e-6)


@pytest.mark.parametrize("name", MARKED)
def test_a_second_derivative_is_left_out(bert, problem, episode, name):
    """It is not the exact gradient, and of the rule's own it is exact after one step."""
    algorithm = replace(PLAIN, **CASES[name])
    meta = {n: v.double() for n, v in algorithm.init(bert, [problem.task], seed=0).items()}

    def gradient(made: GradientBased) -> Params:
        return made.meta_grad([problem], meta, [episode], step=0, seed=1).grads

    rough, exact = gradient(algorithm), gradient(replace(algorithm, estimator=Unrolled()))
    away = {n: float((rough[n] - exact[n]).norm() / exact[n].norm().clamp(min=1e-12)) for n in exact}
    assert max(away.values()) > 1e-4
    once = replace(algorithm, steps=1, weights=None)
    rough, exact = gradient(once), gradient(replace(once, estimator=Unrolled()))
    for name in exact:
        if name.startswith(LEARNT):
            torch.testing.assert_close(rough[name], exact[name], rtol=1e-9, atol=1e-13)
