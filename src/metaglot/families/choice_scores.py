"""How good choices are: how often the candidate is right, and how high the first right one stands.

Accuracy is the share of texts whose choice is right; MRR the mean of one over the place of the first right candidate;
recall at 5 the share of texts that have a right one among the first five; nDCG counts all right ones (gain 1, discount
log₂(1 + place)).  Where several candidates are equally likely, all their orders count the same, so that a model that
knows nothing has what chance has.  With one right candidate and no equal ones, MRR is scikit-learn's
`label_ranking_average_precision_score`, recall at k its `top_k_accuracy_score`, and nDCG its `ndcg_score`.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metaglot.data.candidates import Choice
from metaglot.families.scoring import Scored, calibration_bins, calibration_error
from metaglot.metric import ACCURACY, ECE, Measures, Metric, share

MRR = Metric("mrr", "MRR", low=0.0, high=1.0, meaning="mean of one over the place of the first right candidate")
RECALL = share("recall5", "recall at 5", meaning="share of texts that have a right candidate among the first five")
NDCG = Metric("ndcg", "nDCG", low=0.0, high=1.0, meaning="nDCG of all candidates; a right one gains one")
CHOICE_MEASURES: Measures = (ACCURACY, MRR, RECALL, NDCG, ECE)


class Ranked(NamedTuple):
    """How one text is judged."""

    right: float  # the chance that the first candidate is right
    reciprocal: float  # the mean of one over the place of the first right candidate
    among: float  # the chance that a right one is among the first five
    gain: float  # nDCG


def scored_choices(predicted: Sequence[Choice], truth: Sequence[Choice]) -> Scored:
    """Return the scores of choices; one without probabilities says nothing of the other candidates."""
    ranked = [_ranked(found, real) for found, real in zip(predicted, truth, strict=True)]
    sure = np.array([1.0 if one.probability is None else one.probability for one in predicted])
    hits = np.array([found.number in real.right for found, real in zip(predicted, truth, strict=True)])
    means = np.array(ranked).mean(0).tolist()
    names = (ACCURACY.name, MRR.name, RECALL.name, NDCG.name)
    metrics = dict(zip(names, means, strict=True)) | {ECE.name: calibration_error(sure, hits)}
    return Scored(metrics, CHOICE_MEASURES, calibration_bins(sure, hits))


def _ranked(found: Choice, real: Choice) -> Ranked:
    """Return how a text is judged; chances that differ in their last bits alone are equal."""
    count = max(len(found.probabilities), max(real.right) + 1, found.number + 1)
    chances = np.zeros(count)
    chances[: len(found.probabilities)] = [float(f"{one:.9e}") for one in found.probabilities]
    if not found.probabilities:
        chances[found.number] = 1.0
    right = np.zeros(count)
    right[list(real.right)] = 1.0
    first, ties, hits = _first_block(chances, right)
    places = first + np.arange(ties - hits + 1)  # of the first right one among its equals, from 0
    odds = _first_at(ties, hits)
    return Ranked(
        float(odds[0]) if first == 0 else 0.0,
        float((odds / (1 + places)).sum()),
        float(odds[places < 5].sum()),
        _gain(chances, right),
    )


def _first_block(chances: np.ndarray, right: np.ndarray) -> tuple[int, int, int]:
    """Return how many stand before the best right candidate, how many are its equals, and how many of those right."""
    best = chances[right > 0].max()
    equal = chances == best
    return int((chances > best).sum()), int(equal.sum()), int(right[equal].sum())


def _first_at(ties: int, hits: int) -> np.ndarray:
    """Return the chance that the first of `hits` right ones among `ties` in any order stands at each place."""
    odds, left = [], 1.0
    for place in range(ties - hits + 1):
        here = hits / (ties - place)
        odds.append(left * here)
        left *= 1 - here
    return np.array(odds)


def _gain(chances: np.ndarray, right: np.ndarray) -> float:
    """Return nDCG, equal candidates with the mean of their gains."""
    discount = 1 / np.log2(np.arange(len(chances)) + 2)
    _, block, counts = np.unique(-chances, return_inverse=True, return_counts=True)
    gains = np.bincount(block, weights=right) / counts
    sums = np.add.reduceat(discount, np.concatenate([[0], counts.cumsum()[:-1]]))
    return float((gains * sums).sum() / discount[: int(right.sum())].sum())
