"""The inner loop as a function of its start point."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from metaglot.inner.rule import Rule
from metaglot.seeds import fold, generator
from metaglot.types import Batch, Fast, Params, Problem, RuleState, TraceStep


@dataclass(frozen=True)
class InnerLoop:
    """So many steps of a rule on the support loss."""

    rule: Rule
    steps: int
    batch_size: int | None = None  # support examples a step; all of them if None
    order: int = 0  # seed of the order in which minibatches come, with dropout or without

    def run(
        self,
        problem: Problem,
        meta: Params,
        start: Params,
        support: Batch,
        *,
        seed: int | None,
        create_graph: bool,
    ) -> Fast:
        """Return the parameters after all steps.

        With `create_graph` the result is differentiable in `meta` and `start` through every step; without it, no
        graph is kept.  With a seed, dropout is on, another mask each step.
        """
        fast = {name: _own(value, create_graph) for name, value in start.items()}
        state = self.rule.init(meta, start)
        trace: list[TraceStep] = []
        for step, batch in enumerate(self._batches(support)):
            step_seed = None if seed is None else fold(seed, "inner", step)
            fast, state, loss = _step(self, problem, meta, fast, state, batch, step, step_seed, create_graph)
            trace.append(TraceStep(step, float(loss.detach())))
        return Fast(fast, state, tuple(trace))

    def _batches(self, support: Batch) -> Iterator[Batch]:
        count = next(iter(support.values())).shape[0]
        for step in range(self.steps):
            if self.batch_size is None or count <= self.batch_size:
                yield support
                continue
            # One shuffled pass after the other, so that every example is met equally often.
            per_pass = -(-count // self.batch_size)
            order = generator(self.order, "batches", step // per_pass).permutation(count)
            chosen = order[(step % per_pass) :: per_pass]
            yield {name: value[torch.as_tensor(chosen)] for name, value in support.items()}


def _own(value: Tensor, create_graph: bool) -> Tensor:
    if create_graph:
        # A view, not θ itself: a head made from θ must not add its share to the inner gradient of θ.
        return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()
    return value.detach().clone()  # a rule may update it in place


def _step(
    loop: InnerLoop,
    problem: Problem,
    meta: Params,
    fast: Params,
    state: RuleState,
    batch: Batch,
    step: int,
    seed: int | None,
    create_graph: bool,
) -> tuple[dict[str, Tensor], RuleState, Tensor]:
    if not create_graph:
        fast = {name: value.detach().requires_grad_() for name, value in fast.items()}
    loss = problem.loss({**meta, **fast}, batch, seed=seed)
    grads = gradients(loss, fast, create_graph=create_graph)
    with torch.set_grad_enabled(create_graph):
        moved, state = loop.rule.update(meta, fast, grads, loss, state, step)
    return dict(moved), state, loss


def gradients(loss: Tensor, params: Mapping[str, Tensor], *, create_graph: bool = False) -> dict[str, Tensor]:
    """Return the gradient for each parameter, zeros where the loss does not depend on it."""
    if not params:
        return {}
    if not loss.requires_grad:
        return {name: torch.zeros_like(value) for name, value in params.items()}
    grad_of = cast("Callable[..., Sequence[Tensor | None]]", torch.autograd.grad)
    found = grad_of(loss, list(params.values()), create_graph=create_graph, allow_unused=True)
    return {
        name: torch.zeros_like(value) if grad is None else grad
        for (name, value), grad in zip(params.items(), found, strict=True)
    }
