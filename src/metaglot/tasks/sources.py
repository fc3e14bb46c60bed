"""Labelled sets as sources of tasks: which rows belong to which class of which task."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from metaglot.data.names import names_of
from metaglot.errors import MetaglotError
from metaglot.seeds import generator
from metaglot.types import Row, TaskInfo

GROUPS = ("domain", "lang", "split")


class TokenisedSet(Protocol):
    """Tokenised examples on disk (`data.store.TextSet`)."""

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def labels(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def table(self) -> pa.Table: ...  # noqa: D102
    def rows(self, indices: Sequence[int] | np.ndarray) -> Sequence[Row]: ...  # noqa: D102


@dataclass(frozen=True)
class Source:
    """One task, whole: its examples by class."""

    info: TaskInfo
    examples: TokenisedSet
    members: tuple[np.ndarray, ...]  # for each class the positions of its examples
    names: tuple[Row | None, ...] = ()  # for each class its name, tokenised; None where the name says nothing

    def __len__(self) -> int:
        return sum(len(m) for m in self.members)


class Selection(NamedTuple):
    """Which part of a labelled set becomes tasks."""

    group_by: tuple[str, ...] = ()  # of GROUPS: one task for each value
    languages: tuple[str, ...] = ()  # keep these only (rows without a language stay); all if empty
    splits: tuple[str, ...] = ()  # keep these only; all if empty
    domains: tuple[str, ...] = ()  # keep these only; all if empty
    classes: tuple[str, ...] = ()  # keep these only; all if empty
    without: tuple[str, ...] = ()  # classes to leave out
    min_per_class: int = 10  # classes with fewer examples are left out


def sources_of(examples: TokenisedSet, select: Selection = Selection()) -> list[Source]:
    """Return the tasks of a labelled set: one, or one for each group; each has at least two classes.

    Raises MetaglotError if no task is left, for a class the set lacks, and for a column that does not group.
    """
    table, labels = examples.table, examples.labels
    codes = table.column("label").to_numpy(zero_copy_only=False)
    keep = codes >= 0
    keep &= np.isin(codes, _class_numbers(examples, select))
    keep &= _among(examples, "lang", select.languages, or_null=True)
    keep &= _among(examples, "split", select.splits, or_null=False)
    keep &= _among(examples, "domain", select.domains, or_null=False)
    sources: list[Source] = []
    for group, rows in _groups(table, select.group_by, keep):
        found = [(c, rows[codes[rows] == c]) for c in np.unique(codes[rows])]
        found = [(int(c), m) for c, m in found if len(m) >= select.min_per_class]
        if len(found) >= 2:
            name = f"{examples.name}/{group}" if group else examples.name
            info = TaskInfo(name, examples.name, tuple(labels[c] for c, _ in found), tuple(c for c, _ in found))
            sources.append(Source(info, examples, tuple(m for _, m in found)))
    if not sources:
        raise MetaglotError(
            f"{examples.name}: no task is left: it needs at least two classes of {select.min_per_class} examples each "
            "(min_per_class) within the chosen languages, splits, domains and classes "
            f"(it has {len(labels)} classes in {len(codes)} rows)"
        )
    return sources


def source_by_code(
    examples: TokenisedSet, codes: np.ndarray, names: Sequence[str], *, name: str, min_per_class: int = 10
) -> Source:
    """Return a task whose classes are the codes ≥ 0 of the examples; `names` has a name for each code.

    Raises MetaglotError unless two codes have `min_per_class` examples each.
    """
    order = np.argsort(codes, kind="stable")
    found, starts = np.unique(codes[order], return_index=True)
    members = np.split(order, starts[1:])
    kept = [(int(c), m) for c, m in zip(found, members, strict=True) if c >= 0 and len(m) >= min_per_class]
    if len(kept) < 2:
        raise MetaglotError(
            f"{name}: {len(kept)} classes have {min_per_class} examples, and a task needs two; give more text, or ask "
            "for fewer examples a class"
        )
    info = TaskInfo(name, name, tuple(names[c] for c, _ in kept), tuple(c for c, _ in kept))
    return Source(info, examples, tuple(m for _, m in kept))


def named(source: Source, said: Mapping[str, str], encode: Callable[[Sequence[str]], Sequence[Row]]) -> Source:
    """Return a source that knows the names of its classes, where they say something.

    `said` has words for labels that have none, `encode` tokenises.  Raises MetaglotError for words of a label that the
    set lacks.
    """
    unknown = sorted(set(said) - set(source.examples.labels))
    if unknown:
        known = ", ".join(source.examples.labels[:20])
        raise MetaglotError(f"{source.examples.name}: no class {unknown[0]!r} to be named; it has {known}")
    # Of all labels of the set, so that a name does not depend on which classes were chosen.
    words = dict(zip(source.examples.labels, names_of(source.examples.labels, said), strict=True))
    mine = [words[label] for label in source.info.labels]
    rows = iter(encode([one for one in mine if one]))
    return replace(source, names=tuple(next(rows) if one else None for one in mine))


def split_classes(source: Source, shares: Sequence[float], *, seed: int) -> list[Source]:
    """Return class-disjoint parts of a source, the classes shuffled by `seed` and cut by `shares`.

    Raises MetaglotError if a part would have fewer than two classes.
    """
    count = len(source.members)
    order = generator(seed, "split", source.info.name).permutation(count)
    edges = np.round(np.cumsum([0.0, *shares]) / sum(shares) * count).astype(int)
    parts = [_with_classes(source, sorted(order[a:b])) for a, b in pairwise(edges)]
    small = [len(part.members) for part in parts if len(part.members) < 2]
    if small:
        raise MetaglotError(
            f"{source.info.name}: {count} classes cannot be cut by {list(shares)}: a part would have {small[0]}"
        )
    return parts


def split_sets(sources: Sequence[Source], held_out: Sequence[str]) -> tuple[list[Source], list[Source]]:
    """Return (training, held-out) sources, disjoint by data set; raise MetaglotError for an unknown name."""
    known = {source.info.dataset for source in sources}
    unknown = sorted(set(held_out) - known)
    if unknown:
        raise MetaglotError(f"cannot hold out {', '.join(unknown)}: the sets are {', '.join(sorted(known))}")
    return (
        [s for s in sources if s.info.dataset not in held_out],
        [s for s in sources if s.info.dataset in held_out],
    )


def _with_classes(source: Source, chosen: Sequence[int]) -> Source:
    info = source.info
    labels, classes = tuple(info.labels[i] for i in chosen), tuple(info.classes[i] for i in chosen)
    return replace(
        source,
        info=replace(info, labels=labels, classes=classes),
        members=tuple(source.members[i] for i in chosen),
        names=tuple(source.names[i] for i in chosen) if source.names else (),
    )


def _class_numbers(examples: TokenisedSet, select: Selection) -> list[int]:
    wanted = select.classes or examples.labels
    unknown = sorted({*select.classes, *select.without} - set(examples.labels))
    if unknown:
        raise MetaglotError(f"{examples.name}: no class {unknown[0]!r}; it has {', '.join(examples.labels[:20])}")
    return [i for i, label in enumerate(examples.labels) if label in wanted and label not in select.without]


def _among(examples: TokenisedSet, column: str, wanted: Sequence[str], *, or_null: bool) -> np.ndarray:
    table = examples.table
    if not wanted or column not in table.column_names:
        return np.ones(len(table), dtype=bool)
    values = table.column(column).to_pylist()
    there = sorted({str(value) for value in values if value is not None})
    if unknown := sorted(set(wanted) - set(there)):
        raise MetaglotError(f"{examples.name}: no {column} {unknown[0]!r}; there are {', '.join(there[:20])}")
    return np.array([(or_null and v is None) or v in wanted for v in values], dtype=bool)


def _groups(table: pa.Table, columns: Sequence[str], keep: np.ndarray) -> list[tuple[str, np.ndarray]]:
    rows = np.flatnonzero(keep)
    unknown = [c for c in columns if c not in GROUPS or c not in table.column_names]
    if unknown:
        raise MetaglotError(f"cannot group by {unknown[0]!r}; use {' or '.join(GROUPS)}")
    if not columns:
        return [("", rows)]
    values = [table.column(c).to_pylist() for c in columns]
    keys = np.array(["/".join(str(v[i]) for v in values if v[i] is not None) for i in rows], dtype=object)
    return [(str(key), rows[keys == key]) for key in sorted(set(keys))]
