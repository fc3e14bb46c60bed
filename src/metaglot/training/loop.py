"""The training loop, as a generator: episodes → meta-gradients → one optimiser step."""

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from statistics import fmean

import torch
from torch import Tensor

from metaglot.choices import OBJECTIVES
from metaglot.errors import MetaglotError
from metaglot.families.language import with_perplexity
from metaglot.models.detection import DETECTION
from metaglot.models.heads.shared import SHARED
from metaglot.models.parts import is_part
from metaglot.seeds import fold
from metaglot.tasks.learning import LearnsFromModel
from metaglot.tasks.weights import weights_of
from metaglot.training.among import Among
from metaglot.training.balance import after_step, weight_of
from metaglot.training.combine import Combine, mean
from metaglot.training.feed import feed
from metaglot.training.ranks import ALONE, Ranks, gathering
from metaglot.training.schedule import Schedule, factor
from metaglot.training.shares import Facts, Shares, facts_of, shares
from metaglot.training.spreading import clipped
from metaglot.training.state import State
from metaglot.types import (
    Algorithm,
    Episode,
    Learner,
    MetaGrad,
    Params,
    Problem,
    Record,
    TaskDistribution,
)

HEADS = ("heads.", SHARED, DETECTION)
IN_BODY = ("algorithm.lora.", "algorithm.warp.")
"""What the algorithm learns that multiplies or adds to weights of the body; at the rates of scalars it falls apart."""


@dataclass(frozen=True)
class Optimisation:
    """The outer optimiser: AdamW with warm-up, schedule and clipping."""

    steps: int = 1000
    meta_batch: int = 4  # episodes a step
    lr: float = 5e-5  # of the body, and of matrices that act in it (IN_BODY)
    head_lr: float = 1e-3  # of persistent heads, of those that the tasks of a kind share, of generator and detector
    algorithm_lr: float = 1e-2  # of what the algorithm itself learns (scales, rates)
    warmup: int = 50  # steps
    schedule: Schedule = "cosine"
    weight_decay: float = 0.01  # of weight matrices
    clip: float | None = 1.0  # joint norm of the meta-gradient
    balance: bool = False  # whether losses of unlike kinds are put on one scale (`balance.py`)


def train(
    state: State,
    distribution: TaskDistribution,
    algorithm: Algorithm,
    learner: Learner,
    optimisation: Optimisation,
    *,
    combine: Combine = mean,
    ranks: Ranks = ALONE,
) -> Iterator[tuple[State, Record]]:
    """Yield the state and a record after each step, from `state` on until `optimisation.steps` are done.

    Every draw is a function of (state.seed, step), so that a run continued from a saved state is the same run.
    Each of several `ranks` yields the same, but for the times.
    Raises MetaglotError where a gradient is not finite, before it spoils the parameters, and for the state of an
    asynchronous run that has gradients left to find.
    """
    if state.pending:
        raise MetaglotError(
            f"the checkpoint of step {state.step} is of an asynchronous run, with {len(state.pending)} gradients that "
            "no step has used; go on with --on ray"
        )
    optimiser = make_optimiser(state, optimisation)
    plan = shares(ranks, optimisation.meta_batch, together=algorithm.together)
    with feed(distribution, fold(state.seed, "train"), optimisation.meta_batch, own=plan.own) as source:
        while state.step < optimisation.steps:
            began, wall = time.process_time(), time.perf_counter()
            state = refreshed(state, distribution, learner)
            episodes, waited = source.step(state.step, state.snapshot)
            facts = plan.every([facts_of(episode) for episode in episodes])
            weights = weights_of([fact.plain for fact in facts])
            found = _meta_grads(state, episodes, algorithm, learner, plan, weights, balance=optimisation.balance)
            among = Among(ranks, plan.gradients, state.params)
            state, numbers = take_step(state, found, facts, distribution, optimiser, optimisation, combine, among)
            spent = time.process_time() - began
            state = replace(state, cpu_seconds=state.cpu_seconds + spent)
            passed = {"cpu_seconds": spent, "seconds": time.perf_counter() - wall, "waited_seconds": waited}
            yield state, {**numbers, **{name: round(value, 4) for name, value in passed.items()}}


def take_step(
    state: State,
    found: Iterable[MetaGrad],
    facts: Sequence[Facts],
    distribution: TaskDistribution,
    optimiser: torch.optim.AdamW,
    optimisation: Optimisation,
    combine: Combine,
    among: Among,
) -> tuple[State, Record]:
    """Return the state after the step that weighted gradients make, and what is worth logging; the optimiser moves.

    `facts` are of all episodes of the step.
    """
    merged, combined = combine(found, state.combine, among)
    if optimisation.balance:
        combined = after_step(combined, [fact.kind for fact in facts], merged.records)
    norm = _apply(optimiser, state, merged, optimisation, among.ranks)
    after = replace(
        state,
        step=state.step + 1,
        moments=moments_of(optimiser, state.params),
        snapshot=distribution.update(state.snapshot, merged.records),
        combine=combined,
    )
    means = _means(merged.records, weights_of([fact.plain for fact in facts]))
    tokens = sum(fact.tokens for fact in facts)
    return after, {
        "step": after.step,
        **means,
        "grad_norm": norm,
        "lr": optimiser.param_groups[0]["lr"],
        "tokens": tokens,
    }


