"""Estimators: how the outer gradient of one episode is found.

With φ(θ) the parameters after the inner loop from θ on the support set and L the query loss:

- unrolled       dL(φ(θ))/dθ, exact, by differentiating through every step (Finn et al. 2017, arXiv:1703.03400)
- first order    dL/dφ carried to θ as if every step had the identity for a derivative; how the start point came
                 from θ (prototypes) is still differentiated (first-order MAML, same paper)
- reptile        θ − φ(θ) with the inner loop on support and query together (Nichol et al. 2018, arXiv:1803.02999)
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.inner.loop import InnerLoop, gradients
from metaglot.models.heads import Head
from metaglot.models.scopes import OWN, Scope
from metaglot.seeds import fold
from metaglot.tasks.batches import concatenate
from metaglot.types import Batch, Episode, Fast, Params, Problem, Record


class Inner(NamedTuple):
    """What an estimator differentiates: where a task starts and how it moves."""

    scope: Scope
    head: Head
    loop: InnerLoop

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None) -> dict[str, Tensor]:
        """Return the starting values of all that moves: the scope's parameters and the head."""
        head_seed = None if seed is None else fold(seed, "head")
        moving = self.scope.start(meta)
        # The head is judged with what moves in place, so it starts from the features of that network.
        return {**moving, **self.head.start(problem, {**meta, **moving}, support, seed=head_seed)}


Estimate = tuple[dict[str, Tensor], Record]
Estimator = Callable[[Inner, Problem, Params, Episode, int | None], Estimate]


def unrolled(inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
    """Return the exact meta-gradient, through the graph of every step."""
    leaves = _leaves(meta)
    start = inner.start(problem, leaves, episode.support, seed=seed)
    fast = inner.loop.run(problem, leaves, start, episode.support, seed=seed, create_graph=True)
    return _judge(problem, leaves, fast, fast.params, episode, seed)


def first_order(inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
    """Return the first-order meta-gradient; no graph of the steps is kept."""
    leaves = _leaves(meta)
    start = inner.start(problem, leaves, episode.support, seed=seed)
    still = {name: value.detach() for name, value in start.items()}
    fast = inner.loop.run(problem, meta, still, episode.support, seed=seed, create_graph=False)
    # The move is a constant: the derivative of the sum with respect to θ is that of the start.
    params = {name: value + (fast.params[name] - still[name]).detach() for name, value in start.items()}
    return _judge(problem, leaves, fast, params, episode, seed)


def reptile(inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
    """Return θ − φ; an outer step of plain gradient descent with rate ε then interpolates θ + ε(φ − θ)."""
    data = concatenate(episode.support, episode.query)
    with torch.no_grad():
        start = inner.start(problem, meta, episode.support, seed=seed)
    fast = inner.loop.run(problem, meta, start, data, seed=seed, create_graph=False)
    grads = {name: torch.zeros_like(value) for name, value in meta.items()}
    for name, value in start.items():
        owner = name if name in grads else OWN + name
        if owner in grads:
            grads[owner] = (value - fast.params[name]).detach()
    with torch.no_grad():
        logits = problem.logits({**meta, **fast.params}, episode.query)
    return grads, _record(problem, fast, logits, episode)


def _judge(
    problem: Problem, leaves: Params, fast: Fast, params: Params, episode: Episode, seed: int | None
) -> Estimate:
    query_seed = None if seed is None else fold(seed, "query")
    logits = problem.logits({**leaves, **params}, episode.query, seed=query_seed)
    grads = gradients(problem.family.loss(logits, episode.query), leaves)
    return grads, _record(problem, fast, logits.detach(), episode)


def _record(problem: Problem, fast: Fast, logits: Tensor, episode: Episode) -> Record:
    metrics = problem.family.metrics(logits, episode.query)
    before = {"support_loss": fast.trace[0].loss} if fast.trace else {}
    return {"task": problem.task.name, "ways": len(problem.task.labels), **before, **metrics}


def _leaves(meta: Params) -> dict[str, Tensor]:
    return {name: value.detach().requires_grad_(value.is_floating_point()) for name, value in meta.items()}


ESTIMATORS: dict[str, Estimator] = {"unrolled": unrolled, "first-order": first_order, "reptile": reptile}
