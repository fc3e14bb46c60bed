"""Leakage: which rows of an evaluation a run has seen in meta-training, and which class names.

`leakage.json` in the output folder holds a `Leakage`, or one for each of several models; `read_leakages` gives them
back.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import numpy as np
from pydantic import Field, TypeAdapter

from metaglot.data.cache import write_whole
from metaglot.data.checked import Stored, faults, read_stored
from metaglot.data.folding import folded
from metaglot.data.jsonfile import FAULTS, read_raw
from metaglot.data.rawfiles import is_there
from metaglot.data.seen import Found, Seen, find_seen
from metaglot.errors import MetaglotError
from metaglot.evaluation.protocol import Plan, TaskSet, query_rows

LEAKAGE = "leakage.json"
FORMAT = 1
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_NUMBER = re.compile(r"[+-]?[\d.,]+")


Count = Annotated[int, Field(ge=0, le=1 << 60)]


class Counts(NamedTuple):
    """Rows, and how many of them stand among the training texts."""

    rows: Count
    exact: Count  # after folding case, punctuation and white space
    near: Count  # lightly edited copies, the exact ones not counted again

    @property
    def seen(self) -> int:
        """Rows that stand there either way."""
        return self.exact + self.near


@dataclass(frozen=True)
class TaskLeakage:
    """What a run has seen of one task."""

    task: str
    queries: Counts  # those judged on
    pool: Counts  # those that the judged ones are drawn from, before any are excluded
    support: Counts  # distinct rows of the supports drawn
    excluded: Count  # rows of the pool left out of the queries for their overlap
    classes: Count  # of the task, or labels; none where it has numbers
    named: Count  # classes with a name; a bare number such as "0" or "-1" is none
    shared: tuple[str, ...]  # named classes of which a training set has one of the same name (folded)
    sets: Mapping[str, Count]  # training set -> rows of pool and support that stand in it, most first


@dataclass(frozen=True)
class Leakage:
    """What a run has seen of the tasks it is evaluated on."""

    model: str
    known: bool  # False: the model names no training text, and `tasks` is empty
    texts: Count  # training texts whose hashes the run keeps
    excluded: bool  # whether overlapping rows were left out of the queries
    tasks: tuple[TaskLeakage, ...]
    near: bool = True  # whether edited copies were looked for: a shrunk run knows whole texts alone


class _Written(Stored):
    """The number of the format of `leakage.json`, and whether it is of several models."""

    format: int
    models: list[Any] | None = None


@dataclass(frozen=True)
class _Several:
    models: tuple[Leakage, ...]


_ONE, _SEVERAL = TypeAdapter(Leakage), TypeAdapter(_Several)


class Overlap(NamedTuple):
    """Which rows of some tasks stand among the texts of a run; `seen` is None where nothing is known of those."""

    seen: Seen | None
    found: Mapping[str, Found]  # by task, for the rows of its table

    def leakage(self, model: str, task_sets: Sequence[TaskSet], plan: Plan) -> Leakage:
        """Return what the run has seen of each task under a plan that can be drawn."""
        excluded = any(task_set.left_out is not None for task_set in task_sets)
        if self.seen is None:
            return Leakage(model, known=False, texts=0, excluded=excluded, tasks=())
        tasks = tuple(_leaked(self.seen, task_set, self.found[task_set.name], plan) for task_set in task_sets)
        return Leakage(model, True, self.seen.texts, excluded, tasks, near=self.seen.near)


def overlap_of(seen: Seen | None, task_sets: Sequence[TaskSet]) -> Overlap:
    """Return for each task which rows of its table stand among the training texts."""
    found = {task_set.name: find_seen(seen, task_set.table) for task_set in task_sets} if seen else {}
    return Overlap(seen, found)


def without_overlap(task_sets: Sequence[TaskSet], overlap: Overlap) -> list[TaskSet]:
    """Return the tasks with queries that stand among the training texts left out; supports stay as they are.

    Rows that are left out already stay so.  Raises MetaglotError for a task that has no other queries.
    """
    less: list[TaskSet] = []
    for task_set in task_sets:
        pool = task_set.draws.queries(task_set.table.num_rows, 0)
        left_out = {int(row) for row in pool[overlap.found[task_set.name].any[pool]]}
        less.append(replace(task_set, left_out=tuple(sorted(left_out.union(task_set.left_out or ())))))
        less[-1].queries(1, 0)
    return less


def class_name(label: str) -> str:
    """Return a label as a name: camel case parted, folded; nothing for a bare number, which names no class."""
    name = folded(_CAMEL.sub(" ", label))
    return "" if _NUMBER.fullmatch(label.strip()) else name


def grown(leakage: Leakage, before: Leakage | None, tasks: Collection[str]) -> Leakage:
    """Return the leakage with what `before` said of others of the `tasks`, if it is of the same model."""
    if before is None or (before.model, before.texts) != (leakage.model, leakage.texts):
        return leakage
    now = {task.task for task in leakage.tasks}
    earlier = (task for task in before.tasks if task.task in tasks and task.task not in now)
    return replace(leakage, tasks=(*earlier, *leakage.tasks))


def write_leakage(out: Path, *leakages: Leakage) -> None:
    """Write `leakage.json` into the folder `out`, of one model or of several."""
    plain = [{"format": FORMAT, **_plain(leakage)} for leakage in leakages]
    whole: dict[str, Any] = plain[0] if len(plain) == 1 else {"format": FORMAT, "models": plain}
    write_whole(out / LEAKAGE, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")


def read_leakages(path: str | Path) -> list[Leakage]:
    """Return what `leakage.json` says (or that of the folder that holds it) of each model; nothing without the file.

    Raises MetaglotError for a file that is not one.
    """
    file = Path(path) / LEAKAGE if Path(path).is_dir() else Path(path)
    if not is_there(file):
        return []
    way_out = "remove the file, and `metaglot evaluate` writes it anew"
    written = read_stored(file, _Written, way_out)
    if written.format != FORMAT:
        raise MetaglotError(f"{file}: of format {written.format}, and this version reads {FORMAT}; {way_out}")
    try:
        raw = read_raw(file)
        if written.models is None:
            return [_ONE.validate_json(raw, strict=True)]
        return list(_SEVERAL.validate_json(raw, strict=True).models)
    except FAULTS as error:
        raise MetaglotError(f"{file}: damaged ({faults(error)}); {way_out}") from error


def _plain(leakage: Leakage) -> dict[str, Any]:
    plain = asdict(leakage)
    for shown, task in zip(plain["tasks"], leakage.tasks, strict=True):
        shown |= {"queries": task.queries._asdict(), "pool": task.pool._asdict(), "support": task.support._asdict()}
    return plain


def _leaked(seen: Seen, task_set: TaskSet, found: Found, plan: Plan) -> TaskLeakage:
    pool = task_set.draws.queries(task_set.table.num_rows, 0)
    drawn = [task_set.draws.support(shot, draw) for shot in plan.shots for draw in _draws(task_set, plan, shot)]
    support = np.unique(np.concatenate(drawn))
    hits = found.sets[np.union1d(pool, support)].sum(axis=0)
    order = [int(i) for i in np.argsort(-hits, kind="stable") if hits[i]]
    taught = {class_name(label) for one in seen.sets for label in one.labels}
    labels = task_set.draws.labels if task_set.family.each else ()  # a number has no name
    named = [label for label in labels if class_name(label)]
    return TaskLeakage(
        task=task_set.name,
        queries=_counts(found, query_rows(task_set, plan)),
        pool=_counts(found, pool),
        support=_counts(found, support),
        excluded=len(task_set.left_out or ()),
        classes=len(labels),
        named=len(named),
        shared=tuple(label for label in named if class_name(label) in taught),
        sets={seen.sets[i].name: int(hits[i]) for i in order},
    )


def _draws(task_set: TaskSet, plan: Plan, shot: int) -> Sequence[int]:
    fixed = task_set.draws.draws[: plan.draws]
    there = task_set.draws.draws_at(shot)
    return [draw for draw in fixed if draw in there] if fixed else range(plan.draws)


def _counts(found: Found, rows: np.ndarray) -> Counts:
    return Counts(len(rows), int(found.exact[rows].sum()), int(found.near[rows].sum()))
