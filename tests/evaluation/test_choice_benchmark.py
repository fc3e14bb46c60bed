"""The sets of the benchmark of choices: support sets and queries share no dialogue, and no wrong reply reads right."""

import os
from pathlib import Path

import numpy as np
import pytest
from benchmarks.choice import bm25
from benchmarks.choice_sets import ASIDE, CANDIDATES, DIALOGUES, DRAWS, dialogues, services, test_rows

from metaglot.config import load_recipe, packaged_recipes
from metaglot.data.candidates import Choice, as_cell, candidates_in
from metaglot.data.examples import Examples, Inputs
from metaglot.data.folding import folded
from metaglot.families.choice_family import ChoiceFamily

test_rows.__test__ = False


def test_a_dialogue_goes_on_where_lines_are_shared():
    turns = [
        {"source": "user: Hi", "target": "Hello"},
        {"source": "user: Hi\nsystem: Hello\nuser: A table", "target": "For when?"},
        {"source": "system: For when?\nuser: Noon", "target": "Done"},
        {"source": "user: A taxi", "target": "Where to?"},
        {"source": "user: A film", "target": "Which?"},
    ]
    assert dialogues(turns) == [0, 0, 0, 1, 2]


def test_bm25_is_that_of_its_formula():
    support = Examples(Inputs(("x",), (as_cell(["a b", "b c", "d"]),)), (Choice(0),))
    (found,) = bm25(support, ChoiceFamily())(Inputs(("a c",), (as_cell(["a a b", "d"]),)))
    weight = np.log(1 + (3 - 1 + 0.5) / (1 + 0.5))
    expected = weight * 2 * 2.5 / (2 + 1.5 * (0.25 + 0.75 * 3 / (5 / 3)))
    assert found.tolist() == pytest.approx([expected, 0.0])


@pytest.mark.skipif(not os.environ.get("METAGLOT_DATA"), reason="needs METAGLOT_DATA")
def test_support_sets_and_queries_share_no_dialogue_and_training_no_service():
    root = Path(os.environ["METAGLOT_DATA"])
    recipe = load_recipe(packaged_recipes()["choice"])
    assert not set(recipe.data.train[0].domains) & set(ASIDE)
    assert len(recipe.data.train[0].domains) == 20
    turns, rows = services(root), list(test_rows(root))
    assert {row["domain"] for row in rows} == set(ASIDE)
    for row in rows:
        own = candidates_in(row["candidates"], "row")
        assert len({folded(one) for one in own}) == len(own) == CANDIDATES
    for service in ASIDE:
        number = dialogues(turns[service])
        own = [row for row in rows if row["domain"] == service]
        asked = {number[row["turn"]] for row in own if row["part"] == "query"}
        for draw in range(DRAWS):
            learnt = {number[row["turn"]] for row in own if row.get("draw") == draw}
            assert len(learnt) == DIALOGUES
            assert not asked & learnt
