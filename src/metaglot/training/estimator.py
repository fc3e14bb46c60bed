"""The estimator `auto` becomes unrolled, mixed or adjoint, once a run, by what they need and what memory is free.

All are exact, and the more graphs are kept the quicker.  They differ by rounding, so the choice is part of what makes a
run the same run: it is recorded in the run folder, and a run that goes on keeps it whatever memory is free by then.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from metaglot.algorithms.gradient_based import GradientBased
from metaglot.inner import Adjoint, Auto, Estimator, unrolled
from metaglot.models.scopes import HeadOnly
from metaglot.training.memory import free_memory
from metaglot.training.need import EpisodeSize, Need, measured
from metaglot.training.ranks import Ranks
from metaglot.types import Algorithm, Episode, Learner, TaskDistribution

SHARE = 0.7  # of the free memory that a choice may fill; the rest is for what is not counted, and for others
DRAWN = 4  # episodes looked at for one to measure


class Choice(NamedTuple):
    """An algorithm whose estimator is settled."""

    algorithm: Algorithm
    note: str = ""  # a line for the user; nothing where there was nothing to choose
    record: Mapping[str, Any] | None = None  # for the run folder


def settled(
    algorithm: Algorithm,
    learner: Learner,
    tasks: TaskDistribution,
    episode_size: EpisodeSize,
    *,
    record: Mapping[str, Any] | None = None,
    freeze: Sequence[str] = (),
    free: int | None = None,
    processes: int = 1,
) -> Choice:
    """Return the algorithm with its estimator chosen, where it is `auto`; by an earlier choice if `record` holds one.

    `freeze` are the patterns of the body that are not meta-learnt; `free` is in bytes, and measured if absent; so
    many `processes` share it.
    """
    if not isinstance(algorithm, GradientBased) or not isinstance(algorithm.estimator, Auto):
        return Choice(algorithm)
    if algorithm.steps == 0 or isinstance(algorithm.scope, HeadOnly) or algorithm.proximal:
        return Choice(replace(algorithm, estimator=unrolled))  # its graphs are small, or no other one will do
    if record is not None:
        estimator = _called(record)
        return Choice(
            replace(algorithm, estimator=estimator), f"estimator: {_name(estimator)}, as this run began", record
        )
    need = measured(algorithm, learner, _episode(tasks, learner), episode_size, freeze=freeze)
    free = free_memory(learner.device) if free is None else free
    free = None if free is None else free // (processes if learner.device.type == "cpu" else 1)
    estimator, note = choose(need, free)
    choice_record: dict[str, Any] = {
        "name": estimator.name,
        "keep": estimator.keep if isinstance(estimator, Adjoint) else None,
    }
    choice_record |= {"unrolled_bytes": need.kept(need.steps) + need.held, "free_bytes": free}
    return Choice(replace(algorithm, estimator=estimator), f"estimator: {note}", choice_record)


def settled_by_first(
    settle: Callable[[Mapping[str, Any] | None], Choice], record: Mapping[str, Any] | None, ranks: Ranks
) -> Choice:
    """Return what `settle` makes of an earlier choice, or of that of rank 0: memory may look otherwise to each rank."""
    choice = settle(record) if ranks.first else None
    first = ranks.of_first(None if choice is None or choice.record is None else dict(choice.record))
    return settle(first) if choice is None else choice


def choose(need: Need, free: int | None) -> tuple[Estimator, str]:
    """Return the quickest estimator that fits, and the choice in words."""
    whole = need.kept(need.steps) + need.held
    if free is None:
        return unrolled, f"unrolled, which needs about {_size(whole)}; how much memory is free is unknown here"
    room = SHARE * free - need.held
    if need.kept(need.steps) <= room:
        return unrolled, f"unrolled, which needs about {_size(whole)} of the {_size(free)} that are free"
    keep = next((k for k in range(need.steps - 1, 0, -1) if need.kept(k) <= room), 0)
    estimator = Adjoint(keep=keep)
    why = f"{_name(estimator)}, because unrolled needs about {_size(whole)} and {_size(free)} are free"
    least = need.kept(keep)
    if least > room:
        why += (
            f"; it needs about {_size(least + need.held)} itself, which may not do: lower episodes.max_support or "
            "model.max_length, or set model.checkpointing"
        )
    return estimator, why


def earlier(described: Mapping[str, Any], *, trained: bool) -> Mapping[str, Any] | None:
    """Return the choice that a run's model.json records; unrolled for a run trained before choices were recorded."""
    record = described.get("estimator")
    if isinstance(record, Mapping):
        return record
    return {"name": "unrolled", "keep": None} if trained else None


def _episode(tasks: TaskDistribution, learner: Learner) -> Episode:
    """Return one of a few episodes, that with the most texts."""
    drawn = [tasks(0, n, {}) for n in range(DRAWN)]
    most = max(drawn, key=lambda episode: episode.support["input_ids"].shape[0])
    return most.to(learner.device)


def _called(record: Mapping[str, Any]) -> Estimator:
    return unrolled if record.get("name") == "unrolled" else Adjoint(keep=int(record.get("keep") or 0))


def _name(estimator: Estimator) -> str:
    kept = estimator.keep if isinstance(estimator, Adjoint) else 0
    return f"{estimator.name} with {kept} of the graphs kept" if kept else estimator.name


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e8 else f"{count / 1e6:.0f} MB"
