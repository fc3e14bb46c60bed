"""The forms of raw text that task distributions use; `data.sentences`, `data.occurrences`, `data.blocks` make them."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from metaglot.tasks.sources import TokenisedSet
from metaglot.types import Objective, Row


class Sentences(Protocol):
    """Tokenised sentences, in the order of the corpus."""

    @property
    def examples(self) -> TokenisedSet: ...  # noqa: D102
    @property
    def document(self) -> np.ndarray: ...  # [n]  # noqa: D102
    @property
    def domain(self) -> np.ndarray: ...  # [n], -1 where there is none  # noqa: D102
    @property
    def domains(self) -> tuple[str, ...]: ...  # noqa: D102


class Words(Protocol):
    """An index of words: which sentences hold each word, and where."""

    @property
    def words(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def counts(self) -> np.ndarray: ...  # [W] sentences that hold the word  # noqa: D102
    def sentences(self, word: int) -> np.ndarray: ...  # ascending  # noqa: D102
    def spans(self, word: int, sentence: int) -> list[tuple[int, int]]: ...  # (start, stop) in tokens  # noqa: D102


class RowsOfText(Protocol):
    """Text as rows that batches are drawn of."""

    def __len__(self) -> int: ...
    def rows(self, indices: Sequence[int] | np.ndarray) -> Sequence[Row]: ...  # noqa: D102


class Blocks(RowsOfText, Protocol):
    """Packed text: pieces of one length."""

    @property
    def domain(self) -> np.ndarray: ...  # [n], -1 where there is none  # noqa: D102
    @property
    def domains(self) -> tuple[str, ...]: ...  # noqa: D102


class LanguageObjective(Objective, Protocol):
    """An objective whose labels are made from the tokens themselves (masked or next)."""

    def prepare(self, rows: Sequence[Row], rng: np.random.Generator) -> Sequence[Row]:
        """Return rows with one label a token; -100 for a token that is not judged."""
        ...
