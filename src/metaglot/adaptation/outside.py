"""Is a text of none of the classes?  The answer is learnt from the support set alone.

A text is told by three numbers: its cosine with the nearest prototype, the same after the mean of the prototypes is
taken off both, and its cosine with the nearest example.  Logistic regression on them tells examples that were set
aside, with their class known to the others (in scope), from the examples of a class that is left out as a whole (out
of scope).  Each side weighs the same, so that one half is where neither is likelier.

Leaving classes out in place of real examples of the unknown: after Shu, Xu and Liu 2018,
https://arxiv.org/abs/1801.05609.  Similarities as scores, measured for this task by Podolskiy et al. 2021,
https://arxiv.org/abs/2101.03778.
"""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.adaptation.closed_form import Known, folds, prototypes
from metaglot.errors import MetaglotError

FIRMNESS = 0.03  # C of the logistic regression; chosen with the three numbers on development sets


def in_scope(rows: Known, classes: int, features: Tensor) -> np.ndarray:  # [q, D] unit -> [q]
    """Return the probability that each text is of one of the classes.

    Raises MetaglotError where no example can be set aside: a class needs a second example, or its name.
    """
    inside, outside = _aside(rows, classes), _left_out(rows, classes)
    if not len(inside):
        raise MetaglotError(
            "what lies outside the classes cannot be told from one example of each, or none; give two, or one "
            "and names that are words"
        )
    seen = torch.cat([inside, outside]).numpy()
    told = similarities(rows, classes, features.double()).numpy()
    if classes == 2:  # what is left of two classes is one, which has no middle
        seen, told = seen[:, [0, 2]], told[:, [0, 2]]
    middle, spread = seen.mean(0), np.maximum(seen.std(0), 1e-9)
    truth = np.repeat([1, 0], [len(inside), len(outside)])
    fitted = LogisticRegression(C=FIRMNESS, class_weight="balanced").fit((seen - middle) / spread, truth)
    return fitted.predict_proba((told - middle) / spread)[:, 1]


def similarities(rows: Known, classes: int, features: Tensor) -> Tensor:  # [q, D] -> [q, 3], float64 on the CPU
    """Return the cosines that tell a text: nearest prototype, nearest off the middle, nearest example."""
    among = torch.unique(rows.numbers)
    means = prototypes(rows, classes)[among]
    middle = means.mean(0)
    near = (features @ normalize(means, dim=-1).T).amax(1)
    off = (normalize(features - middle, dim=-1) @ normalize(means - middle, dim=-1).T).amax(1)
    one = (features @ rows.features.double().T).amax(1)
    return torch.stack([near, off, one], dim=1).cpu()


def _aside(rows: Known, classes: int) -> Tensor:  # [m, 3]
    """Return what tells the examples from the others, where others of their class are left."""
    fold = folds(rows, classes)
    found = [torch.zeros(0, 3, dtype=torch.float64)]
    for k in range(int(fold.max()) + 1):
        rest, aside = rows.at(fold != k), rows.at(fold == k)
        aside = aside.at(torch.isin(aside.numbers, rest.numbers))
        if len(aside.numbers):
            found.append(similarities(rest, classes, aside.features.double()))
    return torch.cat(found)


def _left_out(rows: Known, classes: int) -> Tensor:  # [m, 3]
    """Return what tells the examples of each class where the others alone are known."""
    found = [torch.zeros(0, 3, dtype=torch.float64)]
    for c in range(classes):
        rest, aside = rows.at(rows.numbers != c), rows.at((rows.numbers == c) & ~rows.spoken)
        if len(aside.numbers):
            found.append(similarities(rest, classes, aside.features.double()))
    return torch.cat(found)
