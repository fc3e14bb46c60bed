"""Adapting to some of the examples and judging on the others, with folds that spread each class evenly.

Examples of a class that have the same text (case and punctuation apart) share a fold: one that is learnt from too says
nothing when it is judged.
"""

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.adaptation.effort import Effort
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.fitting import fit_examples
from metaglot.adaptation.support import Names, names_given
from metaglot.data.examples import Examples
from metaglot.data.labels import Label, in_order, label_text
from metaglot.seeds import generator


def folds_of(
    examples: Examples[Label], count: int, seed: int, *purpose: int | str
) -> list[tuple[list[int], list[int]]]:
    """Return (inside, outside) rows of each fold; every row is outside once.  A function of the seed."""
    part: dict[int, int] = {}
    groups = examples.same()
    for label in in_order(examples.targets):
        same = [rows for rows in groups if examples.targets[rows[0]] == label]
        for place, which in enumerate(generator(seed, *purpose, label_text(label)).permutation(len(same))):
            part |= dict.fromkeys(same[which], place % count)
    every = range(len(examples))
    return [([i for i in every if part[i] != k], [i for i in every if part[i] == k]) for k in range(count)]


class Judged(NamedTuple):
    """What a fit to the examples inside says of those outside."""

    scores: Tensor  # [m, C], float64
    numbers: Tensor  # [m], the class of each
    right: list[bool]


def fit_and_judge(
    encoder: Encoder,
    examples: Examples[Label],
    rows: tuple[list[int], list[int]],
    effort: Effort,
    *,
    seed: int,
    names: Names,
) -> Judged:
    """Return how the examples outside are judged; each of their classes must have one inside."""
    inside, outside = (examples.at(part) for part in rows)
    if isinstance(names, Mapping):
        known = {label_text(label) for label in inside.targets}
        names = {label: words for label, words in names_given(names).items() if label in known}
    return judged(fit_examples(encoder, inside, effort, seed=seed, names=names), outside)


def judged(fit: Fit, examples: Examples[Label]) -> Judged:
    """Return how other examples are judged."""
    chances = fit.proba(fit.features(examples.inputs).cpu().numpy())
    scores = torch.as_tensor(chances).clamp(min=1e-30).log()
    numbers = torch.tensor([fit.labels.index(label) for label in examples.targets])
    return Judged(scores, numbers, (scores.argmax(1) == numbers).tolist())
