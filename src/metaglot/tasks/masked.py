"""Sentences with a word masked, or taken out, everywhere it stands."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from metaglot.tasks.text import Sentences, Words
from metaglot.types import Row


@dataclass(frozen=True)
class MaskedText:
    """Sentences, where words stand in them, and the token that is put in their place."""

    sentences: Sentences
    index: Words
    mask_token_id: int | None  # the token in the place of a word (decoders: the end-of-text token); None: nothing

    def rows(self, word: int, positions: Sequence[int] | np.ndarray) -> list[Row]:
        """Return sentences that hold the word, each place of it one mask or none, however many tokens it has.

        As many masks as tokens would tell a long word from a short one.
        """
        found = self.sentences.examples.rows(positions)
        return [self._masked(row, word, int(at)) for row, at in zip(found, positions, strict=True)]

    def _masked(self, row: Row, word: int, position: int) -> Row:
        ids = np.array(row["input_ids"], dtype=np.int64)
        keep = np.ones(len(ids), dtype=bool)
        for start, stop in self.index.spans(word, position):
            keep[start:stop] = False
            if self.mask_token_id is not None:
                ids[start], keep[start] = self.mask_token_id, True
        return {"input_ids": ids[keep], "label": 0}
