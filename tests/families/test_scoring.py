"""Scores of numbers by their order."""

import math

import numpy as np
import pytest

from metaglot.families.scoring import ndcg, rank_correlation


def by_hand(predicted, truth, first=5):
    gains = np.asarray(truth) - min(truth)
    places = 1 / np.log2(np.arange(2, first + 2))
    order, best = np.argsort(-np.asarray(predicted))[:first], np.sort(gains)[::-1][:first]
    return float((gains[order] * places[: len(order)]).sum() / (best * places[: len(best)]).sum())


@pytest.mark.parametrize("count", [2, 4, 9])
def test_ndcg_is_its_formula(count):
    rng = np.random.default_rng(count)
    truth, predicted = rng.normal(size=count) - 3, rng.normal(size=count)
    assert ndcg(list(predicted), list(truth)) == pytest.approx(by_hand(predicted, truth))
    assert ndcg(list(3 * truth + 7), list(truth)) == pytest.approx(1.0)


def test_where_nothing_is_to_be_ordered():
    assert ndcg([0.3], [2.0]) == 1.0
    assert ndcg([0.3, 0.1], [2.0, 2.0]) == 1.0
    assert rank_correlation([1.0, 1.0], [1.0, 2.0]) == 0.0


def test_equal_predictions_share_their_places():
    assert ndcg([1.0, 1.0], [0.0, 1.0]) == pytest.approx((1 + 1 / math.log2(3)) / 2)
