"""Examples of a task: what is read, and what is to be predicted of it, row by row.

Nothing here knows what a target is: a label, a set of labels, a number, spans of a text or another text.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Sequence, Set
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from metaglot.data.folding import folded_texts
from metaglot.errors import MetaglotError

Target = TypeVar("Target", covariant=True)


@dataclass(frozen=True)
class Inputs:
    """Texts, or pairs of texts, one a row."""

    texts: tuple[str, ...] = ()
    pairs: tuple[str, ...] | None = None  # the second text of each row

    @staticmethod
    def of(texts: Iterable[str], pairs: Iterable[str] | None = None) -> "Inputs":
        """Return the texts, each with its second text if there are any; raise MetaglotError for unlike numbers."""
        whole = Inputs(tuple(texts), None if pairs is None else tuple(pairs))
        if whole.pairs is not None and len(whole.pairs) != len(whole.texts):
            raise MetaglotError(f"{len(whole.texts)} texts but {len(whole.pairs)} second texts; give one for each")
        return whole

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, rows: Iterable[int]) -> "Inputs":
        """Return those in some rows, in the order of the rows."""
        rows = list(rows)
        pairs = None if self.pairs is None else tuple(self.pairs[row] for row in rows)
        return Inputs(tuple(self.texts[row] for row in rows), pairs)

    def plus(self, other: "Inputs") -> "Inputs":
        """Return these and then the others; raise MetaglotError where some are pairs and others are not."""
        if not len(self) or not len(other):
            return self if len(self) else other
        if (self.pairs is None) != (other.pairs is None):
            raise MetaglotError("some examples are pairs and others are not; give examples of one kind")
        pairs = None if self.pairs is None else (*self.pairs, *(other.pairs or ()))
        return Inputs((*self.texts, *other.texts), pairs)

    def rows(self) -> list[tuple[str, str | None]]:
        """Return the text and the second text of each row."""
        seconds: Sequence[str | None] = (None,) * len(self) if self.pairs is None else self.pairs
        return list(zip(self.texts, seconds, strict=True))

    def lengths(self) -> list[int]:
        """Return the characters of each row, those of both texts of a pair."""
        return [len(text) + len(pair or "") for text, pair in self.rows()]

    def folded(self) -> list[str]:
        """Return each row without case and punctuation: rows of one such text count as the same."""
        return folded_texts(self.texts, self.pairs)


@dataclass(frozen=True)
class Examples(Generic[Target]):
    """Inputs, and the target of each."""

    inputs: Inputs = Inputs()
    targets: tuple[Target, ...] = ()

    @staticmethod
    def of(texts: Iterable[str], targets: "Iterable[Target]", pairs: Iterable[str] | None = None) -> "Examples[Target]":
        """Return the texts, or pairs of texts, with their targets; raise MetaglotError for unlike numbers."""
        whole = Examples(Inputs.of(texts, pairs), tuple(targets))
        if len(whole.inputs) != len(whole.targets):
            raise MetaglotError(f"{len(whole.inputs)} texts but {len(whole.targets)} targets; give one for each")
        return whole

    def __len__(self) -> int:
        return len(self.targets)

    def at(self, rows: Iterable[int]) -> "Examples[Target]":
        """Return those in some rows, in the order of the rows."""
        rows = list(rows)
        return Examples(self.inputs.at(rows), tuple(self.targets[row] for row in rows))

    def plus(self, other: "Examples[Target]") -> "Examples[Target]":
        """Return these and then the others; raise MetaglotError where some are pairs and others are not."""
        return Examples(self.inputs.plus(other.inputs), (*self.targets, *other.targets))

    def same(self) -> list[list[int]]:
        """Return the rows in groups: those of one group have the same target and, when folded, the same input.

        Groups come in the order of their first rows.
        """
        groups_by_text: dict[str, list[list[int]]] = {}
        for row, key in enumerate(self.inputs.folded()):
            groups = groups_by_text.setdefault(key, [])
            mine = next((group for group in groups if self.targets[group[0]] == self.targets[row]), None)
            groups.append([row]) if mine is None else mine.append(row)
        return sorted((group for groups in groups_by_text.values() for group in groups), key=lambda group: group[0])

    def distinct(self) -> "Examples[Target]":
        """Return the first example of each group of `same`."""
        return self.at(group[0] for group in self.same())

    def sha256(self) -> str:
        """Return a hash of the examples in their order."""
        pairs = None if self.inputs.pairs is None else list(self.inputs.pairs)
        rows = [list(self.inputs.texts), [_plain(target) for target in self.targets], pairs]
        return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def _plain(target: object) -> object:
    """Return a target as JSON has it: a collection item by item, a set in the order of its items, else its text."""
    if isinstance(target, str) or not isinstance(target, Collection):
        return str(target)
    items = [_plain(item) for item in cast("Collection[object]", target)]
    return sorted(items, key=str) if isinstance(target, Set) else items
