"""Adapting to some of the examples and judging on the others, with folds that spread each class evenly."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.effort import Effort
from metaglot.adaptation.model import Model, Names
from metaglot.seeds import generator


class Examples(NamedTuple):
    """Checked examples."""

    texts: Sequence[str]
    labels: Sequence[str]
    pairs: Sequence[str] | None
    names: Names = True  # of the classes

    def at(self, rows: Sequence[int]) -> "Examples":
        """Return those in some rows."""
        pairs = None if self.pairs is None else [self.pairs[i] for i in rows]
        return Examples([self.texts[i] for i in rows], [self.labels[i] for i in rows], pairs, self.names)


def folds_of(labels: Sequence[str], count: int, seed: int, *purpose: int | str) -> list[tuple[list[int], list[int]]]:
    """Return (inside, outside) rows of each fold; every row is outside once.  A function of the seed."""
    part = np.zeros(len(labels), dtype=int)
    for label in sorted(set(labels)):
        members = np.array([i for i, one in enumerate(labels) if one == label])
        part[generator(seed, *purpose, label).permutation(members)] = np.arange(len(members)) % count
    return [(np.flatnonzero(part != k).tolist(), np.flatnonzero(part == k).tolist()) for k in range(count)]


class Outside(NamedTuple):
    """What a model adapted to the examples inside says of those outside."""

    scores: Tensor  # [m, C], float64
    numbers: Tensor  # [m], the class of each
    right: list[bool]


def outside(
    model: Model, examples: Examples, fold: tuple[list[int], list[int]], effort: Effort, *, seed: int
) -> Outside:
    """Return how the examples outside are judged; each of their classes must have one inside."""
    inside, given = examples.at(fold[0]), {examples.labels[row] for row in fold[0]}
    names = inside.names
    if isinstance(names, Mapping):
        names = {label: words for label, words in names.items() if label in given}
    adapted = model.adapt(inside.texts, inside.labels, pairs=inside.pairs, effort=effort, seed=seed, names=names)
    return judged(adapted, examples.at(fold[1]))


def judged(adapted: Adapted, examples: Examples) -> Outside:
    """Return how other examples are judged."""
    scores = torch.as_tensor(adapted.predict_proba(examples.texts, examples.pairs)).clamp(min=1e-30).log()
    numbers = torch.tensor([adapted.labels.index(label) for label in examples.labels])
    return Outside(scores, numbers, (scores.argmax(1) == numbers).tolist())
