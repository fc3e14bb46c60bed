"""The inner loop as a function of its start point."""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from metaglot.inner.rule import Rule
from metaglot.models.parts import is_part
from metaglot.seeds import fold, generator
from metaglot.types import Batch, Fast, Params, Problem, TraceStep


@dataclass(frozen=True)
class InnerLoop:
    """So many steps of a rule on the support loss."""

    rule: Rule
    steps: int
    batch_size: int | None = None  # support examples a step; all of them if None
    chunk: int | None = None  # examples a pass: a step's gradient is summed over passes, for supports beyond memory
    proximal: float = 0.0  # λ of the pull λ/2·‖φ − start‖² towards the start (iMAML)
    stream: bool = False  # the support set comes in its order, one of `steps` parts a step; batch_size is not read
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
        steps = self.walk(problem, meta, start, support, seed=seed, create_graph=create_graph)
        return deque(steps, maxlen=1).pop()

    def walk(
        self,
        problem: Problem,
        meta: Params,
        start: Params,
        support: Batch,
        *,
        seed: int | None,
        create_graph: bool,
        constant: bool = False,
    ) -> Iterator[Fast]:
        """Yield the start, and the parameters after each step.

        Without `create_graph` a rule may update tensors in place: what is yielded is valid until the next step.
        `constant` takes gradients and losses for constants, so that the graph is that of the rule alone.
        """
        fast = Fast({n: _own(v, create_graph) for n, v in start.items()}, self.rule.init(meta, start), ())
        yield fast
        recorded = create_graph and not constant
        anchor = {name: value if recorded else value.detach() for name, value in start.items()}
        for step, batch in enumerate(self.batches(support)):
            step_seed = None if seed is None else fold(seed, "inner", step)
            waits = step == 0 and body_waits(problem, start)
            graph = {"create_graph": create_graph, "constant": constant}
            fast = self.step(problem, meta, fast, batch, anchor=anchor, seed=step_seed, waits=waits, **graph)
            yield fast

    def step(
        self,
        problem: Problem,
        meta: Params,
        fast: Fast,
        batch: Batch,
        *,
        anchor: Params,
        seed: int | None,
        create_graph: bool,
        waits: bool = False,
        constant: bool = False,
    ) -> Fast:
        """Return what one step makes of `fast`; its number is the length of the trace.  See `body_waits`, `walk`."""
        params, number = fast.params, len(fast.trace)
        recorded = create_graph and not constant
        if not recorded:
            params = {name: value.detach().requires_grad_() for name, value in params.items()}
        loss, grads = self.gradient(problem, meta, params, batch, seed=seed, create_graph=recorded, waits=waits)
        with torch.set_grad_enabled(create_graph):
            if self.proximal:
                pull = {name: self.proximal * (params[name] - anchor[name]) for name in grads}
                grads = {name: grad + (pull[name].detach() if constant else pull[name]) for name, grad in grads.items()}
            moved, state = self.rule.update(
                meta, fast.params if constant else params, grads, loss, fast.rule_state, number
            )
        return Fast(dict(moved), state, (*fast.trace, TraceStep(number, float(loss.detach()))))

    def gradient(
        self,
        problem: Problem,
        meta: Params,
        params: Params,
        batch: Batch,
        *,
        seed: int | None,
        create_graph: bool,
        waits: bool = False,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the support loss and its gradient for each of `params`, summed over chunks."""
        moving = {n: v for n, v in params.items() if n.startswith("head.")} if waits else params
        total: Tensor | None = None
        summed: dict[str, Tensor] = {}
        for part, share, part_seed in self.chunks(problem, batch, seed):
            loss = share * problem.loss({**meta, **params}, part, seed=part_seed)
            grads = gradients(loss, moving, create_graph=create_graph)
            loss = loss if create_graph else loss.detach()
            total = loss if total is None else total + loss
            summed = {n: summed[n] + g for n, g in grads.items()} if summed else grads
        assert total is not None
        return total, summed if not waits else {n: summed.get(n, torch.zeros_like(v)) for n, v in params.items()}

    def chunks(self, problem: Problem, batch: Batch, seed: int | None) -> Iterator[tuple[Batch, float, int | None]]:
        """Yield each part of a batch with its share of what is judged, and the seed of its dropout.

        The loss of a part is a mean over what is judged in it, so that the shares make the sum the loss of the batch.
        """
        count = _count(batch)
        if self.chunk is None or count <= self.chunk:
            yield batch, 1.0, seed
            return
        judged = max(1, problem.objective.judged(batch))
        for number, at in enumerate(range(0, count, self.chunk)):
            part = {name: value[at : at + self.chunk] for name, value in batch.items()}
            share = problem.objective.judged(part) / judged
            yield part, share, None if seed is None else fold(seed, "chunk", number)

    def batches(self, support: Batch) -> Iterator[Batch]:
        """Yield the support examples of each step."""
        count = _count(support)
        for step in range(self.steps):
            if self.stream:
                at = step * count // self.steps
                end = max(at + 1, (step + 1) * count // self.steps)
                yield {name: value[at:end] for name, value in support.items()}
                continue
            if self.batch_size is None or count <= self.batch_size:
                yield support
                continue
            # One shuffled pass after the other, so that every example is met equally often.
            per_pass = -(-count // self.batch_size)
            order = generator(self.order, "batches", step // per_pass).permutation(count)
            chosen = order[(step % per_pass) :: per_pass]
            yield {name: value[torch.as_tensor(chosen)] for name, value in support.items()}


def body_waits(problem: Problem, start: Params) -> bool:
    """Whether the first step from `start` leaves the body where it is, exactly and with all derivatives.

    Scores are linear in the features, so where the head is a constant zero the gradient of the body is zero for any
    body; it need not be computed.  A fifth of second-order MAML with five steps.
    """
    weight = start.get("head.weight")
    linear = problem.head_spec.level in {"pooled", "token"}
    return linear and weight is not None and not weight.requires_grad and not bool(weight.any())


def _count(batch: Batch) -> int:
    return next(iter(batch.values())).shape[0]


def _own(value: Tensor, create_graph: bool) -> Tensor:
    if create_graph:
        # A view, not θ itself: a head made from θ must not add its share to the inner gradient of θ.
        return value.view_as(value) if value.requires_grad else value.detach().requires_grad_()
    return value.detach().clone()  # a rule may update it in place


def gradients(loss: Tensor, params: Mapping[str, Tensor], *, create_graph: bool = False) -> dict[str, Tensor]:
    """Return the gradient for each parameter, zeros where the loss does not depend on it."""
    if not params:
        return {}
    if not loss.requires_grad:
        return {name: torch.zeros_like(value) for name, value in params.items()}
    if any(is_part(value) for value in params.values()):
        return _with_parts(loss, params)
    grad_of = cast("Callable[..., Sequence[Tensor | None]]", torch.autograd.grad)
    grads = grad_of(loss, list(params.values()), create_graph=create_graph, allow_unused=True)
    return {
        name: torch.zeros_like(value) if grad is None else grad
        for (name, value), grad in zip(params.items(), grads, strict=True)
    }


def _with_parts(loss: Tensor, leaves: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the gradient for leaves of which some belong to a divided body: theirs are summed over the ranks.

    FSDP leaves those at the parts as a layer is dropped again; a graph of them there is none.
    """
    loss.backward()
    found = {name: torch.zeros_like(leaf) if leaf.grad is None else leaf.grad for name, leaf in leaves.items()}
    for leaf in leaves.values():
        leaf.grad = None
    return found
