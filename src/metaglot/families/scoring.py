"""How good predictions are: what a family returns, and the calibration of probabilities."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.metric import Measures


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


def check_values(values: np.ndarray, shape: tuple[int, int]) -> None:  # [n, K]
    """Raise MetaglotError unless there is a row a query and a column an output, of finite numbers."""
    if values.shape != shape or not shape[0]:
        raise MetaglotError(
            f"Predictions of shape {values.shape} came for {shape[0]} queries and {shape[1]} outputs. "
            "A method must give one row a query and one column an output (a label, or a number)."
        )
    if not np.isfinite(values).all():
        raise MetaglotError(
            "Predictions came that are no numbers: the rates may be too large, or the model damaged. Mend the method "
            "or leave it out; what was judged stays."
        )


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
