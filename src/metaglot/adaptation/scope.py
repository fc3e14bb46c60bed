"""Is a text of none of the classes?  The answer is learnt from the support set alone.

A text is told by three numbers: its cosine with the nearest prototype, the same after the mean of the prototypes is
taken off both, and its cosine with the nearest example.  Logistic regression on them tells examples that were set
aside, with their class known to the others (in scope), from the examples of a class that is left out as a whole (out
of scope).  Each side weighs the same, so that one half is where neither is likelier.

Leaving classes out in place of real examples of the unknown: after Shu, Xu and Liu 2018,
https://arxiv.org/abs/1801.05609.  Similarities as scores, measured for this task by Podolskiy et al. 2021,
https://arxiv.org/abs/2101.03778.
"""

from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.adaptation.closed_form import SupportUnits, folds
from metaglot.errors import MetaglotError

FIRMNESS = 0.03  # C of the logistic regression; chosen with the three numbers on development sets
BLOCK = 256  # examples whose cosines with all others are held at a time: as many as a cache holds
NOTHING = 1e-20  # squared length from which on a direction means something


class Measures(NamedTuple):
    """A support set, made ready to measure texts."""

    near: Tensor  # [K, D] prototypes, length one
    off: Tensor  # [K, D] prototypes off their middle, length one
    middle: Tensor  # [D]
    rows: Tensor  # [n, D]

    def of(self, features: Tensor) -> Tensor:  # [q, D] -> [q, 3], on the CPU
        """Return the cosines that tell a text: nearest prototype, nearest off the middle, nearest example."""
        near = (features @ self.near.T).amax(1)
        off = (normalize(features - self.middle, dim=-1) @ self.off.T).amax(1)
        return torch.stack([near, off, (features @ self.rows.T).amax(1)], dim=1).cpu()


class Scope(NamedTuple):
    """What was learnt of the border around the classes; a function of the support set."""

    measures: Measures
    columns: list[int]  # of the three numbers, those that are used
    middle: np.ndarray
    spread: np.ndarray
    fitted: Any  # LogisticRegression

    def chances(self, features: Tensor) -> np.ndarray:  # [q, D] unit -> [q]
        """Return the probability that each text is of one of the classes."""
        told = self.measures.of(features.double()).numpy()[:, self.columns]
        return self.fitted.predict_proba((told - self.middle) / self.spread)[:, 1]


def scope_of(rows: SupportUnits, classes: int) -> Scope:
    """Return the border around the classes.

    Raises MetaglotError where no example can be set aside: a class needs a second example, or its name.
    """
    inside, outside = _known(rows, classes)
    if not len(inside):
        raise MetaglotError(
            "what lies outside the classes cannot be told from one example of each, or none; give two, or one "
            "and names that are words"
        )
    columns = [0, 2] if classes == 2 else [0, 1, 2]  # what is left of two classes is one, which has no middle
    seen = torch.cat([inside, outside]).numpy()[:, columns]
    middle, spread = seen.mean(0), np.maximum(seen.std(0), 1e-9)
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    fitted = LogisticRegression(C=FIRMNESS, class_weight="balanced").fit((seen - middle) / spread, truth)
    return Scope(measures(rows, _means(rows, classes)), columns, middle, spread, fitted)


def in_scope(rows: SupportUnits, classes: int, features: Tensor) -> np.ndarray:  # [q, D] unit -> [q]
    """Return the probability that each text is of one of the classes; raises as `scope_of` does."""
    return scope_of(rows, classes).chances(features)


def measures(rows: SupportUnits, means: Tensor) -> Measures:  # [C, D]
    """Return what measures texts by these rows, and by the means of the classes that are among them."""
    means = means[torch.unique(rows.numbers)]
    middle = means.mean(0)
    return Measures(normalize(means, dim=-1), normalize(means - middle, dim=-1), middle, rows.features.double())


