"""First order: inner gradients count as constants, so dL/dφ is carried to θ; no graph of the network is kept.

How the start point came from θ (prototypes, a generated head) is still differentiated, and so is what the rule makes
of constant gradients: with learnt rates r_t, φ_T = θ − Σ_t r_t∘g_t and ∂L/∂r_t = −∇L(φ_T)∘g_t.  Where the rule learns
nothing, only the sum of the moves is kept.  First-order MAML, Finn et al. 2017, https://arxiv.org/abs/1703.03400.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from metaglot.inner.estimators.parts import Estimate, Inner, judge, leaves_of, record_of
from metaglot.inner.loop import gradients
from metaglot.inner.rule import LEARNT
from metaglot.types import Batch, Episode, Fast, Params, Problem


@dataclass(frozen=True)
class FirstOrder:
    """The gradient at the adapted parameters, carried to the start."""

    name: str = "first-order"
    second_order: bool = False
    exact: bool = False

    def __call__(self, inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
        """Return the first-order meta-gradient."""
        leaves = leaves_of(meta)
        support = inner.support(problem, leaves, episode.support, seed=seed)
        start = inner.start(problem, leaves, support, seed=seed)
        support = {name: value.detach() for name, value in support.items()}
        learnt = {name: value for name, value in leaves.items() if name.startswith(LEARNT)}
        walk = _taught if learnt else _carried
        visited = list(walk(inner, problem, {**meta, **learnt}, start, support, seed))
        points = [(inner.weight_after(len(fast.trace)), fast.params) for fast in visited]
        judged = judge(inner.judging(problem), leaves, points, episode, seed)
        return gradients(judged.loss, leaves), record_of(problem, visited[-1].trace, judged.logits, episode)


def _carried(
    inner: Inner, problem: Problem, meta: Params, start: Params, support: Batch, seed: int | None
) -> Iterator[Fast]:
    """Yield the points judged, each the start plus a constant: its derivative is that of the start."""
    still = {name: value.detach() for name, value in start.items()}
    for fast in inner.loop.walk(problem, meta, still, support, seed=seed, create_graph=False):
        if _judged(inner, fast):
            moved = {name: value + (fast.params[name] - still[name]).detach() for name, value in start.items()}
            yield fast._replace(params=moved)


def _taught(
    inner: Inner, problem: Problem, meta: Params, start: Params, support: Batch, seed: int | None
) -> Iterator[Fast]:
    """Yield the points judged, as functions of the start and of what the rule learns."""
    walk = inner.loop.walk(problem, meta, start, support, seed=seed, create_graph=True, constant=True)
    yield from (fast for fast in walk if _judged(inner, fast))


def _judged(inner: Inner, fast: Fast) -> bool:
    steps = len(fast.trace)
    return bool(inner.weight_after(steps)) or steps == inner.loop.steps
