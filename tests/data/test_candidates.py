"""Texts with candidates, and choices among them: what users may write, their one form, and errors that say where."""

import json

import numpy as np
import pytest

from metaglot.data.candidates import (
    Candidates,
    Choice,
    as_cell,
    candidates_in,
    choice_in,
    choice_of,
    placed,
    plain_choice,
)
from metaglot.data.texts import inputs_of
from metaglot.errors import MetaglotError

TEXTS, LISTS = ["When?", "Who?"], [["At noon.", "By bus."], ["Ann", "Bob", "Ann, or Bob"]]


def test_candidates_are_read_as_second_texts_of_their_own_form():
    given = Candidates(TEXTS, LISTS)
    inputs = inputs_of(given)
    assert inputs.texts == ("When?", "Who?")
    assert [candidates_in(cell, "row") for cell in inputs.pairs or ()] == [tuple(own) for own in LISTS]
    assert given[1] == ("Who?", ("Ann", "Bob", "Ann, or Bob"))
    assert given[:1] == Candidates(TEXTS[:1], LISTS[:1])
    assert next(iter(given)) == ("When?", ("At noon.", "By bus."))
    assert candidates_in(as_cell(["é", '"', ""]), "row") == ("é", '"', "")


@pytest.mark.parametrize(
    ("texts", "lists", "message"),
    [
        (["a"], [["b"], ["c"]], "1 texts but 2 lists"),
        (["a"], [[]], "text number 1 are an empty list"),
        (["a"], ["bc"], "not a list"),
        ("a", [["b"]], "expected a list"),
        (["a", 3], [["b"], ["c"]], "text number 2 is not a string but int"),
        (["a"], [["b", 3]], "candidate number 1 is 3, a int"),
        (["a"], [["b", "\ud800"]], "half a character"),
        (["a", "\ud800"], [["b"], ["c"]], "text number 2 holds half a character"),
        (["a"], [["b"] * 1001], "1,001, and at most 1,000"),
    ],
)
def test_what_are_no_candidates_is_refused(texts, lists, message):
    with pytest.raises(MetaglotError, match=message):
        Candidates(texts, lists)


def test_second_texts_beside_candidates_are_refused():
    with pytest.raises(MetaglotError, match="twice: in `Candidates`"):
        inputs_of(Candidates(TEXTS, LISTS), ["a", "b"])


def test_forms_of_a_choice_are_one():
    for value in (1, np.int64(1), 1.0, Choice(1), [1], (1,), {1}):
        assert choice_of(value, "row") == Choice(1)
    assert choice_of([2, 0, 2], "row") == Choice(0, (2,))
    assert choice_of(Choice(0, (2,)), "row").right == (0, 2)
    for cell in ("1", 1, "[1]", " 1 "):
        assert choice_in(cell, "row") == Choice(1)
    assert choice_in("[0, 2]", "row") == Choice(0, (2,))
    assert choice_of(None, "row") is choice_of(float("nan"), "row") is choice_in("", "row") is None
    for choice in (Choice(1), Choice(0, (2,))):
        assert choice_of(json.loads(json.dumps(plain_choice(choice))), "row") == choice


@pytest.mark.parametrize("value", [-1, 1.5, True, [], [0, "x"], [True], 1j])
def test_what_is_no_choice_is_refused(value):
    with pytest.raises(MetaglotError, match=r"^row"):
        choice_of(value, "row")


def test_a_text_is_looked_up_among_the_candidates():
    assert placed(choice_of("Bob", "row"), LISTS[1], "row") == Choice(1)
    assert placed(choice_of("at noon", "row"), LISTS[0], "row") == Choice(0)
    assert placed(choice_of("Ann", "row"), LISTS[1], "row") == Choice(0)  # as it stands, before case and punctuation
    with pytest.raises(MetaglotError, match="row is 'Eve', which is no candidate"):
        placed(choice_of("Eve", "row"), LISTS[1], "row")
    with pytest.raises(MetaglotError, match="candidates 0 and 1 are"):
        placed(choice_of("a", "row"), ["A", "a!"], "row")
    with pytest.raises(MetaglotError, match="row is 2, and the text has 2 candidates, numbered from 0 to 1"):
        placed(Choice(2), LISTS[0], "row")
    with pytest.raises(MetaglotError, match=r"row is \[0, 5\]"):
        placed(Choice(0, (5,)), LISTS[1], "row")


def test_a_choice_ranks_by_its_probabilities():
    choice = Choice(2, probabilities=(0.2, 0.2, 0.6))
    assert choice.ranking == (2, 0, 1)
    assert choice.probability == 0.6
    assert Choice(2).ranking == ()
    assert Choice(2).probability is None