def make_optimiser(state: State, optimisation: Optimisation) -> torch.optim.AdamW:
    """Return AdamW over the state's parameters (in place), with its moments put back."""
    groups: dict[tuple[float, bool, bool], list[Tensor]] = {}  # those of a divided body apart
    for name, value in state.params.items():
        decays = value.ndim > 1 and not name.startswith("algorithm.")
        groups.setdefault((_base_rate(name, optimisation), decays, is_part(value)), []).append(value)
    optimiser = torch.optim.AdamW(
        [
            {"params": values, "lr": lr, "base_lr": lr, "weight_decay": optimisation.weight_decay if decays else 0.0}
            for (lr, decays, _), values in groups.items()
        ],
        fused=next(iter(state.params.values())).device.type != "mps",
    )
    for key, value in state.moments.items():
        kind, name = key.split(".", 1)
        param = state.params[name]
        # A fused optimiser counts its steps where the parameter is.
        optimiser.state[param][kind] = value.to(param.device) if optimiser.defaults["fused"] else value
    return optimiser


def moments_of(optimiser: torch.optim.AdamW, params: Params) -> dict[str, Tensor]:
    """Return the optimiser's state as `exp_avg.<parameter>`, `exp_avg_sq.<parameter>`, `step.<parameter>`."""
    return {
        f"{kind}.{name}": value
        for name, param in params.items()
        for kind, value in optimiser.state[param].items()
        if isinstance(value, Tensor)
    }


def refreshed(state: State, distribution: TaskDistribution, learner: Learner) -> State:
    """Return the state with the snapshot of a sampler that reads the model, where its time has come.

    The snapshot is a function of the parameters and the step: a run that goes on from here makes the same again.
    """
    if not isinstance(distribution, LearnsFromModel) or state.step % distribution.every:
        return state
    return replace(state, snapshot=distribution.refresh(state.snapshot, learner, state.params, step=state.step))


def _meta_grads(
    state: State,
    episodes: Sequence[Episode],
    algorithm: Algorithm,
    learner: Learner,
    plan: Shares,
    weights: Sequence[float],
    *,
    balance: bool,
) -> Iterator[MetaGrad]:
    """Yield the gradients that are this rank's; `weights` are of all episodes of the step."""
    for at in range(0, len(episodes), plan.size):
        here = episodes[at : at + plan.size]
        number = plan.own[at]  # of the first of them, in the step
        meta_grad = gradient(
            algorithm, learner, state.params, here, n=state.step * plan.episodes + number, seed=state.seed
        )
        kind = here[0].objective.name
        yield meta_grad if algorithm.together else weighted(meta_grad, state, kind, weights[number], balance=balance)


def gradient(
    algorithm: Algorithm, learner: Learner, params: Params, episodes: Sequence[Episode], *, n: int, seed: int
) -> MetaGrad:
    """Return the meta-gradient of these episodes, of which the first is number `n` of a run with this seed."""
    here = [episode.to(learner.device) for episode in episodes]
    problems = [Problem(learner, episode.objective, episode.task) for episode in here]
    with gathering(learner):
        return algorithm.meta_grad(problems, params, here, step=n, seed=fold(seed, "dropout"))


def weighted(meta_grad: MetaGrad, state: State, kind: str, weight: float, *, balance: bool) -> MetaGrad:
    """Return the gradient of an episode of a kind as it counts in the mean over the step, in which it has a weight."""
    return _scaled(meta_grad, weight * (weight_of(state.combine, kind, meta_grad.records[0]) if balance else 1.0))


def _scaled(meta_grad: MetaGrad, weight: float) -> MetaGrad:
    """Return the gradient as it counts in the mean over the episodes of the step."""
    if weight == 1:
        return meta_grad
    return meta_grad._replace(grads={name: weight * grad for name, grad in meta_grad.grads.items()})


def _apply(
    optimiser: torch.optim.AdamW, state: State, merged: MetaGrad, optimisation: Optimisation, ranks: Ranks
) -> float:
    """Take one step in place and return the norm of the gradient before clipping."""
    for name, value in state.params.items():
        value.grad = merged.grads[name]
    limit = float("inf") if optimisation.clip is None else optimisation.clip
    norm = clipped(list(state.params.values()), limit, ranks)
    if not torch.isfinite(norm):
        tasks = ", ".join(sorted({str(record.get("task")) for record in merged.records}))
        raise MetaglotError(
            f"step {state.step + 1}: the meta-gradient is not finite (tasks: {tasks}); nothing was changed since the "
            "last checkpoint on disk. Lower the rates (training.lr, or lr of the algorithm) and start again"
        )
    scale = factor(state.step, steps=optimisation.steps, warmup=optimisation.warmup, schedule=optimisation.schedule)
    for group in optimiser.param_groups:
        group["lr"] = group["base_lr"] * scale
    optimiser.step()
    optimiser.zero_grad()
    return float(norm)


def _base_rate(name: str, optimisation: Optimisation) -> float:
    if name.startswith(HEADS):
        return optimisation.head_lr
    own = name.startswith("algorithm.") and not name.startswith(IN_BODY)
    return optimisation.algorithm_lr if own else optimisation.lr


def _means(records: Sequence[Record], weights: Sequence[float]) -> dict[str, float]:
    """Return the weighted mean of each number over the records that have it, apart for each kind of loss.

    A perplexity is that of the mean loss.
    """
    float_records = [{_kind(r) + k: v for k, v in r.items() if isinstance(v, float)} for r in records]
    names = dict.fromkeys(name for numbers in float_records for name in numbers)
    means: dict[str, float] = {}
    for name in names:
        having = [(numbers[name], w) for numbers, w in zip(float_records, weights, strict=True) if name in numbers]
        values, counts = zip(*having, strict=True)
        means[name] = fmean(values, counts) if any(counts) else fmean(values)
    return with_perplexity(means)


def _kind(record: Record) -> str:
    """Return a prefix for numbers of the plain objective, and of language modelling that was adapted to."""
    if "plain" in record:
        return "plain_"
    return "domain_" if record.get("family") in OBJECTIVES else ""
