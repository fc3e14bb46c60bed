"""What the recurrent rule can learn: quadratics within ten steps, and a target that moves while it is followed.

Each episode holds many independent problems at once, which a rule that works coordinate by coordinate cannot tell.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from metaglot.algorithms import GradientBased
from metaglot.decoding import Continuations, Decoding
from metaglot.inner import Momentum, Recurrent, Rule, Sgd, unrolled
from metaglot.models import All, Zeros
from metaglot.types import Batch, Episode, HeadSpec, Outputs, Params, Problem, TaskInfo, Units

MANY, D, STEPS = 16, 6, 10
CPU = torch.device("cpu")
INFO = TaskInfo("points", "points", ("only",), (0,), family="quadratics")
ONES = torch.ones(MANY, 1, dtype=torch.int64)
HELD_OUT = range(10_000, 10_005)


@dataclass(frozen=True)
class Points:
    """A learner whose features are points [MANY, D], whatever the batch."""

    hidden_size: int = D
    device: torch.device = CPU
    embedding: None = None

    def precise(self) -> "Points":
        return self

    def body(self) -> Params:
        return {"body.x": torch.zeros(MANY, D)}

    def forward(self, params: Params, batch: Batch, *, seed: int | None = None, logits: bool = False) -> Outputs:
        return Outputs(hidden=params["body.x"][:, None], pooled=params["body.x"], mask=ONES)

    def generate(self, params: Params, batch: Batch, decoding: Decoding, *, tokenizer: object = None) -> Continuations:
        raise NotImplementedError


@dataclass(frozen=True)
class Quadratics:
    """Σ ½(x − c)ᵀA(x − c) over the points."""

    name: str = "quadratics"

    def collate(self, rows: Sequence[Mapping[str, Tensor]]) -> Batch:
        raise NotImplementedError

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        return HeadSpec(hidden_size, 1, "point")

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        raise NotImplementedError

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        return batch

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:
        return outputs.pooled

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:
        away = logits - batch["center"]
        return 0.5 * torch.einsum("bi,bij,bj->b", away, batch["matrix"], away).sum()

    def judged(self, batch: Batch) -> int:
        return len(batch["center"])

    def predict(self, logits: Tensor) -> Tensor:
        return logits

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        return {"loss": float(self.loss(logits, batch))}


PROBLEM = Problem(Points(), Quadratics(), INFO)


def quadratics(n: int) -> Episode:
    """Random centres and random axes; curvatures from 0.1 to 2."""
    rng = torch.Generator().manual_seed(n)
    axes, _ = torch.linalg.qr(torch.randn(MANY, D, D, generator=rng))
    matrix = axes @ torch.diag(torch.logspace(-1, 0.3, D)) @ axes.mT
    center = torch.randn(MANY, D, generator=rng)
    batch = {"input_ids": ONES, "attention_mask": ONES, "matrix": matrix, "center": center}
    return Episode(INFO, Quadratics(), batch, batch)


def after_ten_steps(rule: Rule, meta: Params) -> float:
    """The mean loss of held-out quadratics."""
    algorithm = GradientBased(All(), Zeros(), rule, STEPS, unrolled, dropout=False)
    losses = [0.0]
    for episode in map(quadratics, HELD_OUT):
        fast = algorithm.adapt(PROBLEM, meta, episode.support, seed=0)
        losses.append(float(Quadratics().loss(fast.params["body.x"], episode.query)))
    return sum(losses) / (len(losses) - 1)


def descend(params: Params, gradient, *, steps: int, lr: float = 0.02) -> None:
    """Adam on the parameters in place; its rate falls over the second half."""
    optimiser = torch.optim.Adam(params.values(), lr=lr)
    for step in range(steps):
        for name, grad in gradient(step).items():
            params[name].grad = grad
        torch.nn.utils.clip_grad_norm_(list(params.values()), 5.0)
        optimiser.param_groups[0]["lr"] = lr * min(1.0, 2 * (1 - step / steps))
        optimiser.step()


@pytest.mark.slow
def test_it_learns_to_beat_tuned_gradient_descent_on_quadratics():
    rule = Recurrent(lr=0.5, scale=0.3)
    algorithm = GradientBased(All(), Zeros(), rule, STEPS, unrolled, weights=(1.0,) * STEPS, dropout=False)
    meta = {n: v.clone() for n, v in algorithm.init(Points(), [INFO], seed=0).items()}
    own = {n: v.requires_grad_() for n, v in meta.items() if n.startswith("algorithm.rule.")}

    def gradient(step: int) -> Params:
        grads = algorithm.meta_grad([PROBLEM], meta, [quadratics(step)], step=step, seed=0).grads
        return {name: grads[name] for name in own}

    descend(own, gradient, steps=250)
    learnt = after_ten_steps(rule, {name: value.detach() for name, value in meta.items()})
    tuned = min(after_ten_steps(Sgd(lr=rate), Points().body()) for rate in torch.linspace(0.1, 1.1, 21).tolist())
    start = after_ten_steps(Sgd(lr=0.0), Points().body())
    print(f"start {start:.4f}, tuned gradient descent {tuned:.4f}, the recurrent rule {learnt:.4f}")
    assert tuned < 0.02 * start, "the rate of gradient descent is well tuned"
    assert learnt < 0.5 * tuned


def targets(n: int, steps: int = 12) -> list[Tensor]:
    """Each target moves on at a speed of its own, which one gradient alone does not show."""
    rng = torch.Generator().manual_seed(n)
    start, speed = torch.randn(24, 2, generator=rng), 0.3 * torch.randn(24, 2, generator=rng)
    return [start + speed * t for t in range(steps + 1)]


def followed(rule: Rule, meta: Params, n: int, *, forgets: bool = False) -> Tensor:
    """The mean loss at the *next* target: a step sees where the target is, and is judged where it will be."""
    path = targets(n)
    fast: Params = {"body.x": torch.zeros(24, 2)}
    state = nothing = rule.init(meta, fast)
    losses: list[Tensor] = []
    for t, target in enumerate(path[:-1]):
        away = fast["body.x"] - target
        loss = 0.5 * away.pow(2).sum()
        fast, state = rule.update(meta, fast, {"body.x": away}, loss, nothing if forgets else state, t)
        losses.append(0.5 * (fast["body.x"] - path[t + 1]).pow(2).sum() / 24)
    return torch.stack(losses[2:]).mean()  # the first two tell nobody the speed


def followed_on_held_out(rule: Rule, meta: Params, *, forgets: bool = False) -> float:
    with torch.no_grad():
        return float(torch.stack([followed(rule, meta, n, forgets=forgets) for n in HELD_OUT]).mean())


def trained_to_follow(rule: Recurrent, *, forgets: bool) -> Params:
    own = {n: v.clone().requires_grad_() for n, v in rule.learnt({}, steps=12, seed=0).items()}

    def gradient(step: int) -> Params:
        loss = followed(rule, own, step, forgets=forgets)
        used = [name for name in own if not name.endswith(".head")]
        return dict(zip(used, torch.autograd.grad(loss, [own[name] for name in used]), strict=True))

    descend(own, gradient, steps=200)
    return {name: value.detach() for name, value in own.items()}


@pytest.mark.slow
def test_its_memory_follows_a_target_that_moves():
    rule = Recurrent(lr=0.5, scale=1.0)
    learnt, without = (trained_to_follow(rule, forgets=forgets) for forgets in (False, True))
    ours = followed_on_held_out(rule, learnt)
    print(f"the recurrent rule follows at {ours:.4f}")
    rates = torch.linspace(0.1, 1.9, 19).tolist()
    tuned = min(followed_on_held_out(Sgd(lr=rate), {}) for rate in rates)
    momenta = (Momentum(lr=rate, momentum=m) for rate in rates for m in (0.1, 0.3, 0.5, 0.7))
    assert ours < 0.5 * tuned
    assert ours < min(followed_on_held_out(other, {}) for other in momenta), "momentum has a memory too"
    assert ours < 0.5 * followed_on_held_out(rule, learnt, forgets=True), "the same weights, state put back each step"
    assert ours < 0.5 * followed_on_held_out(rule, without, forgets=True), "trained without a state"
