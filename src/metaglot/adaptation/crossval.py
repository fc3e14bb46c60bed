"""Adapting to some of the examples and judging on the others, with folds that spread each class evenly.

Examples of a class that have the same text (case and punctuation apart) share a fold: one that is learnt from too says
nothing when it is judged.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.effort import Effort
from metaglot.adaptation.model import Model, Names
from metaglot.adaptation.support import names_given
from metaglot.data.folding import folded_texts
from metaglot.data.labels import Label, in_order, label_text
from metaglot.seeds import generator


class Examples(NamedTuple):
    """Checked examples."""

    texts: Sequence[str]
    labels: Sequence[Label]
    pairs: Sequence[str] | None
    names: Names = True  # of the classes

    def at(self, rows: Sequence[int]) -> "Examples":
        """Return those in some rows."""
        pairs = None if self.pairs is None else [self.pairs[i] for i in rows]
        return Examples([self.texts[i] for i in rows], [self.labels[i] for i in rows], pairs, self.names)

    def same(self) -> dict[Label, list[list[int]]]:
        """Return the rows of each class, those of the same text together; in order."""
        found: dict[Label, dict[str, list[int]]] = {label: {} for label in in_order(self.labels)}
        for i, (key, label) in enumerate(zip(folded_texts(self.texts, self.pairs), self.labels, strict=True)):
            found[label].setdefault(key, []).append(i)
        return {label: list(rows.values()) for label, rows in found.items()}

    def distinct(self) -> dict[Label, int]:
        """Return how many distinct texts each class has."""
        return {label: len(rows) for label, rows in self.same().items()}


def folds_of(examples: Examples, count: int, seed: int, *purpose: int | str) -> list[tuple[list[int], list[int]]]:
    """Return (inside, outside) rows of each fold; every row is outside once.  A function of the seed."""
    part: dict[int, int] = {}
    for label, same in examples.same().items():
        for place, which in enumerate(generator(seed, *purpose, label_text(label)).permutation(len(same))):
            part |= dict.fromkeys(same[which], place % count)
    every = range(len(examples.labels))
    return [([i for i in every if part[i] != k], [i for i in every if part[i] == k]) for k in range(count)]


class Judged(NamedTuple):
    """What a model adapted to the examples inside says of those outside."""

    scores: Tensor  # [m, C], float64
    numbers: Tensor  # [m], the class of each
    right: list[bool]


def fit_and_judge(
    model: Model, examples: Examples, fold: tuple[list[int], list[int]], effort: Effort, *, seed: int
) -> Judged:
    """Return how the examples outside are judged; each of their classes must have one inside."""
    inside, given = examples.at(fold[0]), {examples.labels[row] for row in fold[0]}
    names = inside.names
    if isinstance(names, Mapping):
        known = {label_text(label) for label in given}
        names = {label: words for label, words in names_given(names).items() if label in known}
    adapted = model.adapt(inside.texts, inside.labels, pairs=inside.pairs, effort=effort, seed=seed, names=names)
    return judged(adapted, examples.at(fold[1]))


def judged(adapted: Adapted, examples: Examples) -> Judged:
    """Return how other examples are judged."""
    scores = torch.as_tensor(adapted.predict_proba(examples.texts, examples.pairs)).clamp(min=1e-30).log()
    numbers = torch.tensor([adapted.labels.index(label) for label in examples.labels])
    return Judged(scores, numbers, (scores.argmax(1) == numbers).tolist())
