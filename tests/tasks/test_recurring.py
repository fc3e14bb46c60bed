"""Questions made from raw text: answers stand at their places, nothing gives them away, and the seed decides all."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.data.answers import Answer
from metaglot.tasks.recurring import Passage, RecurringSpans, passages_of

TEXTS = [
    "Ann Lee left the town. It rained for a week. Later Ann Lee came back to the town. Nobody knew why.",
    "The river Ob is long. It freezes in winter. Ships of the river Ob are few. The Ob is cold, and Ob fish is good.",
    "A man came. The man left. It was late. He slept.",
    "大學生在台北讀書。天氣很好。他們喜歡台北讀書的生活。",
]
WORDS = ["Ann", "Bo", "ann", "x-y", "Oslo,", "it", "北京", "ß"]
ALONE = RecurringSpans(unanswerable=0.0, rare=0.3, common=0.6, least=1)


def passages(texts: list[str] = TEXTS, length: int = 60) -> list[Passage]:
    return passages_of(texts, list(range(len(texts))), [0] * len(texts), length=length)


def test_the_example_of_the_docstring():
    text = ["Ann Lee left. It rained. Later Ann Lee came back home."]
    options = RecurringSpans(unanswerable=0.0, common=1.0, rare=0.0, least=2)
    made = {(one.question, one.passage) for seed in range(9) for one in options.questions(passages(text), seed=seed)}
    assert made == {
        ("Later what came back home.", "Ann Lee left. It rained."),
        ("what left.", "It rained. Later Ann Lee came back home."),
    }


def test_answers_stand_in_their_passages_and_nowhere_else():
    made = [one for seed in range(20) for one in ALONE.questions(passages(), seed=seed)]
    spans = {one.answer.text for one in made}
    assert {"Ann Lee", "river Ob", "town", "台北讀書"} <= spans
    assert not spans & {"Ann", "Lee", "The", "the town", "It"}
    for question, passage, answer, _, row in made:
        assert passage[answer.start : answer.end] == answer.text
        assert passage.casefold().count(answer.text.casefold()) == 1
        assert answer.text.casefold() not in question.casefold()
        assert question.count("what") == 1
        hidden = question.replace("what", answer.text)
        assert hidden in TEXTS[row]
        assert hidden not in passage


def test_the_same_seed_makes_the_same_questions_and_others_others():
    one, same, other = (list(ALONE.questions(passages(), seed=seed)) for seed in (1, 1, 2))
    assert one == same
    assert one != other


def test_a_question_may_be_put_to_a_passage_of_its_group_without_answer():
    texts = [f"{name} left. It was late. Then {name} slept. All was well." for name in ("Ann Lee", "Bo Day", "Ed Fox")]
    split = passages_of(texts, [0, 1, 2], [0, 0, 1], length=60)
    made = [
        q
        for seed in range(30)
        for q in RecurringSpans(unanswerable=0.5, common=0.5, least=1).questions(split, seed=seed)
    ]
    without = [one for one in made if not one.answer]
    assert 0.1 < len(without) / len(made) < 0.5
    for one in without:
        name = ("Ann Lee", "Bo Day", "Ed Fox")[one.row]
        assert one.answer == Answer()
        assert name not in one.passage
        assert one.passage == texts[1 - one.row]  # the third text is alone in its group
    assert all(one.answer for one in made if one.group == 1)


def test_passages_are_whole_sentences_of_one_document():
    texts = ["One two three. Four five.", "Six seven and.", "Eight. Nine ten eleven twelve thirteen fourteen.", "End."]
    found = passages_of(texts, [0, 0, 1, 1], [0, 0, 5, 5], length=10)
    assert [one.sentences for one in found] == [
        ("One two three.", "Four five."),
        ("Six seven and.",),
        ("Eight.", "Nine ten eleven twelve thirteen fourteen."),
        ("End.",),
    ]
    assert [(one.group, one.row) for one in found] == [(0, 0), (0, 1), (5, 2), (5, 3)]
    assert passages_of([], [], [], length=10) == []
    assert passages_of(["", " "], [0, 0], [0, 0], length=10) == []


def test_common_words_and_marks_are_no_edges_and_the_longest_span_is_taken():
    share = {"the": 0.9, "of": 0.9, "king": 0.05, "nor": 0.005, "way": 0.005, "x": 0.005}
    options = RecurringSpans(rare=0.01)
    sentences = ["The king of Nor way, he said.", "Then the king of Nor way left.", "A king is x.", "The x."]
    for own, spans in (
        (sentences, ["king of Nor way"]),
        (["(Nor) left.", "He saw (Nor)."], ["Nor"]),
        (["U.S. Steel fell.", "It was U.S. Steel."], ["U.S. Steel"]),
        (["Nor, way", "Nor, way"], ["Nor", "way"]),
        (["Nor left", "He saw Norway and Nor way"], ["Nor"]),
    ):
        assert [span.text for span in options.spans(own, share)] == spans


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.sampled_from(WORDS), min_size=1, max_size=6), min_size=1, max_size=8), st.integers(0, 5))
def test_whatever_the_text_the_rules_hold(sentences: list[list[str]], seed: int):
    text = " ".join(f"{' '.join(own)}." for own in sentences)
    options = RecurringSpans(common=1.0, rare=1.0, unanswerable=0.0, least=0)
    for one in options.questions(passages([text], 200), seed=seed):
        answer = one.answer
        assert one.passage[answer.start : answer.end] == answer.text
        assert one.passage.casefold().count(answer.text.casefold()) == 1
        assert answer.text.casefold() not in one.question.casefold().replace("what", "\0")


def test_a_part_of_a_word_is_no_span_and_short_sentences_are_no_questions():
    text = ["Professional men came here today. They spoke professionally of it. A Professional man is rare."]
    options = RecurringSpans(unanswerable=0.0, rare=1.0, common=1.0)
    made = [one for seed in range(9) for one in options.questions(passages(text), seed=seed)]
    assert made == []  # "professionally" has the word in it, so that only two sentences are left
    short = RecurringSpans(unanswerable=0.0, common=1.0, rare=0.0)
    questions = {
        q.question
        for seed in range(9)
        for q in short.questions(passages(["Ann Lee left. It rained. Later Ann Lee came back home."]), seed=seed)
    }
    assert questions == {"Later what came back home."}


def test_a_long_sentence_is_cut_around_the_gap():
    long = " ".join(f"w{i}" for i in range(30))
    text = [f"{long} Ann Lee {long}. It rained. Ann Lee left."]
    made = next(
        iter(RecurringSpans(most=8, common=1.0, rare=0.0, unanswerable=0.0).questions(passages(text, 200), seed=0))
    )
    assert made.question == "w26 w27 w28 w29 what w0 w1 w2 w3"
    assert made.passage == "It rained. Ann Lee left."


def test_numbers_of_rows_are_plain():
    made = next(iter(ALONE.questions(passages(), seed=0)))
    assert type(made.answer.start) is int
    assert not isinstance(made.row, np.integer)
    with pytest.raises(StopIteration):
        next(RecurringSpans().questions([], seed=0))
