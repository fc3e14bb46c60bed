"""Texts with their twins, as rows of batches: a sentence twice, sentences side by side, or pairs of a corpus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.tasks.sources import TokenisedSet
from metaglot.tasks.text import Sentences
from metaglot.types import Row


@dataclass(frozen=True)
class Twins:
    """Pairs of texts by position; batches of them are drawn as blocks of text are (`tasks/plain.py`)."""

    first: TokenisedSet
    second: TokenisedSet
    places: np.ndarray  # [n, 2], in the first and in the second

    def __len__(self) -> int:
        return len(self.places)

    def rows(self, indices: Sequence[int] | np.ndarray) -> list[Row]:
        """Return the first texts of the pairs, then the second ones, in the same order."""
        first, second = self.places[np.asarray(indices, dtype=np.int64)].T
        return [_tokens(row) for row in (*self.first.rows(first), *self.second.rows(second))]


def same_twice(sentences: Sentences) -> Twins:
    """Return each sentence as its own twin, which dropout makes different."""
    every = np.arange(len(sentences.document))
    return Twins(sentences.examples, sentences.examples, np.stack([every, every], axis=1))


def neighbours(sentences: Sentences) -> Twins:
    """Return each sentence with the one after it in its document.

    Raises MetaglotError where no document has two sentences.
    """
    first = np.flatnonzero(sentences.document[1:] == sentences.document[:-1])
    if not len(first):
        raise MetaglotError(f"{sentences.examples.name}: no document has two sentences; give longer texts")
    return Twins(sentences.examples, sentences.examples, np.stack([first, first + 1], axis=1))


def _tokens(row: Row) -> Row:
    return {name: row[name] for name in ("input_ids", "token_type_ids") if name in row}
