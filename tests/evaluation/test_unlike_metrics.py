"""Metrics of which less is better, and tasks of unlike metrics, from results to the page: signs, bold cells, no mean.

A mirror proves the signs: with the error, 1 − accuracy, in place of accuracy, each gain, test, rank
and colour must be the same.
"""

import json
from dataclasses import replace

import numpy as np
import pytest

from metaglot.errors import MetaglotError
from metaglot.evaluation.store import append
from metaglot.metric import Metric, error_metric, share
from metaglot.report import gather
from metaglot.report.benchmark import benchmark
from metaglot.report.charts import cpu_chart, difference_chart, method_chart, ranking_chart, shots_chart
from metaglot.report.comparison import compare_methods, strongest_rival
from metaglot.report.grids import other_metrics
from metaglot.report.headline import headline
from metaglot.report.numbers import numbers
from metaglot.report.page import html, markdown_report, report_of
from metaglot.report.report_data import ReportData
from metaglot.report.summary import better_frozen_arm, by_metric, macro_mean, mean_score, metric_of, ranking, scores
from metaglot.report.table import grids, markdown

ERROR = share("error", better="lower")
MAE = error_metric("mae", "MAE", "stars")
RHO = Metric("spearman", "Spearman's ρ", low=-1.0, high=1.0)


@pytest.fixture(name="noisy")
def _noisy(results):
    rng = np.random.default_rng(0)
    return [replace(r, metrics={**r.metrics, "accuracy": r.score + rng.normal(0, 0.03)}, bins=()) for r in results]


@pytest.fixture(name="mirrored")
def _mirrored(noisy):
    """The same results by their error."""
    return [replace(r, metrics={"error": 1 - r.score}, measures=(ERROR,)) for r in noisy]


@pytest.fixture(name="films")
def _films(noisy):
    """Ratings of two sets of films by MAE, less of it for better methods; ours is the best."""
    kept = [r for r in noisy if r.task != "c"]
    scored = [({"mae": 2 * (1 - r.score), "spearman": r.score}, r) for r in kept]
    return [replace(r, task=f"films {r.task}", metrics=m, measures=(MAE, RHO), model="r") for m, r in scored]


def cells(grid):
    return [[(cell.text, cell.tone) for cell in row] for row in grid.rows]


def test_gains_tests_and_ranks_are_those_of_the_mirror(noisy, mirrored):
    pairs = list(zip(compare_methods(noisy), compare_methods(mirrored), strict=True))
    assert len(pairs) == 15
    for one, other in pairs:
        assert (one.rival, one.shot, other.metric) == (other.rival, other.shot, ERROR)
        for part in ("draws", "tasks", "effect"):
            assert getattr(other, part) == pytest.approx(getattr(one, part), nan_ok=True)
        assert (other.p_draws, other.p_tasks) == pytest.approx((one.p_draws, one.p_tasks), nan_ok=True)
        assert other.win_share == one.win_share
        assert list(other.means) == list(one.means)
        assert other.means == pytest.approx(one.means)
    assert [strongest_rival(compare_methods(found)).rival for found in (noisy, mirrored)] == ["finetune"] * 2
    assert better_frozen_arm(mirrored, 5) == better_frozen_arm(noisy, 5)
    ranks, other = ranking(noisy), ranking(mirrored)
    assert other.methods == ranks.methods
    assert other.ranks == pytest.approx(ranks.ranks)


def test_results_written_before_a_metric_was_reworded_stand_beside_the_new(films, tmp_path):
    before = replace(MAE, title="mean error", digits=2, meaning="how many stars off")
    half = [replace(r, measures=(before, RHO)) if r.draw % 2 else r for r in films]
    for result in half:
        append(tmp_path, result)
    read = gather([tmp_path]).results
    assert {r.metric.title for r in read} == {"mean error", "MAE"}
    assert list(by_metric(read)) == [metric_of(read)] == [MAE]
    assert [c.means for c in compare_methods(read)] == [c.means for c in compare_methods(films)]


