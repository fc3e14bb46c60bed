from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from metaglot.errors import MetaglotError
from metaglot.evaluation import Result
from metaglot.evaluation.statistics import cohen_dz, holm, paired_t, rank_methods, signed_rank, t_interval
from metaglot.report import markdown, terminal
from metaglot.report.comparison import compare_methods, strongest_rival
from metaglot.report.grids import Grid
from metaglot.report.summary import better_frozen_arm, cpu_seconds, macro_mean, mean_ece, ranking, scores, without_tasks
from metaglot.report.table import grids


def scored(result: Result, accuracy: float) -> Result:
    return replace(result, metrics={**result.metrics, "accuracy": accuracy})


def _grid(results: list[Result], title: str, **options: Any) -> Grid:
    return next(grid for grid in grids(results, **options) if grid.title == title)


def test_macro_means_and_differences_by_hand(results: list[Result]) -> None:
    # frozen-lr at 5 shots: 0.50 + 0.10 + 0.01 · draw on the mean task
    assert macro_mean(results, 5, "frozen-lr") == pytest.approx(t_interval([0.60, 0.61, 0.62, 0.63]))
    found = {(c.shot, c.rival.split(" (")[0]): c for c in compare_methods(results)}
    assert len(found) == 3 * 5
    assert found[5, "frozen-lr"].draws.mean == pytest.approx(0.05 - 0.15 / 3)
    assert found[5, "frozen-lr"].by_task["c", 5].mean == pytest.approx(-0.10)
    assert found[None, "finetune"].draws.mean == pytest.approx(0.02 - 0.05)
    assert found[None, "finetune"].draws.n == 4  # draws, not tasks times shots


def test_the_better_frozen_arm_is_chosen_for_each_shot(results: list[Result]) -> None:
    assert (better_frozen_arm(results, 1), better_frozen_arm(results, 5)) == ("frozen-lr", "frozen-lr")
    worse = [scored(r, r.score - 0.05) if r.method == "frozen-lr" and r.shot == 1 else r for r in results]
    assert (better_frozen_arm(worse, 1), better_frozen_arm(worse, 5)) == ("frozen-proto", "frozen-lr")
    said = [c.rival for c in compare_methods(worse) if c.rival.startswith("better")]
    assert said == [
        "better frozen (frozen-proto)",
        "better frozen (frozen-lr)",
        "better frozen (frozen-proto, frozen-lr)",
    ]
    all_shots = next(c for c in compare_methods(worse) if c.shot is None and c.rival.startswith("better"))
    each = [c.draws.mean for c in compare_methods(worse) if c.shot is not None and c.rival.startswith("better")]
    assert all_shots.draws.mean == pytest.approx(sum(each) / 2)


def test_differences_are_over_matched_draws_only(results: list[Result]) -> None:
    fewer = [r for r in results if r.method != "finetune" or r.draw < 2]
    found = next(c for c in compare_methods(fewer) if c.shot == 5 and c.rival == "finetune")
    assert found.draws.n == 2
    assert found.draws.mean == pytest.approx(0.02 - 0.05)


def test_a_macro_mean_needs_every_task(results: list[Result]) -> None:
    part = [r for r in results if not (r.method == "tfidf" and r.task == "b")]
    assert macro_mean(part, 5, "tfidf") is None
    assert macro_mean(part, 5, "ours-fast") is not None
    assert _grid(part, "Mean over tasks").rows[0][2].text == "–"


def test_leaving_tasks_out(results: list[Result]) -> None:
    table = _grid(results, "Mean over tasks", leave_out=["c"])
    assert [row[0].text for row in table.rows] == ["all 3"] * 2 + ["2 of 3"] * 2
    assert _grid(results, "Paired differences without c", leave_out=["c"]).rows
    for wrong in (["zzz"], ["a", "b", "c"]):
        with pytest.raises(MetaglotError, match="tasks are a, b, c"):
            without_tasks(results, wrong)


def test_losses_come_first(results: list[Result]) -> None:
    table = _grid(results, "Where it wins and loses")
    assert table.rows[0][0].text == "c"
    assert table.rows[0][-1].tone == "lost"
    assert table.rows[-1][-1].tone == "won"
    paired = [row for row in _grid(results, "Paired differences").rows if row[0].text == "1"]
    values = [float(row[2].text.split()[0]) for row in paired]
    assert values == sorted(values)


def test_the_tasks_lost_to_the_strongest_baseline_come_first(results: list[Result]) -> None:
    best = strongest_rival(compare_methods(results))
    assert best is not None
    assert (best.rival, best.shot) == ("finetune", None)
    assert next(iter(best.means.items())) == ("c", pytest.approx(0.02 - 0.15))
    table = _grid(results, "Every task")
    assert table.columns[-1] == "ours-fast − finetune"
    assert [row[0].text for row in table.rows] == ["c", "c", "a", "a", "b", "b"]
    assert [row[-1].text[:5] for row in table.rows] == ["-13.0", "-13.0", *["+2.0 "] * 4]
    assert _grid([r for r in results if not r.method.startswith("ours")], "Every task").columns[-1] == "finetune"


def _noisy(results: list[Result]) -> list[Result]:
    rng = np.random.default_rng(0)
    return [scored(r, r.score + rng.normal(0, 0.03)) for r in results]


