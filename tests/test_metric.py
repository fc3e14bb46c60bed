import math
from dataclasses import asdict, replace

import pytest

from metaglot.metric import ACCURACY, CLASSIFICATION, ECE, Metric, by_name, least_loss, share

MAE = least_loss("mae", "MAE", "stars")


@pytest.mark.parametrize(("metric", "ours", "theirs"), [(ACCURACY, 0.9, 0.7), (MAE, 0.7, 0.9), (ECE, 0.01, 0.2)])
def test_a_gain_is_positive_where_ours_is_better(metric, ours, theirs):
    assert metric.gain(ours, theirs) == pytest.approx(abs(ours - theirs))
    assert metric.gain(theirs, ours) == pytest.approx(-abs(ours - theirs))
    assert metric.best([theirs, ours, theirs]) == ours
    assert metric.best([]) is None
    assert metric.reaches(ours, theirs)
    assert metric.reaches(ours, ours)
    assert not metric.reaches(theirs, ours)
    assert not metric.reaches(math.nan, theirs)


def test_how_scores_and_gains_are_written():
    assert (ACCURACY.shown(0.7104), ACCURACY.with_unit(0.7104), ACCURACY.axis) == ("71.0", "71.0 %", "accuracy in %")
    assert (ACCURACY.shown_gain(0.081), ACCURACY.gap(-0.081), ACCURACY.gains) == (
        "+8.1",
        "8.1 points",
        "points of accuracy",
    )
    assert (MAE.shown(0.7334), MAE.with_unit(0.7334), MAE.axis) == ("0.733", "0.733 stars", "MAE in stars")
    assert (MAE.shown_gain(-0.02), MAE.gap(-0.02), MAE.gains) == ("-0.020", "0.020 stars", "stars of MAE")
    plain = Metric("rank_correlation", low=-1.0, high=1.0)
    assert (plain.words, plain.heading) == ("rank correlation", "Rank correlation")
    assert (plain.axis, plain.with_unit(0.5), plain.gap(0.5), plain.gains) == (
        *("rank correlation", "0.500", "0.500", "rank correlation"),
    )
    assert (ACCURACY.direction, MAE.direction) == ("", " (less is better)")


def test_the_bounds_of_a_score():
    assert [ACCURACY.can_be(score) for score in (0.0, 1.0, -0.1, 1.1, math.nan)] == [True, True, False, False, False]
    assert [MAE.can_be(score) for score in (0.0, 1e9, -0.1)] == [True, True, False]


def test_unlike_units_are_unlike_metrics():
    assert least_loss("mae", "MAE", "minutes") != MAE
    assert share("accuracy") == ACCURACY
    for change in ({"name": "x"}, {"unit": "m"}, {"better": "higher"}, {"scale": 10.0}, {"low": None}, {"high": 9.0}):
        assert replace(MAE, **change) != MAE
    assert list(by_name(CLASSIFICATION)) == ["accuracy", "macro_f1", "ece"]


def test_a_metric_in_other_words_is_the_same():
    reworded = replace(MAE, title="mean absolute error", digits=2, meaning="how far off")
    assert reworded == MAE
    assert len({reworded, MAE}) == 1


@pytest.mark.parametrize("metric", [*CLASSIFICATION, MAE, Metric("x")])
def test_a_short_description_is_the_whole_metric(metric):
    assert asdict(Metric(**metric.described())) == asdict(metric)
    assert Metric("x").described() == {"name": "x"}
