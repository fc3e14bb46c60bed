"""What estimators share: the thing they differentiate, the query loss over visited points, and the record."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor

from metaglot.inner.loop import InnerLoop
from metaglot.models.heads import Head
from metaglot.models.parts import is_part
from metaglot.models.scopes import Scope
from metaglot.seeds import fold
from metaglot.types import Batch, Episode, Fast, Params, Problem, Record, TraceStep

Estimate = tuple[dict[str, Tensor], Record]


class Inner(NamedTuple):
    """What an estimator differentiates: where a task starts, how it moves, and where it is judged."""

    scope: Scope
    head: Head
    loop: InnerLoop
    weights: tuple[float, ...] | None = None  # of the query loss after each step (MAML++, REML); the last if None
    precise: bool = False  # the query loss in full precision, whatever the inner loop runs in

    def judging(self, problem: Problem) -> Problem:
        """Return the problem as the query loss is taken on it."""
        return replace(problem, learner=problem.learner.precise()) if self.precise else problem

    def body_rests(self, meta: Params) -> bool:
        """Whether nothing but the head moves."""
        return not self.scope.start(meta)

    def support(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None) -> Batch:
        """Return the support set, with its features where the body rests: it runs once, whatever the steps.

        With dropout, one mask then stands for all steps.
        """
        if self.loop.steps == 0 or not self.body_rests(meta):
            return support
        return problem.remembered(meta, support, seed=None if seed is None else fold(seed, "features"))

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None) -> dict[str, Tensor]:
        """Return the starting values of all that moves: the scope's parameters and the head."""
        head_seed = None if seed is None else fold(seed, "head")
        moving = self.scope.start(meta)
        # The head is judged with what moves in place, so it starts from the features of that network.
        return {**moving, **self.head.start(problem, {**meta, **moving}, support, seed=head_seed)}

    def weight_after(self, step: int) -> float:
        """Return the weight of the query loss after so many steps."""
        if self.weights is None or self.loop.steps == 0:
            return float(step == self.loop.steps)
        return self.weights[step - 1] if step > 0 else 0.0


class Estimator(Protocol):
    """Finds the outer gradient of one episode."""

    @property
    def name(self) -> str:
        """Its name in recipes and tables."""
        ...

    @property
    def second_order(self) -> bool:
        """Whether it differentiates inner gradients, which fused attention cannot do."""
        ...

    @property
    def exact(self) -> bool:
        """Whether its gradient is that of the query loss after the inner loop."""
        ...

    def __call__(self, inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
        """Return the gradient for each meta-parameter, zeros where unused, and a record."""
        ...


class Judged(NamedTuple):
    """The weighted query loss over the points visited, and the scores at the last of them."""

    loss: Tensor  # nats
    logits: Tensor


def query_seed(seed: int | None) -> int | None:
    """Return the seed of dropout on the query set."""
    return None if seed is None else fold(seed, "query")


def judge(
    problem: Problem, meta: Params, points: Iterable[tuple[float, Params]], episode: Episode, seed: int | None
) -> Judged:
    """Return Σ_t w_t · L(φ_t; query) over the points (w_t, φ_t), and the scores at the last."""
    total: Tensor | None = None
    logits: Tensor | None = None
    for weight, params in points:
        logits = problem.logits({**meta, **params}, episode.query, seed=query_seed(seed))
        loss = weight * problem.objective.loss(logits, episode.query)
        total = loss if total is None else total + loss
    assert total is not None
    assert logits is not None
    return Judged(total, logits)


def points_of(inner: Inner, visited: Sequence[Fast]) -> list[tuple[float, Params]]:
    """Return the points that the query loss is taken at, with their weights; the last is always one."""
    weighted = [(inner.weight_after(len(fast.trace)), fast.params) for fast in visited]
    return [*(point for point in weighted[:-1] if point[0]), weighted[-1]]


def record_of(problem: Problem, trace: Sequence[TraceStep], logits: Tensor, episode: Episode) -> Record:
    """Return what is worth logging of an episode."""
    metrics = problem.objective.metrics(logits.detach(), episode.query)
    before = {"support_loss": trace[0].loss} if trace else {}
    return {"task": problem.task.name, "ways": len(problem.task.labels), **before, **metrics}


def leaves_of(params: Params) -> dict[str, Tensor]:
    """Return the parameters as leaves of a new graph; of a divided body (`models/parts.py`) they are leaves already."""
    return {n: v if is_part(v) else v.detach().requires_grad_(v.is_floating_point()) for n, v in params.items()}


def pulled_back(outputs: Params, adjoints: Params, inputs: Params) -> dict[str, Tensor]:
    """Return Σ ⟨adjoint, ∂output/∂input⟩ for each input, zeros where nothing depends on it."""
    grads = reached(outputs, adjoints, inputs)
    return {name: grads[name] if name in grads else torch.zeros_like(value) for name, value in inputs.items()}


def reached(outputs: Params, adjoints: Params, inputs: Params) -> dict[str, Tensor]:
    """Return Σ ⟨adjoint, ∂output/∂input⟩ for each input that an output depends on."""
    pairs = [(v, adjoints[n]) for n, v in outputs.items() if n in adjoints and v.requires_grad]
    if not pairs or not inputs:
        return {}
    outputs_used, adjoints_used = [value for value, _ in pairs], [adjoint for _, adjoint in pairs]
    grads = cast(
        "Sequence[Tensor | None]",
        torch.autograd.grad(outputs_used, list(inputs.values()), adjoints_used, allow_unused=True),
    )
    return {name: grad for name, grad in zip(inputs, grads, strict=True) if grad is not None}


def add_to(total: dict[str, Tensor], more: Params) -> None:
    """Add tensors to those of the same names, in place."""
    for name, value in more.items():
        total[name] = total[name] + value if name in total else value
