"""Span denoising: an encoder reads a text with gaps, a decoder writes what stood in them.

    x = a ⟨0⟩ c ⟨1⟩,   y = ⟨0⟩ b ⟨1⟩ d ⟨end⟩   for the text a b c d with the spans b and d hidden
    L = −1/M Σ_t log p(y_t | y_1 … y_{t−1}, x)

Of n tokens round(density · n) are hidden, in round(hidden / span) spans, whose lengths and whose distances are random
parts of what is to be shared out, all partitions equally likely.  A text begins with what is seen.

Raffel et al. 2020 (T5), https://arxiv.org/abs/1910.10683, section 3.1.4; the draws are those of
https://github.com/google-research/text-to-text-transfer-transformer (`random_spans_noise_mask`).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from metaglot.errors import MetaglotError
from metaglot.families.batches import pad_rows
from metaglot.families.language.judging import UNJUDGED, OverVocabulary
from metaglot.types import Batch, Row


@dataclass(frozen=True)
class SpanDenoising(OverVocabulary):
    """Tasks that an encoder with a decoder solves by writing the parts of a text that are hidden."""

    pad_token_id: int
    end_token_id: int  # ends sources that have no end of their own, and all targets
    sentinels: tuple[int, ...]  # the tokens that stand for the first gap, the second one, …
    special: frozenset[int] = frozenset()  # tokens that stay where they frame a row
    density: float = 0.15  # share of the tokens that is hidden
    span: float = 3.0  # tokens of a hidden part, on average
    name: str = "span-denoising"

    def prepare(self, rows: Sequence[Row], rng: np.random.Generator) -> list[Row]:
        """Return the rows with gaps, and as labels what stood in them; a row of one token has nothing to judge.

        Raises MetaglotError where a row needs more sentinels than there are.
        """
        return [self._corrupted(row, rng) for row in rows]

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return prepared rows as input_ids and attention_mask [B, T], and labels [B, T'], padded on the right."""
        width = max(len(row["labels"]) for row in rows)
        labels = np.full((len(rows), width), UNJUDGED, dtype=np.int64)
        for i, row in enumerate(rows):
            labels[i, : len(row["labels"])] = row["labels"]
        return {**pad_rows(rows, pad_token_id=self.pad_token_id), "labels": torch.from_numpy(labels)}

    def sizes(self, length: int) -> tuple[int, int]:
        """Return how many of so many tokens are hidden, and in how many spans.

        Raises MetaglotError where there are fewer sentinels.
        """
        hidden = min(max(1, round(length * self.density)), length - 1)
        spans = min(max(1, round(hidden / self.span)), hidden, length - hidden)
        if spans > len(self.sentinels):
            raise MetaglotError(
                f"{length} tokens with a share of {self.density:g} hidden in spans of {self.span:g} have {spans} gaps, "
                f"and the tokenizer has {len(self.sentinels)} sentinels; make spans longer, or texts shorter"
            )
        return hidden, spans

    def _corrupted(self, row: Row, rng: np.random.Generator) -> Row:
        ids = np.asarray(row["input_ids"], dtype=np.int64)
        first, last = self._frame(ids)
        inner, end = ids[first:last], ids[last:] if last < len(ids) else np.array([self.end_token_id])
        if len(inner) < 2:
            return {**row, "input_ids": ids, "labels": np.array([UNJUDGED])}
        seen, hidden = _parts(inner, *self.sizes(len(inner)), rng)
        marks = [np.array([sentinel]) for sentinel in self.sentinels[: len(seen)]]
        source = [part for pair in zip(seen, marks, strict=True) for part in pair]
        target = [part for pair in zip(marks, hidden, strict=True) for part in pair]
        changed = np.concatenate([ids[:first], *source, end])
        return {**row, "input_ids": changed, "labels": np.concatenate([*target, [self.end_token_id]])}

    def _frame(self, ids: np.ndarray) -> tuple[int, int]:
        """Return where the tokens between the special ones at both ends begin and end."""
        ordinary = np.flatnonzero(~np.isin(ids, sorted(self.special)))
        return (int(ordinary[0]), int(ordinary[-1]) + 1) if len(ordinary) else (0, 0)


def _parts(
    ids: np.ndarray, hidden: int, spans: int, rng: np.random.Generator
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the parts that are seen and those that are hidden; they take turns, a seen one first."""
    sizes = np.stack([_shared_out(len(ids) - hidden, spans, rng), _shared_out(hidden, spans, rng)], axis=1)
    parts = np.split(ids, np.cumsum(sizes.flatten())[:-1])
    return parts[::2], parts[1::2]


def _shared_out(count: int, parts: int, rng: np.random.Generator) -> np.ndarray:  # [parts]
    """Return sizes of at least one with this sum, every partition equally likely."""
    edges = np.sort(rng.choice(count - 1, parts - 1, replace=False)) + 1
    return np.diff(edges, prepend=0, append=count)
