"""benchmarks/mixed.py: which kinds a run learns from, and the columns of its table."""

import pytest

from metaglot.evaluation.result import Result


@pytest.fixture
def mixed(benchmark_called):
    return benchmark_called("mixed")


def test_a_run_has_its_kinds(mixed):
    found = {name: mixed.recipe_of(name, 7) for name in ("answers", "scaled", "without-answers")}
    kinds = {name: [one.task for one in recipe.data.train] for name, recipe in found.items()}
    assert kinds["answers"] == ["question-answering"]
    assert len(kinds["scaled"]) == len(mixed.KINDS) == 6
    assert [kind for kind in kinds["scaled"] if kind != "question-answering"] == kinds["without-answers"]
    assert {name: recipe.training.meta_batch for name, recipe in found.items()} == {
        "answers": 1,
        "scaled": 6,
        "without-answers": 5,
    }
    assert {recipe.training.steps for recipe in found.values()} == {7}


def test_a_kind_has_its_own_run_and_the_one_without_it_in_their_columns(mixed):
    scores = {"base": 0.5, "labels": 0.6, "scaled": 0.7, "without-labels": 0.4}
    labels = [
        Result("t", 8, draw, name, {"accuracy": s}, 0, 1, 1, 0, "m") for draw in (0, 1) for name, s in scores.items()
    ]
    others = [one for one in labels if one.method in ("base", "scaled")]
    head, _, *rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in mixed.table({"labels": labels, "numbers": others})
    ]
    assert head[2:] == ["base", "alone", "scaled", "without", "scaled − alone", "scaled − base", "without − base"]
    assert rows[0][2:] == ["50.0", "60.0", "70.0", "40.0", "+10.0 ± 0.0", "+20.0 ± 0.0", "-10.0 ± 0.0"]
    assert rows[1][2:] == ["50.0", "", "70.0", "", "", "+20.0 ± 0.0", ""]
