"""Is a text of none of the classes?  The answer is learnt from the support set alone.

Three numbers describe a text: its cosine with the nearest prototype, the same after the mean of the prototypes is
taken off both, and its cosine with the nearest example.  Logistic regression on them tells examples that were set
aside, with their class known to the others (in scope), from the examples of a class that is left out as a whole (out
of scope).  Each side weighs the same, so that one half is where neither is likelier.

Of up to 1,000 examples, each is set aside in turn.  Of more, a fixed sample of 600 is, spread evenly over the classes,
and it is compared with all the others, so that the time grows with the number of examples and not with its square.
The sample moves the probabilities for 150 intents, with 8 to 32 examples of each, by 0.009 on average and 0.11 at most.

Leaving classes out in place of real examples of the unknown: after Shu, Xu and Liu 2018,
https://arxiv.org/abs/1801.05609.  Similarities as scores, measured for this task by Podolskiy et al. 2021,
https://arxiv.org/abs/2101.03778.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.errors import MetaglotError
from metaglot.families.classes.nearest import BLOCK, NONE, largest_cosine, largest_of, nearest_apart
from metaglot.families.heads.classes import class_by_class, folds
from metaglot.families.support_units import SupportUnits

MANY = 1000  # examples, up to which each is set aside
SAMPLE = 600  # of more, how many are
GOLDEN = (5**0.5 - 1) / 2  # its first multiples, each less its whole part, lie evenly, however many they are
FIRMNESS = 0.03  # C of the logistic regression; chosen with the three numbers on development sets
NOTHING = 1e-20  # squared length from which on a direction means something


class Measures(NamedTuple):
    """A support set, made ready to measure texts."""

    near: Tensor  # [K, D] prototypes, length one
    off: Tensor  # [K, D] prototypes off their middle, length one
    middle: Tensor  # [D]
    rows: Tensor  # [n, D]

    def of(self, features: Tensor) -> Tensor:  # [q, D] -> [q, 3], on the CPU
        """Return the cosines that tell a text: nearest prototype, nearest off the middle, nearest example."""
        off = normalize(features - self.middle, dim=-1)
        among = ((features, self.near), (off, self.off), (features, self.rows))
        return torch.stack([largest_cosine(*pair) for pair in among], dim=1).cpu()


class Scope(NamedTuple):
    """What was learnt of the border around the classes; a function of the support set."""

    measures: Measures
    columns: list[int]  # of the three numbers, those that are used
    middle: np.ndarray
    spread: np.ndarray
    fitted: Any  # LogisticRegression

    def chances(self, features: Tensor) -> np.ndarray:  # [q, D] unit -> [q]
        """Return the probability that each text is of one of the classes."""
        measured = self.measures.of(features.double()).numpy()[:, self.columns]
        return self.fitted.predict_proba((measured - self.middle) / self.spread)[:, 1]


def scope_of(rows: SupportUnits, classes: int) -> Scope:
    """Return the border around the classes.

    Raises MetaglotError where no example can be set aside: a class needs a second example, or its name.
    """
    aside, share = _set_aside(rows)
    means = _means(rows, classes)
    inside, outside = _example_measures(rows, aside, means)
    if not len(inside):
        raise MetaglotError(
            "the scope of the classes needs more than one example of each; give two, or one and names that are words"
        )
    columns = [0, 2] if classes == 2 else [0, 1, 2]  # what is left of two classes is one, which has no middle
    seen = torch.cat([inside, outside]).numpy()[:, columns]
    middle, spread = seen.mean(0), np.maximum(seen.std(0), 1e-9)
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    fitted = LogisticRegression(C=FIRMNESS / share, class_weight="balanced").fit((seen - middle) / spread, truth)
    return Scope(measures(rows, means), columns, middle, spread, fitted)


def measures(rows: SupportUnits, means: Tensor) -> Measures:  # [C, D]
    """Return what measures texts by these rows, and by the means of the classes that are among them."""
    return Measures(*_directions(means[torch.unique(rows.numbers)]), rows.features.double())


def _directions(means: Tensor) -> tuple[Tensor, Tensor, Tensor]:  # [K, D] -> [K, D], [K, D], [D]
    """Return prototypes of length one, the same off their middle, and the middle."""
    middle = means.mean(0)
    return normalize(means, dim=-1), normalize(means - middle, dim=-1), middle


def _set_aside(rows: SupportUnits) -> tuple[Tensor, float]:  # [m]
    """Return the examples that are set aside, and which share of all examples they are."""
    members = class_by_class(rows)
    if len(members) <= MANY:
        return members.sort().values, 1.0
    even = (torch.arange(len(members), dtype=torch.float64) * GOLDEN % 1).argsort()
    return members[even[:SAMPLE]], SAMPLE / len(members)


def _example_measures(  # [m], [C, D] -> [k, 3], [m, 3]
    rows: SupportUnits, aside: Tensor, means: Tensor
) -> tuple[Tensor, Tensor]:
    """Return what tells examples from the others: with their class known to these, and without it.

    Those of the first that had no other of their class are left out.
    """
    fold = folds(rows)
    by_fold, by_class = nearest_apart(rows.features, fold, rows.numbers, aside)
    measures = torch.zeros(len(aside), 3, dtype=torch.float64)
    has_other = torch.zeros(len(aside), dtype=torch.bool)
    for k, (rest, present) in enumerate(_without_fold(rows, fold, len(means))):
        here = torch.nonzero(fold[aside] == k)[:, 0]
        here = here[present[rows.numbers[aside[here]]]]
        if not len(here):
            continue
        has_other[here] = True
        near, off, middle = _directions(rest if bool(present.all()) else rest[present])
        x = rows.features[aside[here]].double()
        measures[here, 0] = largest_cosine(x, near)
        measures[here, 1] = largest_cosine(normalize(x - middle, dim=-1), off)
    measures[:, 2] = by_fold
    near, off = _without_class(rows, aside, means)
    return measures[has_other], torch.stack([near, off, by_class], dim=1)


def _without_fold(rows: SupportUnits, fold: Tensor, classes: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield, fold by fold, the means of the rows of all others [C, D], float64, and which classes are there [C]."""
    count = int(fold.max()) + 1
    place = fold.where(fold >= 0, fold.new_tensor(count)) * classes + rows.numbers
    sums = torch.zeros((count + 1) * classes, rows.features.shape[1], dtype=torch.float64)
    sums = sums.index_add_(0, place, rows.features.double()).reshape(count + 1, classes, -1)
    sizes = torch.bincount(place, minlength=(count + 1) * classes).reshape(count + 1, classes)
    total = sums.sum(0)
    for k in range(count):
        left = sizes.sum(0) - sizes[k]
        yield (total - sums[k]) / left.clamp(min=1)[:, None], left > 0


