"""benchmarks/golden.py: rows are set beside the published ones in four digits, and beside kept ones in all digits."""

import json
from dataclasses import replace

import pytest

from metaglot.evaluation import Result


@pytest.fixture(scope="module")
def golden(benchmark_called):
    return benchmark_called("golden")


@pytest.fixture
def rows() -> list[Result]:
    numbers = {"accuracy": 2 / 3, "macro_f1": 0.1 + 0.2, "ece": 0.0123456789}
    common = {"draw": 0, "cpu_seconds": 1.0, "queries": 9, "support": 8, "seed": 0, "model": "m"}
    return [
        Result(task="topics", shot=shot, method=method, metrics=numbers, **common)
        for shot in (4, 8)
        for method in ("tfidf", "ours-instant")
    ]


def test_what_was_kept_holds_all_digits(golden, rows, tmp_path):
    file = tmp_path / "golden.json"
    golden.keep(rows, file, {"torch": "2"})
    before = golden.kept(file)
    assert set(before) == {
        (model, method, "topics", shots, "0")
        for model, method in (("base", "tfidf"), ("mini", "ours-instant"))
        for shots in ("4", "8")
    }
    assert list(golden.changed(rows, before, golden.all_digits)) == []
    other = replace(rows[1], metrics={**rows[1].metrics, "macro_f1": 0.3})
    found = list(golden.changed([rows[0], other], before, golden.all_digits))
    assert found == ["mini ours-instant topics 4 0: macro_f1 0.30000000000000004 -> 0.3"]
    assert json.loads(file.read_text())["environment"] == {"torch": "2"}


def test_published_rows_are_of_four_digits(golden, rows):
    before = {golden.key_of(row): {"accuracy": "0.6667", "macro_f1": "0.3000", "ece": "0.0123"} for row in rows}
    assert list(golden.changed(rows, before)) == []
    assert golden.distance(rows, before) == "accuracy: -0.0000 on average, at most 0.0000 apart"
    before[golden.key_of(rows[0])]["ece"] = "0.0124"
    assert list(golden.changed(rows, before)) == ["base tfidf topics 4 0: ece 0.0124 -> 0.0123"]


def test_the_published_rows_have_the_same_fields(golden):
    before = golden.published()
    assert ("base", "tfidf", "agnews-test", "4", "0") in before
    assert all(set(row) == set(golden.NUMBERS) for row in before.values())
