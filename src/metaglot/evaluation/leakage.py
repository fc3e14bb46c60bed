"""Leakage: the rows and the class names of an evaluation that a run has seen in meta-training.

`leakage.json` in the output folder holds a `Leakage`, or one for each of several models; `read_leakages` reads them.
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
    """A number of rows, and how many of them are training texts."""

    rows: Count
    exact: Count  # after folding case, punctuation and white space
    near: Count  # slightly edited copies, without the exact ones

    @property
    def seen(self) -> int:
        """Rows that are training texts, exactly or nearly."""
        return self.exact + self.near


@dataclass(frozen=True)
class TaskLeakage:
    """The overlap of one task with the training data of a run."""

    task: str
    queries: Counts  # the queries of the plan
    pool: Counts  # the rows that queries are drawn from, before any are excluded
    support: Counts  # the different rows of all support sets
    excluded: Count  # rows of the pool that are no queries because of their overlap
    classes: Count  # classes or labels of the task; 0 for numbers
    named: Count  # classes with a name; a number such as "0" or "-1" is no name
    shared: tuple[str, ...]  # classes whose name (folded) is that of a class in a training set
    sets: Mapping[str, Count]  # training set -> rows of pool and support that are in it, most first


@dataclass(frozen=True)
class Leakage:
    """The overlap of the tasks of an evaluation with the training data of a run."""

    model: str
    known: bool  # False: the model has no hashes of training texts, and `tasks` is empty
    texts: Count  # training texts whose hashes the run keeps
    excluded: bool  # whether overlapping rows were left out of the queries
    tasks: tuple[TaskLeakage, ...]
    near: bool = True  # whether edited copies were found too: a shrunk run keeps hashes of whole texts only


class _StoredLeakage(Stored):
    """The format number of `leakage.json`, and the models if there are several."""

    format: int
    models: list[Any] | None = None


@dataclass(frozen=True)
class _StoredLeakages:
    models: tuple[Leakage, ...]


_ONE, _SEVERAL = TypeAdapter(Leakage), TypeAdapter(_StoredLeakages)


class Overlap(NamedTuple):
    """Which rows of tasks are training texts of a run; `seen` is None where the run has no hashes of its texts."""

    seen: Seen | None
    found: Mapping[str, Found]  # by task, for the rows of its table

    def leakage(self, model: str, task_sets: Sequence[TaskSet], plan: Plan) -> Leakage:
        """Return the leakage of the tasks under a plan."""
        excluded = any(task_set.left_out is not None for task_set in task_sets)
        if self.seen is None:
            return Leakage(model, known=False, texts=0, excluded=excluded, tasks=())
        tasks = tuple(_task_leakage(self.seen, task_set, self.found[task_set.name], plan) for task_set in task_sets)
        return Leakage(model, True, self.seen.texts, excluded, tasks, near=self.seen.near)


def overlap_of(seen: Seen | None, task_sets: Sequence[TaskSet]) -> Overlap:
    """Return for each task the rows of its table that are training texts."""
    matches = {task_set.name: find_seen(seen, task_set.table) for task_set in task_sets} if seen else {}
    return Overlap(seen, matches)


def without_overlap(task_sets: Sequence[TaskSet], overlap: Overlap) -> list[TaskSet]:
    """Return the tasks without queries that are training texts; support sets stay the same.

    Rows that are left out already stay left out.  Raises MetaglotError for a task that has no other queries.
    """
    kept_tasks: list[TaskSet] = []
    for task_set in task_sets:
        pool = task_set.draws.queries(task_set.table.num_rows, 0)
        left_out = {int(row) for row in pool[overlap.found[task_set.name].any[pool]]}
        kept_tasks.append(replace(task_set, left_out=tuple(sorted(left_out.union(task_set.left_out or ())))))
        kept_tasks[-1].queries(1, 0)
    return kept_tasks


def class_name(label: str) -> str:
    """Return a label as a name: camel case split into words, folded; "" for a number, which is no name."""
    name = folded(_CAMEL.sub(" ", label))
    return "" if _NUMBER.fullmatch(label.strip()) else name


def merge_leakage(leakage: Leakage, earlier: Leakage | None, tasks: Collection[str]) -> Leakage:
    """Return the leakage with that of the other `tasks` in an earlier leakage, if both are of the same model."""
    if earlier is None or (earlier.model, earlier.texts) != (leakage.model, leakage.texts):
        return leakage
    current = {task.task for task in leakage.tasks}
    earlier_tasks = (task for task in earlier.tasks if task.task in tasks and task.task not in current)
    return replace(leakage, tasks=(*earlier_tasks, *leakage.tasks))


def write_leakage(out: Path, *leakages: Leakage) -> None:
    """Write `leakage.json` into the folder `out`, of one model or of several."""
    records = [{"format": FORMAT, **_plain(leakage)} for leakage in leakages]
    content: dict[str, Any] = records[0] if len(records) == 1 else {"format": FORMAT, "models": records}
    write_whole(out / LEAKAGE, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def read_leakages(path: str | Path) -> list[Leakage]:
    """Return the leakage of each model in `leakage.json`, a file or the one in a folder; [] without the file.

    Raises MetaglotError for a file of another form.
    """
    file = Path(path) / LEAKAGE if Path(path).is_dir() else Path(path)
    if not is_there(file):
        return []
    way_out = "remove the file, and `metaglot evaluate` writes it anew"
    header = read_stored(file, _StoredLeakage, way_out)
    if header.format != FORMAT:
        raise MetaglotError(f"{file}: of format {header.format}, and this version reads {FORMAT}; {way_out}")
    try:
        raw = read_raw(file)
        if header.models is None:
            return [_ONE.validate_json(raw, strict=True)]
        return list(_SEVERAL.validate_json(raw, strict=True).models)
    except FAULTS as error:
        raise MetaglotError(f"{file}: damaged ({faults(error)}); {way_out}") from error


def _plain(leakage: Leakage) -> dict[str, Any]:
    record = asdict(leakage)
    for task_record, task in zip(record["tasks"], leakage.tasks, strict=True):
        task_record |= {
            "queries": task.queries._asdict(),
            "pool": task.pool._asdict(),
            "support": task.support._asdict(),
        }
    return record


def _task_leakage(seen: Seen, task_set: TaskSet, matches: Found, plan: Plan) -> TaskLeakage:
    pool = task_set.draws.queries(task_set.table.num_rows, 0)
    supports = [task_set.draws.support(shot, draw) for shot in plan.shots for draw in _draws(task_set, plan, shot)]
    support = np.unique(np.concatenate(supports))
    hits = matches.sets[np.union1d(pool, support)].sum(axis=0)
    order = [int(number) for number in np.argsort(-hits, kind="stable") if hits[number]]
    training_names = {class_name(label) for training_set in seen.sets for label in training_set.labels}
    labels = task_set.draws.labels if task_set.family.each else ()  # a number has no name
    named_labels = [label for label in labels if class_name(label)]
    return TaskLeakage(
        task=task_set.name,
        queries=_counts(matches, query_rows(task_set, plan)),
        pool=_counts(matches, pool),
        support=_counts(matches, support),
        excluded=len(task_set.left_out or ()),
        classes=len(labels),
        named=len(named_labels),
        shared=tuple(label for label in named_labels if class_name(label) in training_names),
        sets={seen.sets[number].name: int(hits[number]) for number in order},
    )


def _draws(task_set: TaskSet, plan: Plan, shot: int) -> Sequence[int]:
    fixed = task_set.draws.draws[: plan.draws]
    present = task_set.draws.draws_at(shot)
    return [draw for draw in fixed if draw in present] if fixed else range(plan.draws)


def _counts(matches: Found, rows: np.ndarray) -> Counts:
    return Counts(len(rows), int(matches.exact[rows].sum()), int(matches.near[rows].sum()))
