"""Masked language modelling: predict tokens that were hidden from the tokens on both sides.

    L = −1/M Σ_{t hidden} log p(x_t | x̃),   x̃ with 80 % of the hidden tokens masked, 10 % random, 10 % left

Devlin et al. 2019, https://arxiv.org/abs/1810.04805; whole words: https://github.com/google-research/bert (May 2019).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from metaglot.families.language.judging import UNJUDGED, OverVocabulary, collate_labelled
from metaglot.types import Batch, Row

MASKED, RANDOM = 0.8, 0.1  # of the hidden tokens; the rest is left


@dataclass(frozen=True)
class MaskedLm(OverVocabulary):
    """Tasks that a learner with a masked-LM head solves by predicting hidden tokens."""

    pad_token_id: int
    mask_token_id: int
    vocabulary_size: int
    special: frozenset[int]  # tokens that are neither hidden nor drawn at random
    share: float = 0.15  # of the other tokens of a row that is hidden
    # [V], whether a token goes on a word; with it, whole words are hidden
    continuation: np.ndarray | None = field(default=None, compare=False, repr=False)
    name: str = "masked-lm"

    def prepare(self, rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
        """Return the rows with tokens hidden, and labels that hold what was there.

        round(share · n) of the n ordinary tokens of a row are hidden, one at the least; with whole words nearly as many
        (words that would go beyond are passed over).  A row of special tokens alone has nothing to judge.
        """
        return [self._hidden(row, rng) for row in rows]

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return prepared rows as input_ids, attention_mask and labels [B, T]; token_type_ids where rows have them."""
        return collate_labelled(rows, pad_token_id=self.pad_token_id)

    def _hidden(self, row: Row, rng: np.random.Generator) -> Row:
        ids = np.asarray(row["input_ids"], dtype=np.int64)
        ordinary = ~np.isin(ids, self._special)
        places = self._chosen(ids, ordinary, rng)
        labels = np.full(len(ids), UNJUDGED, dtype=np.int64)
        labels[places] = ids[places]
        fate = rng.random(len(places))
        shown = np.where(fate < MASKED, self.mask_token_id, ids[places])
        changed = ids.copy()
        changed[places] = np.where(fate >= 1 - RANDOM, self._random(len(places), rng), shown)
        return {**row, "input_ids": changed, "labels": labels}

    def _chosen(self, ids: np.ndarray, ordinary: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Return the positions to hide, ascending."""
        candidates = np.flatnonzero(ordinary)
        if len(candidates) == 0:
            return candidates
        wanted = max(1, round(self.share * len(candidates)))
        if self.continuation is None:
            return np.sort(rng.choice(candidates, wanted, replace=False))
        # A token that goes on no ordinary token before it begins a word.
        goes_on = self.continuation[ids[candidates]] & (np.diff(candidates, prepend=-2) == 1)
        words = np.split(candidates, np.flatnonzero(~goes_on)[1:])
        taken: list[np.ndarray] = []
        left = wanted
        for number in rng.permutation(len(words)):
            if len(words[number]) <= left:
                taken.append(words[number])
                left -= len(words[number])
            if left == 0:
                break
        return np.sort(np.concatenate(taken or [words[rng.integers(len(words))]]))

    def _random(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """Return ordinary tokens, each as likely."""
        drawn = rng.integers(0, self.vocabulary_size - len(self.special), count)
        for token in self._special:  # ascending: each steps over a special one
            drawn += drawn >= token
        return drawn

    @property
    def _special(self) -> list[int]:
        return sorted(self.special)
