"""Leakage: which rows of an evaluation a run has seen in meta-training, and which class names.

`leakage.json` in the output folder holds a `Leakage`; `read_leakage` gives it back.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from metaglot.errors import MetaglotError

LEAKAGE = "leakage.json"
FORMAT = 1


class Counts(NamedTuple):
    """Rows, and how many of them stand among the training texts."""

    rows: int
    exact: int  # after folding case, punctuation and white space
    near: int  # lightly edited copies, the exact ones not counted again

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
    excluded: int  # rows of the pool left out of the queries for their overlap
    classes: int  # of the task
    named: int  # classes with a name; a bare number such as "0" or "-1" is none
    shared: tuple[str, ...]  # named classes of which a training set has one of the same name (folded)
    sets: Mapping[str, int]  # training set -> rows of pool and support that stand in it, most first


@dataclass(frozen=True)
class Leakage:
    """What a run has seen of the tasks it is evaluated on."""

    model: str
    known: bool  # False: the model names no training text, and `tasks` is empty
    texts: int  # training texts whose hashes the run keeps
    excluded: bool  # whether overlapping rows were left out of the queries
    tasks: tuple[TaskLeakage, ...]


def write_leakage(out: Path, leakage: Leakage) -> None:
    """Write `leakage.json` into the folder `out`."""
    plain: dict[str, Any] = {"format": FORMAT, **asdict(leakage)}
    for shown, task in zip(plain["tasks"], leakage.tasks, strict=True):
        shown |= {"queries": task.queries._asdict(), "pool": task.pool._asdict(), "support": task.support._asdict()}
    part = out / f".{LEAKAGE}.part"
    part.write_text(json.dumps(plain, indent=1, ensure_ascii=False) + "\n", "utf-8")
    part.replace(out / LEAKAGE)


def read_leakage(path: str | Path) -> Leakage | None:
    """Return what `leakage.json` says (or that of the folder that holds it); None where there is none.

    Raises MetaglotError for a file that is not one.
    """
    file = Path(path) / LEAKAGE if Path(path).is_dir() else Path(path)
    if not file.is_file():
        return None
    try:
        plain = json.loads(file.read_text("utf-8"))
        tasks = tuple(_task(one) for one in plain["tasks"])
        return Leakage(str(plain["model"]), bool(plain["known"]), int(plain["texts"]), bool(plain["excluded"]), tasks)
    except (ValueError, KeyError, TypeError) as error:
        raise MetaglotError(f"{file}: damaged ({error}); remove it, `metaglot evaluate` writes it anew") from error


def _task(plain: Mapping[str, Any]) -> TaskLeakage:
    return TaskLeakage(
        task=str(plain["task"]),
        queries=Counts(**plain["queries"]),
        pool=Counts(**plain["pool"]),
        support=Counts(**plain["support"]),
        excluded=int(plain["excluded"]),
        classes=int(plain["classes"]),
        named=int(plain["named"]),
        shared=tuple(plain["shared"]),
        sets=dict(plain["sets"]),
    )
