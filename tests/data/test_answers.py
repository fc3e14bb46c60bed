"""Answers: what users may write for them, their one form, and errors that say which one is wrong."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaglot.data.answers import NO_ANSWER, Answer, answer_in, as_cell, checked, placed, plain_answer
from metaglot.errors import MetaglotError

PASSAGE = "Ann is in Oslo, and Bob is in Oslo too"
OSLO = Answer("Oslo", 10, 14)


def test_forms_of_an_answer_are_one():
    forms = [OSLO, "Oslo", Answer("Oslo"), ("Oslo", 10), ["Oslo", 10, 14], ("Oslo", np.int64(10))]
    mappings = [{"text": "Oslo", "start": 10}, {"text": "Oslo", "answer_start": 10}, {"text": "Oslo", "end": None}]
    for value in (*forms, *mappings, {"text": "Oslo", "start": 10, "end": 14, "probability": None, "id": 7}):
        found = checked(value, PASSAGE, "row 1")
        assert found == OSLO
        assert type(found.start) is int
    assert checked(("Oslo", 30), PASSAGE, "row 1") == Answer("Oslo", 30, 34)
    assert checked("Oslo", None, "row 1") == Answer("Oslo", -1, -1)


def test_no_answer_is_false_and_has_no_place():
    for value in (Answer(), "", ("", -1), {"text": "", "start": -1, "end": -1}, {"text": ""}):
        found = checked(value, PASSAGE, "row 1")
        assert found == NO_ANSWER == Answer("", -1, -1)
        assert not found
    assert OSLO


def test_white_space_at_edges_is_left_out():
    assert checked((" Oslo, ", 9), PASSAGE, "row 1") == Answer("Oslo,", 10, 15)
    assert checked(" Oslo", None, "row 1") == Answer("Oslo")


def test_a_probability_makes_no_other_answer_and_other_texts_do():
    sure = Answer("Oslo", 10, 14, 0.9)
    assert sure == OSLO
    assert hash(sure) == hash(OSLO)
    assert Answer("Oslo", 10, 14, also=("in Oslo",)) != OSLO
    assert plain_answer(sure) == {"text": "Oslo", "start": 10, "end": 14, "probability": 0.9}
    assert checked(plain_answer(sure), PASSAGE, "row 1").probability == 0.9


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (5, ["row 7 is 5, which is no answer", '{"text": "Oslo", "start": 10}']),
        (("Oslo",), ["which is no answer"]),
        ({"start": 10}, ["which is no answer"]),
        ("Rome", ["the answer 'Rome' does not stand in the passage 'Ann is in Oslo, and Bob is in Oslo too'"]),
        (("Oslo", 11), ["'Oslo' is said to start at 11, where the passage has 'slo,'; it stands at 10"]),
        (("Oslo", 400), ["is said to start at 400"]),
        (("Oslo", -2), ["start is -2, not a place in the passage"]),
        (("Oslo", True), ["start is True"]),
        (("Oslo", 10, 15), ["goes from 10 to 15 with the text 'Oslo' of 4 characters"]),
        ((" ", 3), ["goes from 3 to -1 with the text ' '"]),
        (("", 3), ["with the text ''"]),
        ((None, 3), ["has the text None, which is no string"]),
        ({"text": "Oslo", "probability": 2}, ["the probability 2"]),
        ({"text": "Oslo", "also": "Oslo"}, ["'Oslo' for other right answers; give a list"]),
    ],
)
def test_what_is_no_answer_is_named(value: object, words: list[str]):
    with pytest.raises(MetaglotError) as error:
        checked(value, PASSAGE, "row 7")
    assert str(error.value).startswith("row 7")
    assert all(word in str(error.value) for word in words), error.value


def test_a_place_is_kept_or_found():
    late = Answer("Oslo", 30, 34, also=("in Oslo",))
    assert placed(late, PASSAGE, "row 1") is late
    assert placed(Answer("Oslo", also=("in Oslo",)), PASSAGE, "row 1") == Answer("Oslo", 10, 14, also=("in Oslo",))
    assert placed(NO_ANSWER, "", "row 1") is NO_ANSWER


@given(
    st.text("ab ü𝕏", min_size=1).filter(str.strip),
    st.floats(0, 1) | st.none(),
    st.lists(st.text(max_size=3), max_size=2),
)
def test_a_cell_gives_the_answer_back(text: str, probability: float | None, also: list[str]):
    answer = checked(Answer(text, probability=probability, also=tuple(also)), f"xx{text}", "row 1")
    for passage in (None, f"xx{text}"):
        back = answer_in(as_cell(answer), "row 1", passage)
        assert back == answer
        assert back.probability == probability


def test_cells_that_are_no_answer():
    assert answer_in(None, "row 1") is None
    assert answer_in("", "row 1") is None
    assert answer_in(as_cell(NO_ANSWER), "row 1") == NO_ANSWER
    assert answer_in("Oslo", "row 1", PASSAGE) == OSLO
    with pytest.raises(MetaglotError, match=r"row 1 is '\{.text.*not an answer in JSON"):
        answer_in('{"text', "row 1")
    assert json.loads(as_cell(OSLO)) == {"text": "Oslo", "start": 10, "end": 14}


def test_the_lists_of_squad_are_an_answer_with_others_that_are_right_too():
    passage = "Ann is in Oslo"
    both = {"text": ["Oslo", "in Oslo", "Oslo"], "answer_start": [10, 7, 10]}
    found = checked(both, passage, "row 1")
    assert (found, found.also) == (Answer("Oslo", 10, 14, also=("in Oslo",)), ("in Oslo",))
    assert checked({"text": ["Oslo"]}, passage, "row 1").start == 10
    assert checked({"text": [], "answer_start": []}, passage, "row 1") == Answer()
    with pytest.raises(MetaglotError, match="row 1 has 2 texts and 1 starts"):
        checked({"text": ["Oslo", "Ann"], "answer_start": [10]}, passage, "row 1")