def _known(rows: SupportUnits, classes: int) -> tuple[Tensor, Tensor]:  # [m, 3], [n, 3]
    """Return what tells the examples from the others: with their class known to these, and without it.

    Those of the first that had no other of their class are left out.
    """
    fold = folds(rows)
    aside, by_fold, by_class = torch.nonzero(~rows.is_class_name)[:, 0], *_nearest(rows, fold)
    known = torch.zeros(len(aside), 3, dtype=torch.float64)
    told = torch.zeros(len(aside), dtype=torch.bool)
    for k in range(int(fold.max()) + 1):
        rest, here = rows.at(fold != k), fold[aside] == k
        told[here] = torch.isin(rows.numbers[aside[here]], rest.numbers)
        if told[here].any():
            measured = measures(rest, _means(rest, classes))._replace(rows=rows.features[:1].double())
            known[here] = measured.of(rows.features[aside[here]].double())
    known[:, 2] = by_fold
    near, off = _without_class(rows, aside, classes)
    return known[told], torch.stack([near, off, by_class], dim=1)


def _nearest(rows: SupportUnits, fold: Tensor) -> tuple[Tensor, Tensor]:  # [m], [m]
    """Return the cosine of each example with the nearest row of another fold, and with that of another class."""
    x, found = rows.features.double(), [torch.zeros(2, 0, dtype=torch.float64)]
    for block in torch.nonzero(~rows.is_class_name)[:, 0].split(BLOCK):
        cosines = x[block] @ x.T
        apart = (group[block, None] != group for group in (fold, rows.numbers))
        found.append(torch.stack([cosines.where(other, cosines.new_tensor(-1.0)).amax(1) for other in apart]))
    by_fold, by_class = torch.cat(found, dim=1)
    return by_fold, by_class


def _without_class(rows: SupportUnits, aside: Tensor, classes: int) -> tuple[Tensor, Tensor]:  # [m], [m]
    """Return the cosines of examples with the nearest prototype of another class, before and off their middle.

    The middle of the other classes differs by class, so that it is taken off products, and not off the vectors:
    (x − μ)·(m − μ) = x·m − μ·m − x·μ + μ·μ.
    """
    among, own = torch.unique(rows.numbers, return_inverse=True)
    means, own = _means(rows, classes)[among], own[aside]
    others = len(among) - 1
    gram = means @ means.T
    to_middle = (gram.sum(0) - gram) / others  # [K, K]: of the class that is left out, with each mean
    of_middle = (to_middle.sum(1) - to_middle.diagonal()) / others  # [K]
    lengths = (gram.diagonal() - 2 * to_middle + of_middle[:, None]).clamp(min=NOTHING).sqrt()
    found = [torch.zeros(2, 0, dtype=torch.float64)]
    for block, c in zip(aside.split(BLOCK), own.split(BLOCK), strict=True):
        x = rows.features[block].double()
        dots = x @ means.T
        mine = torch.arange(len(among)) == c[:, None]
        middle = (dots.sum(1) - dots.gather(1, c[:, None])[:, 0]) / others
        length = ((x * x).sum(1) - 2 * middle + of_middle[c]).clamp(min=NOTHING).sqrt()
        near = dots / gram.diagonal().clamp(min=NOTHING).sqrt()
        off = (dots - to_middle[c] + (of_middle[c] - middle)[:, None]) / (length[:, None] * lengths[c])
        found.append(torch.stack([one.masked_fill(mine, -1.0).amax(1) for one in (near, off)]))
    near, off = torch.cat(found, dim=1)
    return near, off


def _means(rows: SupportUnits, classes: int) -> Tensor:  # [C, D], float64
    """Return `prototypes`, by sums in order: a product with indicators costs as much as all the rest."""
    counts = torch.bincount(rows.numbers, minlength=classes).clamp(min=1)[:, None]
    sums = torch.zeros(classes, rows.features.shape[1], dtype=torch.float64)
    return sums.index_add_(0, rows.numbers, rows.features.double()) / counts
