"""A line of results.jsonl: scores by the names of their metrics; lines of the first form are read too."""

import json
from dataclasses import asdict, replace

import pytest

from metaglot.evaluation.result import parse_row, row_of
from metaglot.evaluation.store import append, read_results
from metaglot.metric import ACCURACY, CLASSIFICATION, Metric, error_metric

MAE = error_metric("mae", "MAE", "stars")
MEASURES = (MAE, Metric("spearman", "Spearman's ρ", low=-1.0, high=1.0))
FIRST = {"task": "a", "shot": 1, "draw": 0, "method": "m", "accuracy": 0.5, "macro_f1": 0.4, "ece": 0.1}
FIRST |= {"cpu_seconds": 1.0, "queries": 5, "support": 2, "seed": 0, "model": "m", "bins": [[1, 5, 2.5, 3]]}


def line(row):
    return json.dumps(row).encode()


def test_a_line_of_the_first_form():
    found = parse_row(line(FIRST))
    assert found.metrics == {"accuracy": 0.5, "macro_f1": 0.4, "ece": 0.1}
    assert (found.measures, found.metric, found.score) == (CLASSIFICATION, ACCURACY, 0.5)
    assert row_of(found) == {
        **{name: value for name, value in FIRST.items() if name not in found.metrics},
        "metrics": found.metrics,
        "bins": (found.bins[0],),
        "peak_mb": None,
    }
    assert parse_row(line(row_of(found))) == found


def test_results_of_another_kind_say_what_they_are_measured_by(results, tmp_path):
    other = replace(results[0], metrics={"mae": 0.7, "spearman": -0.2}, measures=MEASURES)
    for one in (results[1], other):
        append(tmp_path, one)
    assert read_results(tmp_path) == [results[1], other]
    rows = [json.loads(text) for text in (tmp_path / "results.jsonl").read_text().splitlines()]
    assert "measures" not in rows[0]
    assert rows[1]["measures"][0] == {"name": "mae", "title": "MAE", "unit": "stars", "better": "lower", "low": 0.0}
    assert (other.metric, other.score) == (MAE, 0.7)
    assert parse_row(line(asdict(other))) == other, "descriptions in full are read too"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"metrics": {}}, "primary"),
        ({"metrics": {"macro_f1": 0.5}}, "primary"),
        ({"metrics": {"accuracy": "0.5"}}, r"metrics\.accuracy|valid number"),
        ({"metrics": {"accuracy": float("nan")}}, "finite"),
        ({"measures": []}, "primary"),
        ({"measures": [{"name": "mae", "better": "less"}]}, "higher"),
        ({"metrics": None}, "metrics"),
    ],
)
def test_lines_that_are_no_results(results, wrong, said):
    with pytest.raises(ValueError, match=said):
        parse_row(line({**row_of(results[0]), **wrong}))
