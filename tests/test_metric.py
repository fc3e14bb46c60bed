import math
from dataclasses import asdict, replace

import pytest

from metaglot.metric import ACCURACY, CLASSIFICATION, ECE, Metric, error_metric, metrics_by_name, share

MAE = error_metric("mae", "MAE", "stars")


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
    assert (ACCURACY.format(0.7104), ACCURACY.format_with_unit(0.7104), ACCURACY.axis) == (
        "71.0",
        "71.0 %",
        "accuracy in %",
    )
    assert (ACCURACY.format_gain(0.081), ACCURACY.format_gain_size(-0.081), ACCURACY.gain_title) == (
        "+8.1",
        "8.1 points",
        "points of accuracy",
    )
    assert (MAE.format(0.7334), MAE.format_with_unit(0.7334), MAE.axis) == ("0.733", "0.733 stars", "MAE in stars")
    assert (MAE.format_gain(-0.02), MAE.format_gain_size(-0.02), MAE.gain_title) == (
        "-0.020",
        "0.020 stars",
        "stars of MAE",
    )
    plain = Metric("rank_correlation", low=-1.0, high=1.0)
    assert (plain.words, plain.heading) == ("rank correlation", "Rank correlation")
    assert (plain.axis, plain.format_with_unit(0.5), plain.format_gain_size(0.5), plain.gain_title) == (
        *("rank correlation", "0.500", "0.500", "rank correlation"),
    )
    assert (ACCURACY.direction, MAE.direction) == ("", " (less is better)")


def test_the_bounds_of_a_score():
    assert [ACCURACY.in_bounds(score) for score in (0.0, 1.0, -0.1, 1.1, math.nan)] == [True, True, False, False, False]
    assert [MAE.in_bounds(score) for score in (0.0, 1e9, -0.1)] == [True, True, False]


def test_unlike_units_are_unlike_metrics():
    assert error_metric("mae", "MAE", "minutes") != MAE
    assert share("accuracy") == ACCURACY
    for change in ({"name": "x"}, {"unit": "m"}, {"better": "higher"}, {"scale": 10.0}, {"low": None}, {"high": 9.0}):
        assert replace(MAE, **change) != MAE
    assert list(metrics_by_name(CLASSIFICATION)) == ["accuracy", "macro_f1", "ece"]


def test_a_metric_in_other_words_is_the_same():
    reworded = replace(MAE, title="mean absolute error", digits=2, meaning="how far off")
    assert reworded == MAE
    assert len({reworded, MAE}) == 1


@pytest.mark.parametrize("metric", [*CLASSIFICATION, MAE, Metric("x")])
def test_a_short_description_is_the_whole_metric(metric):
    assert asdict(Metric(**metric.to_json())) == asdict(metric)
    assert Metric("x").to_json() == {"name": "x"}
