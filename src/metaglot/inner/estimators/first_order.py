"""First order: dL/dφ carried to θ as if every step had the identity for a derivative; no graph of the steps is kept.

How the start point came from θ (prototypes, a generated head) is still differentiated.  First-order MAML, Finn et al.
2017, https://arxiv.org/abs/1703.03400.
"""

from dataclasses import dataclass

from metaglot.inner.estimators.parts import Estimate, Inner, judge, leaves_of, record_of
from metaglot.inner.loop import gradients
from metaglot.types import Episode, Params, Problem


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
        still = {name: value.detach() for name, value in start.items()}
        points: list[tuple[float, Params]] = []
        trace = ()
        support = {name: value.detach() for name, value in support.items()}
        for fast in inner.loop.walk(problem, meta, still, support, seed=seed, create_graph=False):
            trace = fast.trace
            weight = inner.weight_after(len(trace))
            if weight or len(trace) == inner.loop.steps:
                # The move is a constant: the derivative of the sum with respect to θ is that of the start.
                moved = {n: value + (fast.params[n] - still[n]).detach() for n, value in start.items()}
                points.append((weight, moved))
        judged = judge(problem, leaves, points, episode, seed)
        return gradients(judged.loss, leaves), record_of(problem, trace, judged.logits, episode)
