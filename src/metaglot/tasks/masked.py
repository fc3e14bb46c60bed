"""Sentences in which a word is masked, or removed, at every place."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metaglot.tasks.text import Sentences, Words
from metaglot.types import Row


@dataclass(frozen=True)
class MaskedText:
    """Sentences, the places of words in them, and the token that replaces a word."""

    sentences: Sentences
    index: Words
    mask_token_id: int | None  # the token that replaces a word (decoders: the end of text); None removes the word

    def rows(self, word: int, positions: Sequence[int] | np.ndarray) -> list[Row]:
        """Return the sentences at `positions`; each place of the word has one mask or none, however long the word is.

        A mask for each token would show whether the word is long or short.
        """
        rows = self.sentences.examples.rows(positions)
        return [self._mask_word(row, word, int(position)) for row, position in zip(rows, positions, strict=True)]

    def _mask_word(self, row: Row, word: int, position: int) -> Row:
        ids = np.array(row["input_ids"], dtype=np.int64)
        keep = np.ones(len(ids), dtype=bool)
        for start, stop in self.index.spans(word, position):
            keep[start:stop] = False
            if self.mask_token_id is not None:
                ids[start], keep[start] = self.mask_token_id, True
        return {"input_ids": ids[keep], "label": 0}
