"""A training run on disk: loop, validation, goal, checkpoints, metrics; yields events for whoever watches."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from pydantic import TypeAdapter

from metaglot.data.cache import write_whole
from metaglot.data.checkpoints import Damaged, put_aside
from metaglot.data.locks import writing
from metaglot.data.rawfiles import is_there, read_bytes
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY, Metric
from metaglot.models.averaging import averaged
from metaglot.models.sharded import Sharded
from metaglot.training.checkpoint import clean, latest, load_newest, save
from metaglot.training.combine import Combine, mean
from metaglot.training.loop import Optimisation, train
from metaglot.training.ranks import ALONE, Ranks
from metaglot.training.spreading import spread_state, whole_state
from metaglot.training.state import State, initial_state, with_heads
from metaglot.training.validation import Goal, HeldOutText, Validation, held_out_text, validate
from metaglot.types import Algorithm, Learner, Params, Record, TaskDistribution

OF_TOKENS = ("loss", "perplexity", "accuracy")  # of text, which are written by other names, or not at all
SPENT = "run_cpu_seconds"  # in the record of a step: what the run spent so far
_RECORD = TypeAdapter(dict[str, float | int | str])

Loop = Callable[..., Iterator[tuple[State, Record]]]
Kind = Literal["damaged", "start", "step", "validation", "saved", "end"]
Reason = Literal["done", "goal", "budget", "interrupted"]


class Event(NamedTuple):
    """What happened in a run."""

    kind: Kind
    state: State
    record: Record
    reason: Reason | None = None  # of the end


@dataclass(frozen=True)
class Plan:
    """Everything a run needs, built."""

    learner: Learner
    algorithm: Algorithm
    train: TaskDistribution
    validation: TaskDistribution | None
    optimisation: Optimisation
    validate: Validation
    goal: Goal | None = None
    cpu_minutes: float | None = None  # budget of the whole process; the schedule still counts in steps
    began: float | None = None  # `time.process_time()` from which on it counts; that of the call of `run` if None
    save_every: int = 200
    keep: int = 2
    seed: int = 0
    freeze: tuple[str, ...] = ()
    heads: Params = field(default_factory=dict)  # that tasks share, as the model has learnt them already
    combine: Combine = mean
    metric: Metric = ACCURACY  # the primary one of the validation tasks
    text: HeldOutText | None = None  # held-out text, for the loss of the plain objective
    average_with_base: float = 0.0  # share of the base model in the weights that are tested, and later loaded
    ranks: Ranks = ALONE  # the processes that train together; all are given the same plan, but for their place
    loop: Loop | None = None  # in the place of `train`, with its arguments but for `ranks`

    @property
    def judged(self) -> bool:
        """Whether anything is kept aside to be judged on."""
        return self.validation is not None or self.text is not None

    @property
    def watched(self) -> tuple[Metric, ...]:
        """The metrics that whoever waits looks at: the primary one, and that of the goal if it is another."""
        goal = self.goal.metric if self.goal is not None else self.metric
        own = () if self.text is None else [m for m in self.text.measures if not m.name.endswith(OF_TOKENS)]
        return tuple(dict.fromkeys((self.metric, goal, *own)))


def run(plan: Plan, folder: Path, *, stop: Callable[[], bool] = lambda: False) -> Iterator[Event]:
    """Train in `folder`, from its newest checkpoint if it has one, and yield events; the last one is `end`.

    `stop()` is asked after every step; once true, the state is saved and the run ends as interrupted.
    Of several ranks rank 0 reads and writes the folder, all yield the same events, and a stop asked of one stops all.
    Raises MetaglotError where another process trains there.
    """
    ranks = plan.ranks
    with ranks.guard(), writing(folder) if ranks.first else nullcontext():
        yield from _run(plan, folder, lambda: any(ranks.exchange(stop())))


def _run(plan: Plan, folder: Path, stop: Callable[[], bool]) -> Iterator[Event]:
    state, damaged = _begin(plan, folder)
    for one in damaged:
        aside = put_aside(one.folder)
        yield Event(
            "damaged", state, {"step": state.step, "checkpoint": str(one.folder), "why": one.why, "now": str(aside)}
        )
    spent = _Spent(plan, _spent_before(plan, folder, state))
    metrics = Metrics(folder / "metrics.jsonl", upto=state.step) if plan.ranks.first else Unwritten()
    yield Event("start", state, {"step": state.step})
    if state.step == 0 and plan.judged:
        state, event = _validate(plan, state, metrics, spent)
        yield event
    if reason := _ends(plan, state, stop(), over=spent.over(state)):
        if plan.ranks.of_first(latest(folder) is None):
            yield _saved(plan, state, folder)
        yield Event("end", state, {"step": state.step}, reason)
        return
    goal = state.goal
    steps = plan.loop or partial(train, ranks=plan.ranks)
    for after, record in steps(
        state, plan.train, plan.algorithm, plan.learner, plan.optimisation, combine=plan.combine
    ):
        spent.elsewhere(float(record.get("workers_cpu_seconds", 0.0)))
        state = replace(after, goal=goal, cpu_seconds=spent.seconds())
        record = {**record, SPENT: round(state.cpu_seconds, 2)}
        metrics.write({"kind": "step", **record})
        yield Event("step", state, record)
        over = spent.over(state)
        if plan.judged and (over or state.step % plan.validate.every == 0):
            state, event = _validate(plan, state, metrics, spent)
            goal = state.goal
            yield event
        reason = _ends(plan, state, stop(), over=over)
        if reason or state.step % plan.save_every == 0:
            yield _saved(plan, state, folder)
        if reason:
            yield Event("end", state, record, reason)
            return


def _saved(plan: Plan, state: State, folder: Path) -> Event:
    """Save the state, on rank 0; the others wait, so that an error of the last save reaches them too."""
    whole = whole_state(state, plan.ranks)
    if plan.ranks.first:
        save(whole, folder, keep=plan.keep)
    plan.ranks.exchange("saved")
    return Event("saved", state, {"step": state.step})


class Unwritten:
    """The metrics of a rank that writes none, because rank 0 does."""

    def write(self, record: Mapping[str, float | int | str]) -> None:
        """Do nothing."""


class Metrics:
    """`metrics.jsonl`: one record a line, appended and flushed; lines after a resumed step are dropped."""

    def __init__(self, path: Path, *, upto: int) -> None:
        self._path = path
        kept = [line for line in read_metrics(path) if upto > 0 and int(line.get("step", 0)) <= upto]
        write_whole(path, "".join(json.dumps(line) + "\n" for line in kept), lasting=len(kept) > 0)

    def write(self, record: Mapping[str, float | int | str]) -> None:
        """Append a record."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(record)) + "\n")