def test_tests_and_effect_sizes_are_those_of_the_statistics(results: list[Result]) -> None:
    noisy = _noisy(results)
    found = [c for c in compare_methods(noisy) if c.shot == 5 and c.is_single]
    raw: dict[str, tuple[float, float]] = {}
    for c in found:
        a, b = scores(noisy, "ours-fast", 5), scores(noisy, c.rival, 5)
        draws = [np.mean([a[t, 5, d] - b[t, 5, d] for t in "abc"]) for d in range(4)]
        tasks = [float(np.mean([a[t, 5, d] - b[t, 5, d] for d in range(4)])) for t in "abc"]
        raw[c.rival] = paired_t(draws), signed_rank(tasks)
        assert c.effect == pytest.approx(cohen_dz(tasks))
        assert c.win_share == pytest.approx(np.mean([a[key] > b[key] for key in a]))
        assert c.tasks.mean == pytest.approx(np.mean(tasks))
        assert c.tasks.n == 3
    assert len(raw) == 4
    assert [c.p_draws for c in found] == pytest.approx(holm([raw[c.rival][0] for c in found]))
    assert [c.p_tasks for c in found] == pytest.approx(holm([raw[c.rival][1] for c in found]))
    chosen = [c for c in compare_methods(noisy) if not c.is_single]
    assert len(chosen) == 3
    assert all(np.isnan(c.p_draws) and np.isnan(c.p_tasks) for c in chosen)
    assert len(_grid(noisy, "Tests and effect sizes").rows) == 3 * 4


def test_over_all_shots_a_task_counts_once(results: list[Result]) -> None:
    every = next(c for c in compare_methods(_noisy(results)) if c.shot is None and c.rival == "tfidf")
    assert every.tasks.n == 3
    assert every.effect.n == 3
    assert set(every.means) == {"a", "b", "c"}


def test_one_task_is_judged_over_its_draws(results: list[Result]) -> None:
    (found,) = compare_methods(
        [r for r in _noisy(results) if r.task == "a" and r.shot == 1 and r.method in {"ours-fast", "tfidf"}]
    )
    assert np.isnan(found.p_tasks)
    assert 0 < found.p_draws < 1
    assert found.effect.n == found.tasks.n == 4


def test_ranks_are_over_tasks_on_cells_that_all_have(results: list[Result]) -> None:
    found = ranking([r for r in results if not (r.method == "tfidf" and r.draw > 0)])
    assert found is not None
    methods = ["tfidf", "frozen-proto", "frozen-lr", "finetune", "ours-fast"]
    first = [r for r in results if r.draw == 0]
    rows = [[np.mean([r.score for r in first if (r.method, r.task) == (m, t)]) for m in methods] for t in "abc"]
    assert found == rank_methods(methods, np.array(rows))
    assert "Friedman" in _grid(results, "Mean ranks").note
    lacking = ranking([r for r in results if not (r.method == "tfidf" and r.task == "b")])
    assert lacking is not None
    assert "tfidf" not in lacking.methods
    assert ranking([r for r in results if r.task == "a"]) is None
    assert ranking([r for r in results if r.method in {"tfidf", "ours-fast"}]) is None
    assert ranking([]) is None


def test_calibration_is_a_mean(results: list[Result]) -> None:
    uneven = [replace(r, metrics={**r.metrics, "ece": 0.1 * r.draw}) for r in results]
    assert mean_ece(uneven, 5, "tfidf") == pytest.approx(0.15)
    assert mean_ece(uneven, 5, "absent") is None
    assert _grid(uneven, "Calibration").rows[0][1].text == "15.0"


def test_one_draw_has_no_interval(results: list[Result]) -> None:
    table = _grid([r for r in results if r.draw == 0], "Mean over tasks")
    assert table.rows[0][2].text == "42.0"


def test_only_baselines_or_one_task(results: list[Result]) -> None:
    assert compare_methods([r for r in results if r.method != "ours-fast"]) == []
    one = grids([r for r in results if r.task == "a"])
    assert one[0].title == "Every task"
    assert cpu_seconds(results, 5, "absent") is None


def test_terminal_and_markdown_hold_the_same_numbers(results: list[Result]) -> None:
    named = [replace(r, task="a [b]|x" if r.task == "a" else r.task) for r in results]
    screen = StringIO()
    Console(file=screen, width=160).print(terminal(named, by_task=True))
    text = markdown(named)
    for grid in grids(named):
        assert len(grid.rows) > 0
        for row in grid.rows:
            assert len(row) == len(grid.columns)
            assert all(cell.text in screen.getvalue() for cell in row)
            assert all(cell.text.replace("|", "\\|") in text for cell in row)
    header = next(line for line in text.splitlines() if line.startswith("| task"))
    assert header == "| tasks | shots | tfidf | frozen-proto | frozen-lr | finetune | ours-fast |"


def test_a_table_of_a_real_evaluation(guess: Any, task: Callable[..., Any]) -> None:
    from metaglot.evaluation import Plan, evaluate

    made = list(
        evaluate(
            [task("one"), task("two", seed=3)], [guess("tfidf", 0.1), guess("ours-fast", 2.0)], Plan((2,), 3, 30, 0)
        )
    )
    (difference,) = compare_methods(made)
    assert difference.draws.mean > 0.2
