"""Labelled sets as sources of tasks: the rows of each class of each task."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple, Protocol

import numpy as np
import pyarrow as pa

from metaglot.data.names import names_of
from metaglot.errors import MetaglotError
from metaglot.seeds import fold, generator
from metaglot.tasks.shape import Shape
from metaglot.tasks.targets import Targets
from metaglot.types import Row, TaskInfo

GROUPS = ("domain", "lang", "split")
NOTHING = np.zeros(0, dtype=np.int64)


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
    """All examples of one task, by class or by another output of its kind."""

    info: TaskInfo
    examples: TokenisedSet
    members: tuple[np.ndarray, ...]  # for each class or label the positions of its examples
    names: tuple[Row | None, ...] = ()  # for each class its name, tokenised; None where the name is no word
    targets: Targets | None = None  # of a kind of task in which an example does not have exactly one class
    unlabelled: np.ndarray = field(default_factory=lambda: NOTHING)  # positions of examples without any label

    def __len__(self) -> int:
        return len(self.positions)

    @cached_property
    def positions(self) -> np.ndarray:
        """The positions of its examples; sorted where one may be of several classes."""
        every = np.concatenate([*self.members, self.unlabelled])
        return every if self.targets is None else np.unique(every)


class Selection(NamedTuple):
    """Which part of a labelled set becomes tasks."""

    group_by: tuple[str, ...] = ()  # of GROUPS: one task for each value
    hashed: tuple[float, float] = (0.0, 1.0)  # keep the groups whose names hash into [low, high)
    languages: tuple[str, ...] = ()  # keep only these, and rows without a language; all if empty
    splits: tuple[str, ...] = ()  # keep only these; all if empty
    domains: tuple[str, ...] = ()  # keep only these; all if empty
    classes: tuple[str, ...] = ()  # keep only these; all if empty
    without: tuple[str, ...] = ()  # classes to leave out
    min_per_class: int = 10  # classes with fewer examples are left out; so are tasks of numbers


def sources_of(examples: TokenisedSet, select: Selection = Selection(), targets: Targets | None = None) -> list[Source]:
    """Return the tasks of a labelled set: one, or one for each group; each has at least two classes.

    Examples have one class each unless `targets` says otherwise.  A task of labels has at least two labels, and one of
    numbers as many examples as a class.  Raises MetaglotError if no task is left, for a class the set lacks, and for a
    column that does not group.
    """
    table, labels = examples.table, outputs_of(examples, targets)
    codes = table.column("label").to_numpy(zero_copy_only=False)
    chosen = _class_numbers(examples.name, labels, select)
    keep = (
        np.isin(codes, chosen)
        if targets is None
        else np.array([target is not None for target in targets.of], dtype=bool)
    )
    keep &= _row_mask(examples, "lang", select.languages, or_null=True)
    keep &= _row_mask(examples, "split", select.splits, or_null=False)
    keep &= _row_mask(examples, "domain", select.domains, or_null=False)
    least = 2 if targets is None or targets.family.each else 1
    sources: list[Source] = []
    for group, rows in _groups_in_part(_groups(table, select.group_by, keep), select, examples.name):
        by_class = _by_code(codes, rows) if targets is None else enumerate(targets.members(rows))
        members = [
            (c, rows_of_class)
            for c, rows_of_class in by_class
            if c in chosen and len(rows_of_class) >= select.min_per_class
        ]
        if len(members) >= least:
            name = f"{examples.name}/{group}" if group else examples.name
            info = TaskInfo(name, examples.name, tuple(labels[c] for c, _ in members), tuple(c for c, _ in members))
            unlabelled = NOTHING if targets is None else targets.unlabelled(rows)
            info = info if targets is None else replace(info, family=targets.family.name)
            sources.append(
                Source(
                    info,
                    examples,
                    tuple(rows_of_class for _, rows_of_class in members),
                    targets=targets,
                    unlabelled=unlabelled,
                )
            )
    if not sources:
        raise MetaglotError(_nothing_left(examples, select, targets, len(labels)))
    return sources


def outputs_of(examples: TokenisedSet, targets: Targets | None) -> tuple[str, ...]:
    """Return the classes of a set, or the outputs of its kind of task."""
    return examples.labels if targets is None else targets.outputs


def _by_code(codes: np.ndarray, rows: np.ndarray) -> list[tuple[int, np.ndarray]]:
    return [(int(c), rows[codes[rows] == c]) for c in np.unique(codes[rows])]


def _nothing_left(examples: TokenisedSet, select: Selection, targets: Targets | None, count: int) -> str:
    rows, least = examples.table.num_rows, select.min_per_class
    if targets is not None and not targets.family.each:
        return (
            f"{examples.name}: no task is left: it needs at least {least} examples (min_per_class) within the chosen "
            f"languages, splits, domains and groups (the set has {rows} rows)"
        )
    nouns = "classes" if targets is None else f"{targets.family.each.removeprefix('a ')}s"
    return (
        f"{examples.name}: no task is left: it needs at least two {nouns} of {least} examples each "
        f"(min_per_class) within the chosen languages, splits, domains and classes "
        f"(it has {count} {nouns} in {rows} rows)"
    )


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


def with_names(
    source: Source, own_words: Mapping[str, str], encode: Callable[[Sequence[str]], Sequence[Row]]
) -> Source:
    """Return the source with the names of its classes as rows of tokens, where the names are words.

    `own_words` gives words for labels that are no words; `encode` tokenises.  Raises MetaglotError for a label that
    the set does not have.
    """
    labels = outputs_of(source.examples, source.targets)
    unknown = sorted(set(own_words) - set(labels))
    if unknown:
        classes = ", ".join(labels[:20])
        raise MetaglotError(f"{source.examples.name}: no class {unknown[0]!r} to be named; it has {classes}")
    if source.targets is not None and any(source.targets.family.alone(label) is None for label in labels):
        return source
    # Names are made from all labels of the set, so that a name does not depend on the choice of classes.
    words = dict(zip(labels, names_of(labels, own_words), strict=True))
    label_words = [words[label] for label in source.info.labels]
    rows = iter(encode([word for word in label_words if word]))
    return replace(source, names=tuple(next(rows) if word else None for word in label_words))


def names_in(source: Source, shape: Shape, chosen: Sequence[int], rng: np.random.Generator) -> list[Row]:
    """Return the names of the chosen classes for an episode with names; else an empty list."""
    if not shape.named or rng.random() >= shape.named or not source.names:
        return []
    rows = [source.names[number] for number in chosen]
    return [] if None in rows else [row for row in rows if row is not None]


def split_classes(source: Source, shares: Sequence[float], *, seed: int) -> list[Source]:
    """Return parts of a source without a common class: classes are shuffled by `seed` and divided by `shares`.

    Raises MetaglotError if a part would have fewer than two classes.
    """
    count = len(source.members)
    order = generator(seed, "split", source.info.name).permutation(count)
    edges = np.round(np.cumsum([0.0, *shares]) / sum(shares) * count).astype(int)
    parts = [_with_classes(source, sorted(order[start:end])) for start, end in pairwise(edges)]
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


def _class_numbers(name: str, labels: Sequence[str], select: Selection) -> list[int]:
    wanted = select.classes or labels
    unknown = sorted({*select.classes, *select.without} - set(labels))
    if unknown:
        raise MetaglotError(f"{name}: no class {unknown[0]!r}; it has {', '.join(labels[:20])}")
    return [i for i, label in enumerate(labels) if label in wanted and label not in select.without]


def _groups_in_part(
    groups: Sequence[tuple[str, np.ndarray]], select: Selection, name: str
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the groups whose names hash into the chosen part of [0, 1), the same on every machine."""
    low, high = select.hashed
    if (low, high) != (0.0, 1.0) and not select.group_by:
        raise MetaglotError(f"{name}: `hashed` chooses groups by their names; name the column too (group_by)")
    for group, rows in groups:
        if low <= fold(0, "group", group) / 2**63 < high:
            yield group, rows