def test_bold_cells_and_colours_are_those_of_the_mirror(noisy, mirrored):
    one, other = grids(noisy), grids(mirrored)
    assert [grid.title for grid in one] == [*(grid.title for grid in other), "Calibration"]
    tones = 0
    for grid, mirror in zip(one, other, strict=False):
        assert [[tone for _, tone in row] for row in cells(grid)] == [
            [tone for _, tone in row] for row in cells(mirror)
        ]
        tones += sum(tone != "" for row in cells(grid) for _, tone in row)
    assert tones > 20
    assert cells(one[2]) == cells(other[2]), "paired differences, to the digit"
    for grid, mirror in zip(
        benchmark({"g": noisy}, "ours-fast")[:2], benchmark({"g": mirrored}, "ours-fast"), strict=False
    ):
        assert [[tone for _, tone in row] for row in cells(grid)] == [
            [tone for _, tone in row] for row in cells(mirror)
        ]


def test_words_say_which_way_is_better(noisy, mirrored, films):
    assert "in error" not in headline(noisy)
    said, mirror = headline(noisy), headline(mirrored)
    assert "points below finetune, the strongest of 4 baselines, over 3 tasks" in said
    assert "points above finetune, the strongest of 4 baselines in error, where less is better, over 3 tasks" in mirror
    assert said.split("; it loses")[1] == mirror.split("; it loses")[1]
    assert "% interval of the gain over draws" in mirror
    rated = headline(films)
    assert "stars below" in rated
    assert "in MAE, where less is better" in rated
    assert "it loses none of the 2 tasks" in rated
    tables = {grid.title: grid for grid in grids(films)}
    assert tables["Every task"].note.startswith("MAE in stars (less is better), mean over up to 4 draws")
    assert tables["Every task"].columns[-1] == "finetune − ours-fast"
    assert tables["Paired differences"].note.startswith("The other minus ours-fast, in stars of MAE on the same draws")
    assert tables["Where it wins and loses"].columns[2:4] == ("better frozen −", "tfidf −")
    assert "Mean rank by MAE" not in str(tables.keys())
    best = [row[0].text for row in tables["Mean over tasks"].rows for cell in row if cell.tone == "best"]
    assert best == ["all 2"] * 2
    assert all(row[-1].tone == "best" for row in tables["Mean over tasks"].rows), "ours has the least error"
    assert [row[0].text for row in tables["Other metrics"].rows] == ["Spearman's ρ"] * 2


def test_pictures_are_in_the_unit_of_the_metric(films):
    for picture in (method_chart(films), shots_chart(films), cpu_chart(films)):
        assert "MAE in stars (less is better)" in picture
        assert "ccuracy" not in picture
    gains = difference_chart(compare_methods(films))
    assert "each baseline minus ours-fast" in gains
    assert "stars of MAE" in gains
    found = macro_mean(films, 5, "ours-fast")
    assert f"{found.mean:.3f} ± {found.half:.3f}" in method_chart(films)
    assert ranking_chart(ranking(films)).count("ours-fast 1.00") == 1


def test_no_mean_is_taken_over_unlike_metrics(noisy, films):
    mixed = [*noisy, *films]
    for mean in (
        lambda: metric_of(mixed),
        lambda: scores(mixed, "tfidf", 5),
        lambda: macro_mean(mixed, 5, "tfidf"),
        lambda: ranking(mixed),
        lambda: method_chart(mixed),
    ):
        with pytest.raises(MetaglotError, match=r"accuracy in %; MAE in stars \(less is better\).*no mean"):
            mean()
    minutes = [replace(r, measures=(replace(MAE, unit="minutes"), RHO)) for r in films]
    assert len(by_metric([*films, *minutes])) == 2
    halves = [replace(r, measures=(MAE, replace(RHO, unit="halves"))) if r.task == "films a" else r for r in films]
    a, b = (mean_score(halves, 5, "tfidf", metric) for metric in (RHO, replace(RHO, unit="halves")))
    assert a == pytest.approx(_mean(films, "films b", 5, "tfidf"))
    assert b == pytest.approx(_mean(films, "films a", 5, "tfidf"))
    assert len(other_metrics(halves).rows) == 2 * 2