def read_metrics(path: Path) -> list[dict[str, float | int | str]]:
    """Return the records of a metrics file; what is none is left out (`metrics_note` says which)."""
    return _records(path)[0]


def metrics_note(path: Path) -> str | None:
    """Return a note on the lines of a metrics file that are no records, such as a torn last one; None if all are."""
    wrong = _records(path)[1]
    if not wrong:
        return None
    lines = (
        f"line {wrong[0]} is no record" if len(wrong) == 1 else f"{len(wrong)} lines are no records, first {wrong[0]}"
    )
    return f"{path}: {lines} and left out; the others are kept"


def _records(path: Path) -> tuple[list[dict[str, float | int | str]], list[int]]:
    """Return the records of a metrics file, and the numbers of the lines that are none."""
    if not is_there(path):
        return [], []
    records = {number: _record(line) for number, line in enumerate(read_bytes(path).split(b"\n"), start=1) if line}
    whole = [record for record in records.values() if record is not None]
    return whole, [number for number, record in records.items() if record is None]


def _record(line: bytes) -> dict[str, float | int | str] | None:
    try:
        record = _RECORD.validate_json(line, strict=True)
    except ValueError:
        return None
    return record if isinstance(record.get("step", 0), int) else None


def _begin(plan: Plan, folder: Path) -> tuple[State, list[Damaged]]:
    """Return the state to go on from, which rank 0 reads, and the checkpoints after it that are damaged."""
    if plan.ranks.first:
        clean(folder)
        state, damaged = _newest(plan, folder)
    else:
        state, damaged = _fresh(plan), []
    return spread_state(state, plan.ranks, plan.learner.device, _parts(plan)), damaged


