"""How good predictions are: what a family returns, the calibration of probabilities, and the order of numbers."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, cast

import numpy as np
from scipy.stats import spearmanr
from sklearn.metrics import ndcg_score

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


def rank_correlation(predicted: Sequence[float], truth: Sequence[float]) -> float:
    """Return Spearman's ρ; 0 where one side is constant, which orders nothing."""
    if len(set(predicted)) < 2 or len(set(truth)) < 2:
        return 0.0
    return float(np.asarray(spearmanr(predicted, truth))[0])


def ndcg(predicted: Sequence[float], truth: Sequence[float], *, first: int = 5) -> float:
    """Return how good the first few by prediction are: Σ gain/log₂(1 + place) over that of the best order.

    The gain of a number is what it has above the least of the true ones, so that any scale will do; where all are equal
    every order is the best one.  Järvelin and Kekäläinen 2002, https://doi.org/10.1145/582415.582418
    """
    gains = np.asarray(truth, np.float64) - min(truth)
    if len(gains) < 2 or not gains.any():
        return 1.0
    score = cast("Callable[..., float]", ndcg_score)  # its annotations know no lists
    return float(score(gains[None], np.asarray(predicted, np.float64)[None], k=first))