def _without_class(  # [m], [C, D] -> [m], [m]
    rows: SupportUnits, aside: Tensor, means: Tensor
) -> tuple[Tensor, Tensor]:
    """Return the cosines of examples with the nearest prototype of another class, before and off their middle.

    The middle of the other classes differs by class, so that it is taken off products, and not off the vectors:
    (x − μ)·(m − μ) = x·m − μ·m − x·μ + μ·μ.
    """
    among, own = torch.unique(rows.numbers, return_inverse=True)
    others, own = Others.of(means[among]), own[aside]
    if len(among) == 1:
        none = torch.full((len(aside),), NONE, dtype=torch.float64)
        return none, none
    small = Others(*(part.float() for part in others))
    parts = [torch.zeros(2, 0, dtype=torch.float64)]
    for block, c in zip(aside.split(BLOCK), own.split(BLOCK), strict=True):
        x = rows.features[block]
        # Which prototype is the nearest is found in float32, and its cosine is computed in float64.
        nearest = [largest_of(one.scatter_(1, c[:, None], 2 * NONE)) for one in small.cosines(x, c, x @ small.means.T)]
        parts.append(torch.stack([others.cosine(x.double(), c, at)[i] for i, at in enumerate(nearest)]))
    near, off = torch.cat(parts, dim=1)
    return near, off


class Others(NamedTuple):
    """Prototypes, and their middle without each class in turn."""

    means: Tensor  # [K, D]
    sizes: Tensor  # [K] their lengths
    total: Tensor  # [D] their sum
    to_middle: Tensor  # [K, K] of the middle without a class, its product with each prototype
    of_middle: Tensor  # [K] of that middle, the squared length
    lengths: Tensor  # [K, K] of each prototype off that middle, the length

    @staticmethod
    def of(means: Tensor) -> "Others":  # [K, D]
        """Return what is common to all examples."""
        gram, others = means @ means.T, max(len(means) - 1, 1)
        to_middle = (gram.sum(0) - gram) / others
        of_middle = (to_middle.sum(1) - to_middle.diagonal()) / others
        lengths = (gram.diagonal() - 2 * to_middle + of_middle[:, None]).clamp(min=NOTHING).sqrt()
        sizes = gram.diagonal().clamp(min=NOTHING).sqrt()
        return Others(means, sizes, means.sum(0), to_middle, of_middle, lengths)

    def cosines(self, x: Tensor, own: Tensor, dots: Tensor) -> tuple[Tensor, Tensor]:  # [q, D], [q], [q, K] -> [q, K]
        """Return the cosines with all prototypes, before and off the middle without the own class."""
        return self._near_and_off(x, own, dots, self.sizes, self.to_middle[own], self.lengths[own])

    def cosine(self, x: Tensor, own: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:  # [q, D], [q], [q] -> [q]
        """Return the cosines with one prototype each."""
        dots, sizes = (x * self.means[at]).sum(1, keepdim=True), self.sizes[at][:, None]
        to_middle, lengths = self.to_middle[own, at][:, None], self.lengths[own, at][:, None]
        near, off = self._near_and_off(x, own, dots, sizes, to_middle, lengths)
        return near[:, 0], off[:, 0]

    def _near_and_off(
        self, x: Tensor, own: Tensor, dots: Tensor, sizes: Tensor, to_middle: Tensor, lengths: Tensor
    ) -> tuple[Tensor, Tensor]:
        middle = (x @ self.total - (x * self.means[own]).sum(1)) / max(len(self.means) - 1, 1)
        length = ((x * x).sum(1) - 2 * middle + self.of_middle[own]).clamp(min=NOTHING).sqrt()
        off = (dots - to_middle + (self.of_middle[own] - middle)[:, None]) / (length[:, None] * lengths)
        return dots / sizes, off


def _means(rows: SupportUnits, classes: int) -> Tensor:  # [C, D], float64
    """Return `prototypes`, by sums in order: a product with indicators costs as much as all the rest."""
    counts = torch.bincount(rows.numbers, minlength=classes).clamp(min=1)[:, None]
    sums = torch.zeros(classes, rows.features.shape[1], dtype=torch.float64)
    return sums.index_add_(0, rows.numbers, rows.features.double()) / counts
