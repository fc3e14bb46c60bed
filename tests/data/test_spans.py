"""Spans: what users may write for them, their one form, and errors that say which one is wrong."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaglot.data.spans import Span, as_cell, checked, plain_span, spans_in
from metaglot.errors import MetaglotError

TEXT = "Ann is in Oslo"
ANN, OSLO = Span(0, 3, "PER"), Span(10, 14, "LOC")


def test_forms_of_a_span_are_one():
    forms = [OSLO, (0, 3, "PER")], [[10, 14, " LOC "], {"start": 0, "end": 3, "label": "PER", "token_start": 0}]
    numpy = [(np.int64(10), np.int32(14), "LOC"), ANN, ANN]
    for values in (*forms, numpy):
        found = checked(values, TEXT, "row 1")
        assert found == ((ANN, OSLO), 0)
        assert all(type(span.start) is int for span in found.spans)
    assert checked([], TEXT, "row 1") == ((), 0)


def test_white_space_at_edges_is_left_out_and_counted():
    assert checked([(9, 14, "LOC"), (0, 4, "PER")], TEXT, "row 1") == ((ANN, OSLO), 2)
    assert checked([(9, 14, "LOC")], None, "row 1") == ((Span(9, 14, "LOC"),), 0)


def test_a_probability_makes_no_other_span():
    sure = Span(0, 3, "PER", 0.9)
    assert sure == ANN
    assert hash(sure) == hash(ANN)
    assert plain_span(sure, TEXT) == {"start": 0, "end": 3, "label": "PER", "text": "Ann", "probability": 0.9}
    assert checked([plain_span(sure, TEXT)], TEXT, "row 1").spans[0].probability == 0.9


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ("Ann", ["row 7 is 'Ann', not a list of spans", "(start, end, label)"]),
        (5, ["row 7 is 5, not a list of spans"]),
        ({"start": 0, "end": 3, "label": "PER"}, ["not a list of spans"]),
        ([(0, 3)], ["row 7, span number 1 is (0, 3), which is no span"]),
        ([{"start": 0, "end": 3}], ["which is no span"]),
        ([ANN, (10, 15, "LOC")], ["span number 2 goes from 10 to 15, and the text has 14 characters"]),
        ([(3, 3, "PER")], ["goes from 3 to 3, so it is empty"]),
        ([(3, 4, "PER")], ["white space alone"]),
        ([(-1, 3, "PER")], ["start is -1, not a place in the text"]),
        ([(0, 2.5, "PER")], ["end is 2.5"]),
        ([(True, 3, "PER")], ["start is True"]),
        ([(0, 3, "")], ["has the label '', which is no name"]),
        ([(0, 3, 1)], ["has the label 1, which is no name"]),
        ([(0, 3, "O")], ["has the label 'O'"]),
        ([(0, 3, "PER"), (2, 6, "X")], ["PER 'Ann' (0 to 3) and X 'n is' (2 to 6) overlap"]),
        ([(0, 14, "X"), OSLO], ["overlap", "the longer one"]),
        ([(0, 3, "PER"), (0, 3, "LOC")], ["overlap"]),
        (
            [{"start": 0, "end": 3, "label": "PER", "text": "Bob"}],
            ["its text is 'Bob', and from 0 to 3 is 'Ann'"],
        ),
        ([{"start": 0, "end": 3, "label": "PER", "probability": 2}], ["the probability 2"]),
    ],
)
def test_what_is_no_span_is_named(values: object, words: list[str]):
    with pytest.raises(MetaglotError) as error:
        checked(values, TEXT, "row 7")
    assert all(word in str(error.value) for word in words)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 4), st.sampled_from(["A", "B | x", "Ünï"])), max_size=4))
def test_a_cell_gives_the_spans_back(parts: list[tuple[int, int, str]]):
    places, at = [], 0
    for gap, length, label in parts:
        places.append(Span(at + gap, at + gap + length, label))
        at = places[-1].end
    spans = tuple(places)
    assert spans_in(as_cell(spans), "row 1") == spans
    assert checked(reversed(spans), None, "row 1").spans == spans


def test_a_cell_without_spans_is_told_from_one_that_is_empty():
    assert spans_in("[]", "row 1") == ()
    assert spans_in(" ", "row 1") is spans_in(None, "row 1") is None
    with pytest.raises(MetaglotError, match=r"row 1 is 'PER', not spans in JSON"):
        spans_in("PER", "row 1")
    with pytest.raises(MetaglotError, match="not a list of spans"):
        spans_in(json.dumps({"start": 1}), "row 1")