def _row_mask(examples: TokenisedSet, column: str, wanted: Sequence[str], *, or_null: bool) -> np.ndarray:
    table = examples.table
    if not wanted or column not in table.column_names:
        return np.ones(len(table), dtype=bool)
    values = table.column(column).to_pylist()
    present = sorted({str(value) for value in values if value is not None})
    if unknown := sorted(set(wanted) - set(present)):
        raise MetaglotError(f"{examples.name}: no {column} {unknown[0]!r}; there are {', '.join(present[:20])}")
    return np.array([(or_null and value is None) or value in wanted for value in values], dtype=bool)


def _groups(table: pa.Table, columns: Sequence[str], keep: np.ndarray) -> list[tuple[str, np.ndarray]]:
    rows = np.flatnonzero(keep)
    unknown = [column for column in columns if column not in GROUPS or column not in table.column_names]
    if unknown:
        raise MetaglotError(f"cannot group by {unknown[0]!r}; use {' or '.join(GROUPS)}")
    if not columns:
        return [("", rows)]
    values = [table.column(column).to_pylist() for column in columns]
    keys = np.array(
        ["/".join(str(value_list[i]) for value_list in values if value_list[i] is not None) for i in rows], dtype=object
    )
    return [(str(key), rows[keys == key]) for key in sorted(set(keys))]
