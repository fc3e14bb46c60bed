"""The tables of a benchmark, on made-up results."""

from dataclasses import replace

import pytest

from metaglot.evaluation.statistics import differences, macro_interval
from metaglot.report.benchmark import benchmark
from metaglot.report.summary import macro_mean, scores


@pytest.fixture(name="groups")
def _groups(results):
    """The second group: one task, and finetune judged on one draw at 1 shot only; memory known of some."""
    small = [replace(r, task="d", peak_mb=700.0 + r.draw) for r in results if r.task == "a"]
    return {"g": results, "h": [r for r in small if r.method != "finetune" or (r.shot, r.draw) == (1, 0)]}


def row(grid, name):
    return next([cell.text for cell in row] for row in grid.rows if row[0].text == name)


def test_accuracy(groups):
    grid = benchmark(groups, "ours-fast")[0]
    assert grid.columns == ("method", "g, 1", "g, 5", "h, 1", "h, 5")
    whole = macro_mean(groups["g"], 1, "frozen-lr")
    assert row(grid, "frozen-lr")[1] == f"{100 * whole.mean:.1f} ± {100 * whole.half:.1f}"
    assert row(grid, "finetune")[3:] == ["55.0", "–"]
    assert "g: 3 tasks, h: 1 tasks" in grid.note
    best = {grid.columns[n]: r[0].text for r in grid.rows for n, cell in enumerate(r) if cell.tone == "best"}
    assert best == {"g, 1": "finetune", "g, 5": "finetune", "h, 1": "ours-fast", "h, 5": "ours-fast"}


def test_gains_are_paired_and_on_what_both_have(groups):
    grid = benchmark(groups, "ours-fast")[1]
    assert grid.title == "What ours-fast gains"
    assert [r[0].text for r in grid.rows] == ["better frozen", "tfidf", "frozen-proto", "frozen-lr", "finetune"]
    pairs = differences(scores(groups["g"], "ours-fast", 1), scores(groups["g"], "tfidf", 1))
    interval = macro_interval(pairs)
    assert row(grid, "tfidf")[1] == f"{100 * interval.mean:+.1f} ± {100 * interval.half:.1f}"
    assert row(grid, "finetune")[3:] == ["+2.0", "–"]  # one draw: no interval
    assert row(grid, "better frozen")[2] == row(grid, "frozen-lr")[2]
    fewer = {"g": [r for r in groups["g"] if r.method != "tfidf" or r.task != "c"]}
    assert row(benchmark(fewer, "ours-fast")[1], "tfidf")[1].endswith("(2)")


def test_costs(groups):
    grid = benchmark(groups, "ours-fast")[2]
    found = {(r[0].text, r[1].text): [cell.text for cell in r[2:]] for r in grid.rows}
    assert found["tfidf", "1"][:2] == ["0.50", "702"]
    assert found["tfidf", "1"][3] == "10.0"
    assert len(found) == 5 * 2


def test_costs_of_a_part_of_the_tasks_are_marked(groups):
    fewer = {"g": [r for r in groups["g"] if r.method != "tfidf" or r.task != "c"]}
    grid = benchmark(fewer, "ours-fast")[2]
    found = {(r[0].text, r[1].text): [cell.text for cell in r[2:]] for r in grid.rows}
    assert [text.endswith(" (2)") for text in found["tfidf", "1"]] == [False, False, True, True]
    assert not any(text.endswith(")") for text in found["ours-fast", "1"])