def test_tasks_of_unlike_metrics_have_tables_and_sentences_of_their_own(noisy, films):
    mixed = [r for pair in zip(noisy, [*films, *[None] * (len(noisy) - len(films))], strict=True) for r in pair if r]
    apart = [*compare_methods(noisy), *compare_methods(films)]
    assert [(c.metric, c.draws) for c in compare_methods(mixed)] == [(c.metric, c.draws) for c in apart]
    said = headline(mixed)
    assert said.count("ours-fast is ") == 2
    assert "in accuracy, over 3 tasks" in said
    assert said.endswith(headline(films))
    alone = {f"{grid.title}: {axis}": cells(grid) for axis, part in _parts(noisy, films) for grid in grids(part)}
    assert {grid.title: cells(grid) for grid in grids(mixed)} == alone
    tables = benchmark({"g": noisy, "h": films}, "ours-fast")
    assert [grid.title for grid in tables] == [
        *("Accuracy in %", "What ours-fast gains: accuracy in %", "Cost, F1, calibration: accuracy in %"),
        *(
            "MAE in stars (less is better)",
            "What ours-fast gains: MAE in stars",
            "Cost and other metrics: MAE in stars",
        ),
    ]
    assert tables[0].columns == ("method", "g, 1", "g, 5")
    assert tables[3].columns == ("method", "h, 1", "h, 5")
    assert tables[5].columns[-1] == "Spearman's ρ"
    titles = [grid.title for grid in grids(mixed, leave_out=["c"])]
    assert titles[2] == "Paired differences: accuracy in %"
    assert "Paired differences without c: accuracy in %" in titles
    assert not [title for title in titles if "without" in title and "MAE" in title]


def _mean(results, task, shot, method):
    return np.mean([r.metrics["spearman"] for r in results if (r.task, r.shot, r.method) == (task, shot, method)])


def test_folders_that_judge_a_cell_by_unlike_metrics_are_not_one(films, tmp_path):
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder, one in zip(folders, (films[0], replace(films[0], measures=(RHO, MAE))), strict=True):
        folder.mkdir()
        append(folder, one)
        (folder / "settings.json").write_text('{"seed": 0}')
    with pytest.raises(MetaglotError, match=r"has MAE .* in one and Spearman's ρ .* in the other"):
        gather(folders)


def _parts(noisy, films):
    return (("accuracy in %", noisy), ("MAE in stars", films))


def test_the_page_of_unlike_metrics(noisy, films, tmp_path):
    for one in [*noisy, *films]:
        append(tmp_path, one)
    (tmp_path / "settings.json").write_text('{"seed": 0}')
    report_data = gather([tmp_path], leave_out=["films a"])
    assert list(report_data.results) == [*noisy, *films]
    report = report_of(report_data)
    titles = [section.title for section in report.sections]
    assert titles[:2] == ["Accuracy in %", "Task by task: accuracy in %"]
    assert {"MAE in stars (less is better)", "Ranks: MAE in stars", "Other metrics: MAE in stars"} <= set(titles)
    page, text = html(report), markdown_report(report)
    for part in (page, text):
        assert "Paired differences without films a" in part
    assert markdown(list(report_data.results)).count("**Mean over tasks") == 2
    found = json.loads(json.dumps(numbers(report_data)))
    assert [metric["name"] for metric in found["metrics"]] == ["accuracy", "macro_f1", "ece", "mae", "spearman"]
    assert found["metrics"][3] == {"name": "mae", "title": "MAE", "unit": "stars", "better": "lower", "low": 0.0}
    ours = [row for row in found["macro"] if row["method"] == "ours-fast" and row["shot"] == 5]
    assert [row["metric"] for row in ours] == ["accuracy", "mae"]
    assert ours[1]["mae"]["mean"] == pytest.approx(macro_mean(films, 5, "ours-fast").mean)
    assert ours[1]["spearman"] == pytest.approx(
        np.mean([r.metrics["spearman"] for r in films if r.method == "ours-fast" and r.shot == 5])
    )
    assert found["ranks"] is None
    assert {one["metric"] for one in found["ranks_by_metric"]} == {"accuracy", "mae"}
    gains = {(c["metric"], c["against"]): c["over_draws"]["mean"] for c in found["comparisons"] if c["shot"] == 5}
    assert gains["mae", "tfidf"] > 0


def test_numbers_of_one_metric(noisy):
    found = numbers(ReportData("it", noisy))
    assert found["macro"][0].keys() >= {"accuracy", "macro_f1", "ece", "cpu_seconds"}
    assert found["ranks"] == {k: v for k, v in found["ranks_by_metric"][0].items() if k != "metric"}
    assert {row["metric"] for part in ("macro", "by_task", "comparisons") for row in found[part]} == {"accuracy"}
