"""Answers of Python: what users write for one, and their place in the passage."""

from typing import Any

import pytest

import metaglot as mg
from metaglot.data.answers import NO_ANSWER
from metaglot.errors import MetaglotError

pytestmark = pytest.mark.filterwarnings("ignore:.*has learnt no head of answers")
QUESTIONS = ["where", "who", "when"]
PASSAGES = ["Ann is in Oslo", "Bo left Oslo", "It rains"]
ANSWERS = [mg.Answer("Oslo", 10, 14), mg.Answer("Bo", 0, 2), NO_ANSWER]


def test_texts_and_triples_are_answers_with_their_places(tiny: Any):
    model = tiny
    for given in (ANSWERS, ["Oslo", "Bo", ""], [("Oslo", 10), {"text": "Bo"}, mg.Answer()]):
        adapted = model.adapt(mg.Pairs(QUESTIONS, PASSAGES), given, task="question-answering", effort="instant")
        assert adapted.examples.targets == tuple(ANSWERS)
    assert model.adapt(mg.Pairs(QUESTIONS, PASSAGES), ANSWERS, effort="instant").fit.family.name == "question-answering"


def test_an_answer_that_is_not_in_its_passage_is_named(tiny: Any):
    wrong = [ANSWERS[0], "Rome", ""]
    with pytest.raises(MetaglotError, match="label number 2: the answer 'Rome' does not stand in the passage 'Bo left"):
        tiny.adapt(mg.Pairs(QUESTIONS, PASSAGES), wrong, task="question-answering")
