"""Texts as windows of tokens with their characters."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metaglot as mg
from metaglot.data.examples import Inputs
from metaglot.data.windows import windows
from metaglot.errors import MetaglotError

LONG = "Ann is in Oslo, and so is Bob with his many friends from the old house by the sea. " * 4


@pytest.fixture(scope="module")
def tokenizer():
    return mg.load("builtin:tiny").encoder.backbone.tokenizer


def test_tokens_of_a_short_text_are_those_of_the_tokenizer(tokenizer):
    (window,) = windows(tokenizer, Inputs(("Ann is in Oslo.",)), max_length=16)
    assert window.tokens["input_ids"] == tokenizer("Ann is in Oslo.")["input_ids"]
    words = [
        "Ann is in Oslo."[a:b] for a, b, part in zip(window.start, window.end, window.part, strict=True) if part == 0
    ]
    assert words == ["Ann", "is", "in", "Oslo", "."]
    assert window.own == (0, 15)


@settings(max_examples=25, deadline=None)
@given(st.text(alphabet="ab .,é\n北", max_size=300), st.integers(8, 24))
def test_each_character_has_one_window(tokenizer, text, length):
    cut = windows(tokenizer, Inputs((text,)), max_length=length)
    assert cut[0].own[0] == 0
    assert cut[-1].own[1] == len(text)
    assert all(a.own[1] == b.own[0] for a, b in pairwise(cut))
    assert all(len(window.tokens["input_ids"]) == len(window.part) <= length for window in cut)
    whole = tokenizer(text, add_special_tokens=False)["input_ids"]
    mine = [
        token
        for window in cut
        for token, part, start in zip(window.tokens["input_ids"], window.part, window.start, strict=True)
        if part == 0 and window.own[0] <= start < max(window.own[1], 1)
    ]
    assert mine == whole


def test_windows_have_context_on_both_sides(tokenizer):
    cut = windows(tokenizer, Inputs((LONG,)), max_length=32)
    assert len(cut) > 2
    for window in cut[1:-1]:
        there = window.part == 0
        assert window.start[there].min() < window.own[0] < window.own[1] < window.end[there].max()


def test_the_first_text_of_a_pair_stands_in_each_window(tokenizer):
    cut = windows(tokenizer, Inputs(("Who is there?",), (LONG,)), max_length=32)
    assert len(cut) > 2
    for window in cut:
        first = window.part == 0
        assert "Who is there?"[window.start[first].min() : window.end[first].max()] == "Who is there?"
        assert (window.part == 1).sum() >= 8
        assert window.text == LONG


def test_a_prompt_is_of_no_text(tokenizer):
    (plain,) = windows(tokenizer, Inputs(("Ann is in Oslo.",)), max_length=32)
    (prompted,) = windows(tokenizer, Inputs(("Ann is in Oslo.",)), max_length=32, prompt="query: ")
    own = prompted.part == 0
    np.testing.assert_array_equal(prompted.start[own], plain.start[plain.part == 0])
    np.testing.assert_array_equal(prompted.end[own], plain.end[plain.part == 0])


def test_no_room_for_the_second_text(tokenizer):
    with pytest.raises(MetaglotError, match="leaves no room"):
        windows(tokenizer, Inputs((LONG,), ("Ann.",)), max_length=32)
