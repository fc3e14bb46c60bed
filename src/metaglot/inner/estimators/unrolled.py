"""Unrolled: dL(φ_T(θ))/dθ exactly, through the graph of every step; fast, and memory grows with the steps.

Finn et al. 2017, https://arxiv.org/abs/1703.03400
"""

from dataclasses import dataclass

from metaglot.inner.estimators.parts import Estimate, Inner, judge, leaves_of, points_of, record_of
from metaglot.inner.loop import gradients
from metaglot.types import Episode, Params, Problem


@dataclass(frozen=True)
class Unrolled:
    """The exact gradient, with the graph of the whole inner loop."""

    name: str = "unrolled"
    second_order: bool = True
    exact: bool = True

    def __call__(self, inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
        """Return the exact meta-gradient."""
        leaves = leaves_of(meta)
        support = inner.support(problem, leaves, episode.support, seed=seed)
        start = inner.start(problem, leaves, support, seed=seed)
        visited = list(inner.loop.walk(problem, leaves, start, support, seed=seed, create_graph=True))
        judged = judge(inner.judging(problem), leaves, points_of(inner, visited), episode, seed)
        return gradients(judged.loss, leaves), record_of(problem, visited[-1].trace, judged.logits, episode)
