"""Scores of answers are those of SQuAD 2.0, and tell the answerable from the rest.

`squad_scores.jsonl` has 200 cases with what SQuAD's own functions say of them (as in transformers 4.57.1,
`transformers.data.metrics.squad_metrics`, which later versions left out).
"""

import json
from pathlib import Path

import pytest

from metaglot.data.answers import NO_ANSWER, Answer
from metaglot.families.answer_scores import ANSWER_MEASURES, normal, question_score, scored_answers

CASES = [json.loads(line) for line in (Path(__file__).parent / "squad_scores.jsonl").read_text("utf-8").splitlines()]
OSLO = Answer("Oslo", 10, 14, 0.8)


def test_two_hundred_cases_have_the_scores_of_squad():
    assert len(CASES) == 200
    assert len({case["f1"] for case in CASES}) > 8
    for case in CASES:
        score = question_score(case["predicted"], case["accepted"])
        assert score.exact == case["exact"], case
        assert score.f1 == pytest.approx(case["f1"], abs=1e-12), case


def test_how_answers_are_compared():
    assert normal(" The  U.S.\tan Oslo-based a ") == "us oslobased"
    assert normal("theatre") == "theatre"
    assert question_score("in the Oslo", ["Oslo"]) == (0.0, 2 / 3, 2 / 3)
    assert question_score("Oslo", ["in Bergen", "oslo!"]) == (1.0, 1.0, 1.0)
    assert question_score("", ["", "Oslo"]).f1 == 0.0  # where a right answer has words, none is wrong
    assert question_score("Oslo", [""]) == (0.0, 0.0, 0.0)


def test_characters_of_a_script_without_spaces_count_apart():
    assert question_score("大學", ["大學生"]) == (0.0, 0.0, 0.8)
    assert question_score("in Oslo now", ["in Oslo"]).characters == 0.8


def test_the_answerable_and_the_rest_are_shown_apart():
    truth = [Answer("Oslo", 10, 14, also=("in Oslo",)), Answer("Ann is", 0, 6), NO_ANSWER, NO_ANSWER]
    predicted = [Answer("in Oslo", 7, 14, 0.9), Answer("Ann", 0, 3, 0.5), Answer(probability=0.6), OSLO]
    scored = scored_answers(predicted, truth)
    assert scored.metrics == pytest.approx(
        {
            "answer_f1": (1 + 2 / 3 + 1 + 0) / 4,
            "exact_match": 0.5,
            "answerable_f1": (1 + 2 / 3) / 2,
            "unanswerable": 0.5,
            "answer_ece": (0.1 + 0.5 + 0.4 + 0.8) / 4,
        }
    )
    assert sum(one.size for one in scored.bins) == 4
    assert scored.measures[0].name == "answer_f1"


def test_a_metric_without_questions_is_left_out():
    apart = {"answerable_f1", "unanswerable", "character_f1"}
    assert apart.intersection(scored_answers([OSLO], [OSLO]).metrics) == {"answerable_f1"}
    assert apart.intersection(scored_answers([OSLO], [NO_ANSWER]).metrics) == {"unanswerable"}
    assert apart.intersection(scored_answers([OSLO], [Answer("大學", 0, 2)]).metrics) == {
        "answerable_f1",
        "character_f1",
    }


def test_right_answers_have_the_best_scores():
    truth = [OSLO, NO_ANSWER, Answer("大學", 3, 5)]
    metrics = scored_answers([Answer(one.text, one.start, one.end) for one in truth], truth).metrics
    assert [metrics[one.name] for one in ANSWER_MEASURES] == [1.0] * 5 + [0.0]
