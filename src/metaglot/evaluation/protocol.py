"""What is evaluated: tasks with their draws, and the grid of cells.

A cell is a task, a shot, a draw and a method.  Support and queries of a cell depend on nothing but the task, the
shot, the draw and the seed: every method sees the same.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from metaglot.data.arguments import check_all, check_is, check_text, check_whole
from metaglot.data.by_domain import drawn, kind_of_tables, tables_of
from metaglot.data.draws import Draws
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.evaluation.kinds import CLASSES, draws_by, targets_in
from metaglot.families.choose import family_called
from metaglot.families.family import AnyFamily
from metaglot.seeds import fold


@dataclass(frozen=True)
class TaskSet:
    """A task to evaluate on: a table of text, text_pair and label, and the rule that draws from it."""

    name: str
    table: pa.Table
    draws: Draws
    left_out: tuple[int, ...] | None = None  # rows that are never queries; None: nobody looked for such rows
    family: AnyFamily = CLASSES  # its kind

    @classmethod
    def load(
        cls,
        source: str | Path,
        *,
        name: str | None = None,
        mapping: Mapping[str, str] | None = None,
        seed: int = 0,
        encoding: str | None = None,
        task: str | None = None,
    ) -> "TaskSet":
        """Return the task in whatever `read_table` reads, named after its file, with random draws by `seed`.

        `task` is its kind, a key of `choices.FAMILIES`; what its labels look like if absent.
        Raises MetaglotError when it cannot be read as a labelled table, and for arguments of another type.
        """
        if task is not None:
            family_called(check_text("task", task))
        name, seed = None if name is None else check_text("name", name), check_whole("seed", seed)
        (found,) = cls.load_all(source, mapping=mapping, seed=seed, encoding=encoding, task=task)
        return found if name is None else replace(found, name=name)

    @classmethod
    def load_all(
        cls,
        source: str | Path,
        *,
        mapping: Mapping[str, str] | None = None,
        seed: int = 0,
        encoding: str | None = None,
        task: str | None = None,
        by_domain: bool = False,
    ) -> "list[TaskSet]":
        """Return the one task of a file, or with `by_domain` a task for each domain from which can be drawn.

        Raises MetaglotError as `load` does, and where no domain can be drawn from.
        """
        tables = tables_of(source, mapping=mapping, encoding=encoding, task=task, by_domain=by_domain)
        family = family_called(task or kind_of_tables(tables))
        found = drawn(source, tables, lambda table: draws_by(table, family, seed=seed))
        return [cls(name, table, draws, family=family) for name, (table, draws) in found.items()]

    def sample(self, count: int) -> Inputs:
        """Return at most `count` inputs, spread evenly over the table."""
        return _inputs(self.table.take(list(range(0, len(self.table), -(-len(self.table) // count)))))

    @cached_property
    def targets(self) -> list[Any]:
        """The target of each row of the table; None for a row without one."""
        return targets_in(self.table, self.family)

    def support(self, shot: int, draw: int) -> Examples[Any]:
        """Return support number `draw`, counted from 0, of `shot` examples of each group that shots count.

        Raises MetaglotError for a draw or shot that fixed draws lack.
        """
        fixed = self.draws.draws
        if fixed and draw >= len(fixed):
            raise MetaglotError(
                f"{self.name}: {draw + 1} draws asked for, and its file fixes {len(fixed)}. Ask for at most that many."
            )
        return self.examples(self.draws.support(shot, fixed[draw] if fixed else draw))

    def has(self, shot: int, draw: int) -> bool:
        """Whether there is support number `draw`, counted from 0, of this shot: fixed draws may lack some of a shot."""
        fixed = self.draws.draws
        return not fixed or (draw < len(fixed) and fixed[draw] in self.draws.draws_at(shot))

    def queries(self, n: int, seed: int) -> np.ndarray:
        """Return the positions of at most n queries, sorted; without what is left out, and else the same first ones.

        Raises MetaglotError where no query is left.
        """
        if not self.left_out:
            return self.draws.queries(n, seed)
        smaller = n
        while True:  # the first n + k of the seeded order are a subset of the first n + k + 1
            found = self.draws.queries(smaller, seed)
            kept = found[~np.isin(found, self.left_out)]
            if len(kept) >= n or len(found) < smaller:
                break
            smaller += n - len(kept)
        if not len(kept):
            raise MetaglotError(
                f"{self.name}: every query stands among the training texts of the model; leave the task out, or judge "
                "it without --exclude-overlap"
            )
        return kept

    def examples(self, rows: np.ndarray) -> Examples[Any]:
        """Return the examples at these positions of the table."""
        return Examples(_inputs(self.table.take(pa.array(rows))), tuple(self.targets[row] for row in rows))

    def fingerprint(self) -> str:
        """Return a hash of the task's texts, labels, draws columns and rows left out."""
        digest = hashlib.blake2b(digest_size=8)
        for name in ("text", "text_pair", "label", "split", "part", "shot", "draw"):
            if name in self.table.column_names:
                digest.update(repr((name, self.table[name].to_pylist())).encode())
        if self.left_out:
            digest.update(repr(self.left_out).encode())
        if not self.family.exclusive:
            digest.update(repr(self.family.name).encode())
        return digest.hexdigest()


