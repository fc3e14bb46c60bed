"""Errors in the unit of a task's numbers: tasks of unlike scales are shown one by one, and have no mean."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest

from metaglot.evaluation import Plan, TaskSet, evaluate, read_results
from metaglot.evaluation.baselines import baselines, ours
from metaglot.evaluation.store import append
from metaglot.families.number_scores import MAE, NUMBER_MEASURES
from metaglot.metric import with_span
from metaglot.report.benchmark import benchmark
from metaglot.report.comparison import compare_methods
from metaglot.report.headline import headline
from metaglot.report.scales import have_same_scale, with_common_scales
from metaglot.report.summary import by_metric, macro_mean, tasks_of
from metaglot.report.table import grids

THINGS = [f"the {thing} is {state}" for thing in ("lamp", "drill", "kettle") for state in ("new", "old", "loud", "hot")]
RATED = [1.0, 2.5, 5.0, 3.0, 4.0, 1.5, 2.0, 3.5, 5.0, 1.0, 4.5, 2.0]
PRICES = [1000 * number for number in RATED]


def write(name: str, numbers: list[float], domains: list[str] | None = None) -> str:
    with Path(name).open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "domain"])
        rows.writerows(zip(THINGS, numbers, domains or ["one"] * len(THINGS), strict=True))
    return name


@pytest.fixture(name="judged")
def _judged(tmp_path, monkeypatch, metaglot, tiny):
    """Return a function that evaluates files, from their names to their results."""
    monkeypatch.chdir(tmp_path)

    def judged(*files: str, options: tuple[str, ...] = ()):
        asked = (
            "--shots",
            "3",
            "--draws",
            "2",
            "--efforts",
            "instant",
            "--against",
            "prior,tfidf",
            "--task",
            "regression",
        )
        said = metaglot(
            "evaluate", tiny, *files, *asked, *options, "--task", "regression", "--jobs", "1", "--out", "out"
        )
        assert said.code == 0, said.err
        return read_results("out"), said.out

    return judged


def test_ratings_and_prices_have_no_common_mean(judged):
    results, shown = judged(write("stars.csv", RATED), write("prices.csv", PRICES))
    assert {r.task: r.metric.span for r in results} == {"stars": (1.0, 5.0), "prices": (1000.0, 5000.0)}
    parts = by_metric(results)
    assert [tasks_of(part) for part in parts.values()] == [["stars"], ["prices"]]
    assert [metric.words for metric in parts] == ["MAE of numbers from 1 to 5", "MAE of numbers from 1000 to 5000"]
    assert "Mean over tasks" not in shown
    assert "MAE of numbers from 1000 to 5000" in shown
    assert {tuple(one.means) for one in compare_methods(results)} == {("stars",), ("prices",)}
    assert headline(results).count("MAE of numbers from") == 2
    titles = [grid.title for grid in grids(results, leave_out=["prices"])]
    assert not any(title.startswith("Mean over tasks") for title in titles)
    for part in ("stars", "prices"):
        (cell,) = {row[1].text for grid in grids(results) for row in grid.rows if row[0].text == part} - {"–"} or {""}
        assert cell == "3"  # each is shown, at its number of shots


def test_files_of_one_scale_have_a_mean_as_before(judged):
    results, shown = judged(write("a.csv", RATED), write("b.csv", [max(1.2, number - 0.2) for number in RATED]))
    (metric,) = by_metric(results)
    assert (metric, metric.words) == (MAE, "MAE")
    assert "Mean over tasks" in shown
    assert macro_mean(by_metric(results)[metric], 3, "ours-instant") is not None


def test_domains_of_one_file_have_its_scale_whatever_their_own_numbers_are(judged):
    domains = ["anna" if number < 3 else "ben" for number in RATED]
    results, shown = judged(write("films.csv", RATED, domains), options=("--by-domain",))
    assert {r.task: r.metric.span for r in results} == {"films/anna": (1.0, 5.0), "films/ben": (1.0, 5.0)}
    assert [metric.words for metric in by_metric(results)] == ["MAE"]
    assert "Mean over tasks" in shown


def test_rows_that_say_nothing_of_their_scale_stay_together_and_apart_from_others(judged):
    results, _ = judged(write("stars.csv", RATED))
    earlier = [replace(r, task=f"{name}", measures=NUMBER_MEASURES) for r in results for name in ("old", "older")]
    assert [metric.words for metric in by_metric(earlier)] == ["MAE"]
    assert [tasks_of(part) for part in by_metric([*earlier, *results]).values()] == [["old", "older"], ["stars"]]
    Path("kept").mkdir()
    for result in [*earlier, *results]:
        append(Path("kept"), result)
    assert read_results("kept") == [*earlier, *results]
    row = json.loads(Path("kept/results.jsonl").read_text("utf-8").splitlines()[-1])
    assert row["measures"][0] == {"name": "mae", "title": "MAE", "better": "lower", "low": 0.0} | {
        "of_targets": True,
        "span": [1.0, 5.0],
    }


def test_a_benchmark_of_groups_keeps_scales_apart_too(judged):
    results, _ = judged(write("stars.csv", RATED), write("prices.csv", PRICES))
    stars = [r for r in results if r.task == "stars"]
    titles = [grid.title for grid in benchmark({"both": results, "stars": stars}, "ours-instant")]
    assert sum("1000 to 5000" in title for title in titles) == sum("1 to 5" in title for title in titles) > 0
    again = with_common_scales(with_common_scales(results))
    assert again == with_common_scales(results) == results


def test_spans_are_alike_where_their_ends_are_as_good_as_the_same():
    assert have_same_scale((1, 5), (1.3, 5))
    assert not have_same_scale((1, 5), (0, 10))
    assert not have_same_scale((1, 5), (1, 4))
    assert not have_same_scale(None, (1, 5))
    assert with_span((MAE,), (1.0, 5.0))[0] != MAE


def test_python_judges_in_the_scale_of_a_file_too(tmp_path, monkeypatch, tiny):
    from metaglot import load

    monkeypatch.chdir(tmp_path)
    tasks = TaskSet.load_all(write("films.csv", RATED, ["a"] * 6 + ["b"] * 6), task="regression", by_domain=True)
    methods = [*ours(load(tiny), ["instant"]), *baselines(["prior"], load(tiny))]
    found = list(evaluate(tasks, methods, Plan(shots=[3], draws=1, queries=3, seed=0)))
    assert {r.metric.span for r in found} == {(1.0, 5.0)}
