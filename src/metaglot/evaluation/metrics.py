"""How good a prediction is: accuracy, macro F1, expected calibration error."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
from sklearn.metrics import f1_score

from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY, CLASSIFICATION, ECE, MACRO_F1, Measures


class Scored(NamedTuple):
    """How good a prediction is, by each metric of its kind of task."""

    metrics: Mapping[str, float]  # score by the name of its metric
    measures: Measures  # the metrics; the first is the primary one
    bins: tuple["Bin", ...] = ()  # of the confidence, where there is one


class Bin(NamedTuple):
    """The predictions whose confidence lies in (number/15, (number+1)/15]."""

    number: int
    size: int  # predictions
    confidence: float  # their sum
    right: int


def judge(labels: Sequence[str], probabilities: np.ndarray, truth: Sequence[str]) -> Scored:
    """Return the metrics of `probabilities` [n, C], whose columns are `labels`, against the true names [n].

    The prediction is the likeliest label, its probability the confidence.  A true label that is not among
    `labels` counts as missed.  Raises MetaglotError when the shapes disagree or nothing was predicted.
    """
    if probabilities.shape != (len(truth), len(labels)) or not len(truth):
        raise MetaglotError(
            f"Probabilities of shape {probabilities.shape} came for {len(truth)} queries and {len(labels)} labels. "
            "A method's predict_proba must return one row a query and one column a label."
        )
    if not np.isfinite(probabilities).all():
        raise MetaglotError(
            "Probabilities came that are no numbers: the rates may be too large, or the model damaged. Mend the method "
            "or leave it out; what was judged stays."
        )
    predicted = [labels[int(number)] for number in probabilities.argmax(axis=1)]
    right = np.array([p == t for p, t in zip(predicted, truth, strict=True)])
    confidence = probabilities.max(axis=1)
    bins = calibration_bins(confidence, right)
    scores = {
        ACCURACY.name: float(right.mean()),
        MACRO_F1.name: macro_f1(truth, predicted),
        ECE.name: calibration_error(confidence, right),
    }
    return Scored(scores, CLASSIFICATION, bins)


def macro_f1(truth: Sequence[str], predicted: Sequence[str]) -> float:
    """Return the mean over classes of F1 = 2PR / (P + R), over the classes that occur in either list."""
    score = cast("Callable[..., float]", f1_score)  # its annotations are wrong about zero_division
    return float(score(list(truth), list(predicted), average="macro", zero_division=0.0))


def calibration_error(confidence: np.ndarray, right: np.ndarray, *, bins: int = 15) -> float:
    """Return the expected calibration error Σ_b n_b/n · |accuracy_b − confidence_b| over equal-width bins.

    `confidence` [n] lies in [0, 1], `right` [n] is boolean.  Guo et al. 2017, https://arxiv.org/abs/1706.04599
    """
    number = _bin_of(confidence, bins)
    gap = np.bincount(number, weights=right.astype(np.float64) - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(confidence))


def calibration_bins(confidence: np.ndarray, right: np.ndarray, *, bins: int = 15) -> tuple[Bin, ...]:
    """Return the bins of `calibration_error` that hold predictions: what a reliability diagram shows."""
    number = _bin_of(confidence, bins)
    size = np.bincount(number, minlength=bins)
    total = np.bincount(number, weights=confidence, minlength=bins)
    hits = np.bincount(number, weights=right.astype(np.float64), minlength=bins)
    return tuple(Bin(int(b), int(size[b]), round(float(total[b]), 6), int(hits[b])) for b in np.flatnonzero(size))


def _bin_of(confidence: np.ndarray, bins: int) -> np.ndarray:
    return np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)  # bins (b/B, (b+1)/B]
