"""What the tests of rules share: quadratics as tasks, and a check of a rule's derivatives on a tiny BERT."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from metaglot.algorithms import GradientBased
from metaglot.inner import Adjoint, Rule, Unrolled
from metaglot.models import Prototypes, Scope
from metaglot.types import Params

Check = Callable[..., Params]


def norm(values: Params) -> float:
    return float(torch.cat([v.flatten() for v in values.values()]).norm())


@pytest.fixture
def check_exact(bert, problem, episode) -> Check:
    """A function that checks a rule within a scope and returns the gradient for `algorithm.rule.*`.

    Unrolled and adjoint agree to 1e-9 on everything and on the rule's own parameters; and along a random direction of
    these both follow a central difference of fourth order to 1e-6.  Noise on all that is learnt keeps parts that
    start from zero from hiding others.  `follows=False` leaves the difference out, for a rule that is not exact.
    """

    def check(rule: Rule, scope: Scope, *, h: float = 1e-4, noise: float = 0.03, follows: bool = True) -> Params:
        algorithm = GradientBased(scope, Prototypes(), rule, 3, Unrolled())
        rng = torch.Generator().manual_seed(5)
        meta = {
            n: v.double() + noise * n.startswith("algorithm.") * torch.randn(v.shape, generator=rng).double()
            for n, v in algorithm.init(bert, [problem.task], seed=0).items()
        }

        def judged(at: Params, how: GradientBased = algorithm):
            return how.meta_grad([problem], at, [episode], step=3, seed=9)

        truth, found = judged(meta).grads, judged(meta, replace(algorithm, estimator=Adjoint())).grads
        own = {n: v for n, v in truth.items() if n.startswith("algorithm.rule.")}
        for part in (truth, own):
            if part:
                assert norm({n: found[n] - v for n, v in part.items()}) < 1e-9 * norm(part)
        if not own or not follows:
            return own
        along = {n: torch.randn(v.shape, generator=rng, dtype=torch.float64) for n, v in own.items()}
        size = norm(along)

        def loss(far: float) -> float:
            moved = {n: v + far / size * along[n] if n in along else v for n, v in meta.items()}
            return float(judged(moved).records[0]["loss"])

        slope = (8 * (loss(h) - loss(-h)) - (loss(2 * h) - loss(-2 * h))) / (12 * h)
        expected = float(sum((own[n] * along[n]).sum() for n in own)) / size
        assert abs(expected) > 1e-5, "a derivative this small shows nothing"
        assert abs(slope - expected) <= 1e-6 * abs(expected)
        return own

    return check


@pytest.fixture
def same_path(bert, problem, episode) -> Callable[..., int]:
    """A function that checks that two rules take the same steps; returns how many tensors moved."""

    def check(one: Rule, other: Rule, scope: Scope) -> int:
        ends: list[Params] = []
        for rule in (one, other):
            algorithm = GradientBased(scope, Prototypes(), rule, 3, Unrolled(), dropout=False)
            meta = {n: v.double() for n, v in algorithm.init(bert, [problem.task], seed=0).items()}
            ends.append(algorithm.adapt(problem, meta, episode.support, seed=0).params)
        a, b = ends
        assert list(a) == list(b)
        for name in a:
            torch.testing.assert_close(a[name], b[name], rtol=1e-12, atol=1e-13)
        start = scope.start(meta)
        return sum(name not in start or not torch.equal(value, start[name]) for name, value in a.items())

    return check


def tensors(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    return {name: torch.randn(shape, generator=rng, dtype=torch.float64) for name, shape in shapes.items()}


@pytest.fixture(scope="session")
def draw() -> Callable[..., dict[str, Tensor]]:
    """Random tensors of given shapes: (shapes, seed) -> tensors."""
    return tensors
