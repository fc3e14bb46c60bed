from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from metaglot.errors import MetaglotError
from metaglot.evaluation import Result, markdown, terminal
from metaglot.evaluation.grids import Grid, grids
from metaglot.evaluation.statistics import t_interval
from metaglot.evaluation.summary import better_frozen, comparisons, cpu_seconds, macro, without


def _grid(results: list[Result], title: str, **options: Any) -> Grid:
    return next(grid for grid in grids(results, **options) if grid.title == title)


def test_macro_means_and_differences_by_hand(results: list[Result]) -> None:
    # frozen-lr at 5 shots: 0.50 + 0.10 + 0.01 · draw on the mean task
    assert macro(results, 5, "frozen-lr") == pytest.approx(t_interval([0.60, 0.61, 0.62, 0.63]))
    found = {(c.shot, c.against.split(" (")[0]): c for c in comparisons(results)}
    assert len(found) == 3 * 5
    assert found[5, "frozen-lr"].draws.mean == pytest.approx(0.05 - 0.15 / 3)
    assert found[5, "frozen-lr"].by_task["c", 5].mean == pytest.approx(-0.10)
    assert found[None, "finetune"].draws.mean == pytest.approx(0.02 - 0.05)
    assert found[None, "finetune"].draws.n == 4  # draws, not tasks times shots


def test_the_better_frozen_arm_is_chosen_for_each_shot(results: list[Result]) -> None:
    assert (better_frozen(results, 1), better_frozen(results, 5)) == ("frozen-lr", "frozen-lr")
    worse = [replace(r, accuracy=r.accuracy - 0.05) if r.method == "frozen-lr" and r.shot == 1 else r for r in results]
    assert (better_frozen(worse, 1), better_frozen(worse, 5)) == ("frozen-proto", "frozen-lr")
    said = [c.against for c in comparisons(worse) if c.against.startswith("better")]
    assert said == [
        "better frozen (frozen-proto)",
        "better frozen (frozen-lr)",
        "better frozen (frozen-proto, frozen-lr)",
    ]
    all_shots = next(c for c in comparisons(worse) if c.shot is None and c.against.startswith("better"))
    each = [c.draws.mean for c in comparisons(worse) if c.shot is not None and c.against.startswith("better")]
    assert all_shots.draws.mean == pytest.approx(sum(each) / 2)


def test_differences_are_over_matched_draws_only(results: list[Result]) -> None:
    fewer = [r for r in results if r.method != "finetune" or r.draw < 2]
    found = next(c for c in comparisons(fewer) if c.shot == 5 and c.against == "finetune")
    assert found.draws.n == 2
    assert found.draws.mean == pytest.approx(0.02 - 0.05)


def test_a_macro_mean_needs_every_task(results: list[Result]) -> None:
    part = [r for r in results if not (r.method == "tfidf" and r.task == "b")]
    assert macro(part, 5, "tfidf") is None
    assert macro(part, 5, "ours-fast") is not None
    assert _grid(part, "Accuracy").rows[0][2].text == "–"


def test_leaving_tasks_out(results: list[Result]) -> None:
    table = _grid(results, "Accuracy", leave_out=["c"])
    assert [row[0].text for row in table.rows[:4]] == ["macro mean"] * 2 + ["macro of 2 tasks"] * 2
    assert _grid(results, "Paired differences without c", leave_out=["c"]).rows
    for wrong in (["zzz"], ["a", "b", "c"]):
        with pytest.raises(MetaglotError, match="tasks are a, b, c"):
            without(results, wrong)


def test_losses_come_first(results: list[Result]) -> None:
    table = _grid(results, "Where it wins and loses")
    assert table.rows[0][0].text == "c"
    assert table.rows[0][-1].tone == "lost"
    assert table.rows[-1][-1].tone == "won"
    paired = [row for row in _grid(results, "Paired differences").rows if row[0].text == "1"]
    values = [float(row[2].text.split()[0]) for row in paired]
    assert values == sorted(values)


def test_one_draw_has_no_interval(results: list[Result]) -> None:
    table = _grid([r for r in results if r.draw == 0], "Accuracy")
    assert table.rows[0][2].text == "42.0"


def test_only_baselines_or_one_task(results: list[Result]) -> None:
    assert comparisons([r for r in results if r.method != "ours-fast"]) == []
    one = grids([r for r in results if r.task == "a"])
    assert "macro mean" not in [row[0].text for row in one[0].rows]
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
    assert header == "| task | shots | tfidf | frozen-proto | frozen-lr | finetune | ours-fast |"


def test_a_table_of_a_real_evaluation(guess: Any, task: Callable[..., Any]) -> None:
    from metaglot.evaluation import Plan, evaluate

    made = list(
        evaluate(
            [task("one"), task("two", seed=3)], [guess("tfidf", 0.1), guess("ours-fast", 2.0)], Plan((2,), 3, 30, 0)
        )
    )
    (difference,) = comparisons(made)
    assert difference.draws.mean > 0.2