def _newest(plan: Plan, folder: Path) -> tuple[State, list[Damaged]]:
    # A divided body is read whole by rank 0 alone, and not to where it would be run.
    device = torch.device("cpu") if _parts(plan) else plan.learner.device
    saved, damaged = load_newest(folder, device=device)
    state = _fresh(plan)
    if saved is None:
        return state, []
    if {n: v.shape for n, v in saved.params.items()} != {n: v.shape for n, v in state.params.items()}:
        found = folder / "checkpoints" / f"step-{saved.step}"
        raise MetaglotError(f"{found}: the checkpoint is of another model, algorithm or set of data; use another --out")
    # In the order of a fresh run: the order of sums is part of what makes a resume exact.
    return replace(saved, params={name: saved.params[name] for name in state.params}), damaged


def _parts(plan: Plan) -> Params:
    """Return this rank's parts of a divided body, if it is learnt."""
    return plan.learner.parts if isinstance(plan.learner, Sharded) else {}


def _fresh(plan: Plan) -> State:
    state = initial_state(plan.algorithm, plan.learner, plan.train.tasks, seed=plan.seed, freeze=plan.freeze)
    return with_heads(state, plan.heads)


def _spent_before(plan: Plan, folder: Path, state: State) -> float:
    """Return the CPU seconds of earlier calls, those of steps after the checkpoint too, which are taken again."""
    records = read_metrics(folder / "metrics.jsonl") if plan.ranks.first else []
    noted = [float(value) for record in records if isinstance(value := record.get(SPENT), int | float)]
    return plan.ranks.of_first(max([state.cpu_seconds, *noted]))


class _Spent:
    """The CPU seconds of a run: those of earlier calls, and of all ranks since `plan.began`."""

    def __init__(self, plan: Plan, earlier: float) -> None:
        self._plan, self._earlier = plan, earlier
        self._began = time.process_time() if plan.began is None else plan.began
        self._validation = 0.0  # seconds of the last one; what the one at the end will take

    def seconds(self) -> float:
        """Return all that was spent so far: loading, tokenising and validation are in it."""
        return self._earlier + self._of_all(time.process_time() - self._began)

    def elsewhere(self, seconds: float) -> None:
        """Take note of what workers spent that are no ranks."""
        self._earlier += seconds

    def validated(self, seconds: float) -> None:
        """Take note of what a validation cost this rank."""
        self._validation = self._of_all(seconds)

    def _of_all(self, own: float) -> float:
        return sum(self._plan.ranks.exchange(own))

    def over(self, state: State) -> bool:
        """Return whether the steps are done, or the budget but for a last validation."""
        minutes = float("inf") if self._plan.cpu_minutes is None else self._plan.cpu_minutes
        reserve = self._validation if state.step else 0.0
        return state.step >= self._plan.optimisation.steps or state.cpu_seconds + reserve >= 60 * minutes


def _validate(plan: Plan, state: State, metrics: Metrics | Unwritten, spent: _Spent) -> tuple[State, Event]:
    began = time.process_time()
    scores: dict[str, float] = {}
    learner = plan.learner
    meta = averaged({**learner.body(), **learner.language_head()}, state.params, plan.average_with_base)
    if plan.validation is not None:
        scores |= validate(
            plan.algorithm, learner, meta, plan.validation, episodes=plan.validate.episodes, ranks=plan.ranks
        )
    if plan.text is not None:
        scores |= held_out_text(learner, meta, plan.text, ranks=plan.ranks)
    spent.validated(time.process_time() - began)
    # Before the first step nothing counts yet: a run takes one step, whatever loading took.
    state = replace(state, cpu_seconds=spent.seconds()) if state.step else state
    record = {"kind": "validation", "step": state.step, **scores, "cpu_seconds": round(state.cpu_seconds, 2)}
    metrics.write(record)
    state = replace(state, goal={**scores, "step": float(state.step)})
    return state, Event("validation", state, record)


def _ends(plan: Plan, state: State, stopped: bool, *, over: bool) -> Reason | None:
    if plan.goal is not None and state.goal and plan.goal.met(state.goal):
        return "goal"
    if over:
        return "budget" if plan.goal is not None else "done"
    return "interrupted" if stopped else None