class Limit(NamedTuple):
    """How much less of a plan a method gets, since it is dear."""

    shots: tuple[int, ...] | None = None  # these alone
    draws: int | None = None  # at most
    without: frozenset[str] = frozenset()  # tasks


class Plan(NamedTuple):
    """How much is evaluated."""

    shots: Sequence[int]  # support examples of each group that shots count: of a class, of a label, or in all
    draws: int  # supports for each shot
    queries: int  # at most, for each task
    seed: int
    limits: tuple[tuple[str, Limit], ...] = ()  # (method, how much less)


def check_plan(plan: object) -> Plan:
    """Return a plan of whole numbers; raise MetaglotError for anything else, and for one that asks for nothing."""
    given = check_is("plan", plan, Plan, "a Plan(shots=…, draws=…, queries=…, seed=…)")
    shots = [check_whole("plan.shots", shot) for shot in check_all("plan.shots", given.shots, object, "numbers")]
    limits = tuple(check_all("plan.limits", given.limits, tuple, "pairs of the name of a method and a Limit"))
    counts = {name: check_whole(f"plan.{name}", getattr(given, name)) for name in ("draws", "queries")}
    bad = [f"shots {shot}" for shot in shots if shot < 1] + ([] if shots else ["no shots"])
    bad += [f"{name} {value}" for name, value in counts.items() if value < 1]
    if bad:
        raise MetaglotError(f"Shots, draws and queries must each be 1 or more; got {', '.join(bad)}.")
    return given._replace(shots=shots, limits=limits, seed=check_whole("plan.seed", given.seed), **counts)


class Cell(NamedTuple):
    """One fit to be judged."""

    task: str
    shot: int
    draw: int
    method: str


def cells(tasks: Sequence[str], methods: Sequence[str], plan: Plan) -> Iterator[Cell]:
    """Yield every cell, draw by draw, so that an evaluation that is cut short is balanced."""
    limits = dict(plan.limits)
    for draw in range(plan.draws):
        for task in tasks:
            for shot in plan.shots:
                for method in methods:
                    if _within(limits.get(method, Limit()), task, shot, draw):
                        yield Cell(task, shot, draw, method)


def _within(limit: Limit, task: str, shot: int, draw: int) -> bool:
    shots = limit.shots is None or shot in limit.shots
    return shots and (limit.draws is None or draw < limit.draws) and task not in limit.without


def query_rows(task_set: TaskSet, plan: Plan) -> np.ndarray:
    """Return the positions of the queries that a plan judges on."""
    return task_set.queries(plan.queries, fold(plan.seed, "queries", task_set.name))


def unique(task_sets: Sequence[TaskSet]) -> dict[str, TaskSet]:
    """Return the tasks by name.

    Raises MetaglotError when there are none, or two of one name.
    """
    by_name = {task_set.name: task_set for task_set in task_sets}
    if not by_name or len(by_name) < len(task_sets):
        names = ", ".join(task_set.name for task_set in task_sets) or "none"
        raise MetaglotError(
            f"Tasks need distinct names, and at least one is needed; got: {names}. A task is named after "
            "its file: rename one of them, or name each file once."
        )
    return by_name


def _inputs(table: pa.Table) -> Inputs:
    pairs = table["text_pair"].to_pylist() if "text_pair" in table.column_names else []
    none = all(pair is None for pair in pairs)
    return Inputs.of(map(str, table["text"].to_pylist()), None if none else [str(pair or "") for pair in pairs])
