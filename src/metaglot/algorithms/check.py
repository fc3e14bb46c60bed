"""A meta-gradient against finite differences (`differences.py`): ⟨∇L, d⟩ and dL/dd, d of length one.

L is the weighted query loss after the inner loop, computed without any gradient through it, on one episode of random
tokens, in float64 and without dropout.  Networks that cast to fp32 inside are noisy all the same: what may be apart is
then measured.  For an estimate that is not meant to be exact there is nothing to confirm: its cosine with the exact
gradient is printed instead, of all and of each part, since a part of the wrong sign hardly shows in the whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.algorithms.build import AnyAlgorithm
from metaglot.algorithms.cotrained import CoTrained
from metaglot.algorithms.differences import derivative
from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.joint import Joint
from metaglot.algorithms.sequential_reptile import SequentialReptile
from metaglot.algorithms.why_not import why_not
from metaglot.families.classification import Classification
from metaglot.inner import Auto, Recurrent, unrolled
from metaglot.seeds import fold, generator, torch_generator
from metaglot.types import Episode, Learner, Params, Problem, TaskInfo

TOLERANCE = 1e-5  # relative, of an exact gradient along a direction
COARSE = 2e-2  # relative; where noise lets two numbers be farther apart, a direction shows nothing
NOISE = 0.05  # on what is not of the body, whose starts of zeros would hide derivatives
INFO = TaskInfo("synthetic", "synthetic", ("first", "second", "third"), (0, 1, 2))
KINDS = {
    "first-order": "first order: inner gradients count as constants",
    "reptile": "the way back from where the inner loop went, not a gradient of the query loss",
    "implicit": "the gradient at the solution of the inner problem, exact once the inner loop has converged there",
    "finite-differences": "the exact gradient up to finite differences of support gradients",
}
READS = "the exact gradient but for what the recurrent rule reads, which counts as constant"


class Along(NamedTuple):
    """The derivative along one direction."""

    gradient: float  # ⟨∇L, d⟩
    difference: float
    error: float  # relative
    allowed: float  # relative: the tolerance, and what the differences may be wrong by

    @property
    def shows(self) -> bool:
        """Whether a wrong gradient would be seen, for all the noise."""
        return self.allowed <= COARSE


@dataclass(frozen=True)
class Checked:
    """What a check found."""

    estimator: str
    exact: bool
    kind: str
    along: tuple[Along, ...] = ()  # of an exact gradient
    cosine: float | None = None  # with the exact gradient, of an estimate
    cosines: Mapping[str, float] = field(default_factory=dict)  # of each part that the estimate teaches

    @property
    def holds(self) -> bool | None:
        """Whether an exact gradient agrees with the differences; None for an estimate, and where noise hides it."""
        if not self.exact:
            return None
        if any(one.error > one.allowed for one in self.along):
            return False
        return True if any(one.shows for one in self.along) else None


def check_gradient(algorithm: AnyAlgorithm, learner: Learner, *, directions: int = 3, seed: int = 0) -> Checked:
    """Return how the algorithm's meta-gradient compares; the learner's parameters should be float64.

    Raises MetaglotError for choices that are refused.
    """
    algorithm = _still(algorithm)
    episode = synthetic_episode(learner, seed=seed)
    problem = Problem(learner, episode.objective, INFO)
    meta = _noisy(algorithm.init(learner, [INFO], seed=seed), seed)
    grads = algorithm.meta_grad([problem], meta, [episode], step=0, seed=seed).grads
    alone = algorithm.alone if isinstance(algorithm, SequentialReptile) else algorithm
    if isinstance(alone, GradientBased) and (truth := exact_of(alone)) != alone:
        name, kind = alone.estimator.name, KINDS.get(alone.estimator.name, READS)
        if why_not(truth) is not None:
            return Checked(name, exact=False, kind=kind)
        right = truth.meta_grad([problem], meta, [episode], step=0, seed=seed).grads
        return Checked(name, exact=False, kind=kind, cosine=_cosine(grads, right), cosines=cosines(grads, right))

    def judged(at: Params) -> float:
        if isinstance(alone, Joint | CoTrained):
            return alone.loss_in(alone.meta_grad([problem], at, [episode], step=0, seed=seed).records[0])
        return query_loss(alone, problem, at, episode)

    along = tuple(_along(grads, meta, judged, fold(seed, "direction", i)) for i in range(directions))
    name = "plain" if isinstance(alone, Joint | CoTrained) or alone.steps == 0 else alone.estimator.name
    return Checked(name, exact=True, kind="the gradient of the query loss", along=along)


def exact_of(algorithm: GradientBased) -> GradientBased:
    """Return the algorithm with the gradient of its query loss; itself if that is what it has."""
    rule, estimator = algorithm.rule, algorithm.estimator
    return replace(
        algorithm,
        rule=replace(rule, through=True) if isinstance(rule, Recurrent) else rule,
        estimator=estimator if estimator.exact else unrolled,
    )


def query_loss(algorithm: GradientBased, problem: Problem, meta: Params, episode: Episode) -> float:
    """Return Σ_t w_t L(φ_t; query), nats, as its first episode weighs them, without dropout."""
    inner = algorithm.inner._replace(weights=algorithm.weights)
    with torch.no_grad():
        start = inner.start(problem, meta, episode.support, seed=None)
    total = 0.0
    for fast in inner.loop.walk(problem, meta, start, episode.support, seed=None, create_graph=False):
        weight = inner.weight_after(len(fast.trace))
        if weight:  # at once: the next step may update in place
            with torch.no_grad():
                total += weight * float(problem.loss({**meta, **fast.params}, episode.query))
    return total


def synthetic_episode(learner: Learner, *, seed: int, tokens: int = 6) -> Episode:
    """Return three classes, two examples each to learn from and two to be judged on, of random tokens."""
    embedding = learner.embedding
    rows = len(learner.body()[f"body.{embedding.name}"]) if embedding else tokens
    rng, objective = generator(seed, "synthetic"), Classification()

    def part() -> Sequence[dict[str, object]]:
        texts = rng.integers(1, rows, size=(6, tokens))
        return [{"input_ids": [int(t) for t in text], "label": i % 3} for i, text in enumerate(texts)]

    return Episode(INFO, objective, objective.collate(part()), objective.collate(part()))


def _still(algorithm: AnyAlgorithm) -> AnyAlgorithm:
    """Return the algorithm without dropout, at its own estimator from the first episode on; auto is unrolled."""
    if isinstance(algorithm, GradientBased):
        estimator = unrolled if isinstance(algorithm.estimator, Auto) else algorithm.estimator
        return replace(algorithm, dropout=False, warm_up=0, estimator=estimator)
    if isinstance(algorithm, SequentialReptile | CoTrained):
        return replace(algorithm, alone=replace(algorithm.alone, dropout=False))
    return replace(algorithm, dropout=False)


def _noisy(meta: Params, seed: int) -> dict[str, Tensor]:
    own = {name for name in meta if not name.startswith("body.")}
    noise = {n: _random(v, fold(seed, "noise", n)) for n, v in meta.items() if n in own}
    return {
        name: value.double() + NOISE * noise[name] if name in own else value.double() for name, value in meta.items()
    }


def _along(grads: Params, meta: Params, judged: Callable[[Params], float], seed: int) -> Along:
    raw = {name: _random(value, fold(seed, name)) for name, value in meta.items()}
    length = float(torch.stack([value.square().sum() for value in raw.values()]).sum().sqrt())

    def at(distance: float) -> float:
        return judged({name: value + distance / length * raw[name] for name, value in meta.items()})

    gradient = float(torch.stack([(grads[name] * raw[name]).sum() for name in meta]).sum()) / length
    estimate = derivative(at)
    size = max(abs(estimate.value), 1e-12)
    return Along(gradient, estimate.value, abs(gradient - estimate.value) / size, TOLERANCE + estimate.bound / size)


def _random(like: Tensor, seed: int) -> Tensor:
    drawn = torch.randn(like.shape, generator=torch_generator(seed), dtype=torch.float64)
    return drawn.to(like.device)


def cosines(ours: Params, truth: Params) -> dict[str, float]:
    """Return the cosine of two gradients in each part (body, algorithm.rule, …) in which neither is 0."""
    names: dict[str, list[str]] = {}
    for name in truth:
        parts = name.split(".")
        names.setdefault(".".join(parts[: 2 if parts[0] == "algorithm" else 1]), []).append(name)
    each = {part: _cosine({n: ours[n] for n in of}, {n: truth[n] for n in of}) for part, of in names.items()}
    return {part: cosine for part, cosine in each.items() if cosine is not None}


def _cosine(ours: Params, truth: Params) -> float | None:
    both = [(ours[name].flatten(), truth[name].flatten()) for name in truth]
    dot = sum(float(a @ b) for a, b in both)
    sizes = [sum(float(pair[k] @ pair[k]) for pair in both) ** 0.5 for k in (0, 1)]
    return dot / (sizes[0] * sizes[1]) if all(sizes) else None
