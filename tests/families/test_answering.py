"""Answers: their tokens in windows, the loss, the head, and the best part over all windows."""

import math
from itertools import product

import numpy as np
import pytest
import torch
from torch.nn.functional import log_softmax, normalize

from metaglot import load
from metaglot.data.answers import Answer
from metaglot.data.examples import Inputs
from metaglot.data.windows import Window
from metaglot.data.words import words
from metaglot.errors import MetaglotError
from metaglot.families.answer_choice import Part, best_answer, spans_of
from metaglot.families.answer_windows import AnswerTools, passage_tokens, tokens_of
from metaglot.families.answering import Answering, token_features
from metaglot.families.question_answering import AnswerFamily
from metaglot.families.records import Places, Predictions, Schema
from metaglot.types import Outputs

PASSAGE = "Ann is in Oslo now."
TOOLS, FAMILY = AnswerTools(), AnswerFamily()
SCHEMA = Schema(("answer",), (1,))


def window(first: int, last: int, owner: int = 0) -> Window:
    """A window of [CLS] question [SEP] and the words first … last − 1 of the passage."""
    where = words(PASSAGE)[first:last]
    part = np.array([-1, 0, -1, *[1] * len(where), -1])
    start = np.array([0, 0, 0, *(s for s, _ in where), 0])
    end = np.array([0, 3, 0, *(e for _, e in where), 0])
    return Window(owner, PASSAGE, {"input_ids": list(range(len(part)))}, part, start, end, (0, len(PASSAGE)))


def test_an_answer_is_its_tokens_and_none_where_a_window_does_not_show_all_of_it():
    whole, behind = window(0, 6), window(2, 6)
    assert passage_tokens(whole).tolist() == [3, 4, 5, 6, 7, 8]
    for target, of_whole, of_behind in (
        (Answer("Oslo", 10, 14), (6, 6), (4, 4)),
        (Answer("is in", 4, 9), (4, 5), (0, 0)),
        (Answer(), (0, 0), (0, 0)),
        (Answer("slo now", 11, 18), (6, 7), (4, 5)),
    ):
        assert tokens_of(target, whole, passage_tokens(whole)) == of_whole
        assert tokens_of(target, behind, passage_tokens(behind)) == of_behind
    row = TOOLS.row(Answer("Oslo", 10, 14), SCHEMA, whole)
    assert row["places"].tolist() == [1, 0, 0, 1, 1, 1, 1, 1, 1, 0]
    assert TOOLS.places(whole).tolist() == [[-1, -1], *map(list, words(PASSAGE))]


def test_an_answer_gets_its_place_in_the_passage():
    assert TOOLS.check(PASSAGE, Answer("Oslo"), "label 1") == Answer("Oslo", 10, 14)
    with pytest.raises(MetaglotError, match="label 1: the answer 'Rome' does not stand in the passage"):
        TOOLS.check(PASSAGE, Answer("Rome"), "label 1")


def test_training_reads_a_window_with_the_answer_and_now_and_then_one_without():
    cut = [window(3, 6), window(0, 3)]
    seen = set()
    for number in range(40):
        cut[0] = Window(**{**vars(cut[0]), "tokens": {"input_ids": [number]}})
        seen.add(TOOLS.chosen(Answer("is", 4, 6), cut) is cut[1])
    assert seen == {True, False}
    assert TOOLS.chosen(Answer(), [cut[0]]) is cut[0]


def test_questions_need_passages_and_long_ones_are_cut(tiny):
    from transformers import AutoTokenizer

    from metaglot.data.builtin import fetch

    with pytest.raises(MetaglotError, match="no passages were given"):
        TOOLS.windows(None, Inputs(("Who?",)), max_length=32, prompt="", where="m")
    tokenizer = AutoTokenizer.from_pretrained(str(fetch(tiny.removeprefix("builtin:"))))
    long = Inputs(("why " * 100,), (PASSAGE,))
    found = TOOLS.windows(tokenizer, long, max_length=48, prompt="", where="m")
    assert all(len(one.tokens["input_ids"]) <= 48 for one in found)
    assert found[0].text == PASSAGE


def test_the_loss_is_the_mean_cross_entropy_of_first_and_last_place():
    objective = Answering()
    rows = [{"input_ids": [5, 6, 7, 8], "places": [1, 0, 1, 1], "answer": (2, 3)}]
    rows += [{"input_ids": [5, 6, 7], "places": [1, 1, 1], "answer": (0, 0)}]
    batch = objective.collate(rows)
    hidden = torch.randn(2, 4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    outputs = Outputs(hidden, hidden[:, 0], batch["attention_mask"])
    weight = torch.randn(2, 7, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    logits = objective.logits({"head.weight": weight, "head.bias": torch.zeros(2).double()}, outputs, batch)
    x = torch.cat([normalize(hidden, dim=-1), torch.zeros(2, 4, 1).double()], -1)
    x[:, 0, -1] = 1
    expected = []
    for row, (there, answer) in enumerate((([0, 2, 3], (2, 3)), ([0, 1, 2], (0, 0)))):
        scores = log_softmax(x[row, there] @ weight.T, 0)
        expected.append(-(scores[there.index(answer[0]), 0] + scores[there.index(answer[1]), 1]) / 2)
    assert float(objective.loss(logits, batch)) == pytest.approx(float(sum(expected)) / 2, rel=1e-5)
    units = objective.units(outputs, batch, objective.head_spec(None, 6))  # type: ignore[arg-type]
    assert units.owner.tolist() == [0, 0, 0, 1, 1, 1]
    assert units.targets.tolist() == [[0, 0], [1, 0], [0, 1], [1, 1], [0, 0], [0, 0]]
    assert torch.allclose(units.features, token_features(outputs)[batch["places"] > 0])


def test_perfect_scores_find_the_answer_and_its_score_is_best():
    objective = Answering()
    batch = objective.collate([{"input_ids": [1] * 6, "places": [1] * 6, "answer": (2, 4)}])
    perfect = torch.zeros(1, 6, 2)
    perfect[0, 2, 0] = perfect[0, 4, 1] = 50
    assert objective.predict(perfect).tolist() == [[2, 4]]
    assert objective.metrics(perfect, batch)["token_f1"] == 1.0
    assert objective.metrics(torch.zeros(1, 6, 2), batch)["token_f1"] == 0.0  # none
    half = torch.zeros(1, 6, 2)
    half[0, 4, 0] = half[0, 5, 1] = 50
    assert objective.metrics(half, batch)["token_f1"] == pytest.approx(2 * 1 / 5)


def _part(first: int, last: int, scores: np.ndarray) -> Part:
    start, end = np.array([(-1, -1), *words(PASSAGE)[first:last]]).T
    return Part(scores, start, end)


def test_the_best_part_is_that_of_brute_force_over_windows():
    rng = np.random.default_rng(0)
    for _ in range(5):
        parts = [_part(0, 4, rng.normal(size=(5, 2))), _part(2, 6, rng.normal(size=(5, 2)))]
        odds: dict[tuple[int, int], float] = {}
        for part in parts:
            for i, j in product(range(1, 5), repeat=2):
                if i <= j:
                    key = int(part.start[i]), int(part.end[j])
                    value = math.exp(part.scores[i, 0] + part.scores[j, 1] - part.scores[0].sum())
                    odds[key] = max(odds.get(key, 0.0), value)
        total = 1 + sum(odds.values())

        def expected_f1(key: tuple[int, int], odds=odds, total=total) -> float:
            overlap = (
                (max(0, min(key[1], e) - max(key[0], s)), e - s + key[1] - key[0], p) for (s, e), p in odds.items()
            )
            return sum(2 * common / size * p / total for common, size, p in overlap)

        assert len(spans_of(PASSAGE, parts).start) == len(odds)
        best = max(odds, key=expected_f1)
        found = best_answer(PASSAGE, parts)
        if 1 / total >= expected_f1(best) + 1e-9:
            assert not found
            assert found.probability == pytest.approx(1 / total)
        else:
            assert (found.start, found.end, found.text) == (*best, PASSAGE[slice(*best)])
            assert found.probability == pytest.approx(odds[best] / total)


def test_a_part_begins_and_ends_with_words_and_no_place_is_no_answer():
    start, end = np.array([(-1, -1), (0, 1), (1, 3), (4, 6)]).T  # "A" and "nn" are one word
    spans = spans_of(PASSAGE, [Part(np.zeros((4, 2)), start, end)])
    assert set(zip(spans.start.tolist(), spans.end.tolist(), strict=True)) == {(0, 3), (0, 6), (4, 6)}
    assert best_answer(PASSAGE, []) == Answer()


def test_an_answer_keeps_the_marks_that_a_tokenizer_drops(tiny):
    tokenizer = load(tiny).encoder.backbone.tokenizer
    for passage in ("in Cafe\u0301 now", "\u0938\u0947 \u0915\u0947 now"):  # the signs of vowels stand last in Hindi
        (window,) = AnswerTools().windows(
            tokenizer, Inputs(("Where?",), (passage,)), max_length=48, prompt="", where=""
        )
        start, end = AnswerTools().places(window).T
        found = spans_of(passage, [Part(np.zeros((len(start), 2)), start, end)])
        texts = {passage[i:j] for i, j in zip(found.start, found.end, strict=True)}
        assert set(passage.split()) <= texts
        assert len(texts) == 6
    start, end = np.array([(-1, -1), (0, 1), (4, 6)]).T  # a syllable of Korean in parts
    assert 3 in spans_of("\u1100\u1161\u11a8 hi", [Part(np.zeros((3, 2)), start, end)]).end
    start, end = np.array([(-1, -1), (0, 1), (1, 2)]).T  # a token of its own stands for the mark
    assert len(spans_of("e\u0301", [Part(np.zeros((3, 2)), start, end)]).start) == 1


def test_places_of_several_windows_and_inputs_are_decoded():
    sure = np.zeros((7, 2))
    sure[4] = 9.0
    start, end = np.array([(-1, -1), *words(PASSAGE)]).T
    inputs = Inputs(("Where?", "Who?"), (PASSAGE, PASSAGE))
    none = np.array([[9.0, 9.0], *[[0.0, 0.0]] * 6])
    owner, number = np.repeat([0, 1], 7), np.repeat([0, 1], 7)
    places = Places(inputs, owner, number, np.tile(start, 2), np.tile(end, 2))
    first, second = FAMILY.decode(np.concatenate([sure, none]), SCHEMA, {}, places)
    assert (first, second) == (Answer("Oslo", 10, 14), Answer())
    assert first.probability is not None
    assert first.probability > 0.9
    truth = [Answer("Oslo", 10, 14), Answer()]
    scored = FAMILY.score(Predictions(("a", "b"), np.zeros((2, 2)), [first, second]), truth)
    assert scored.metrics["answer_f1"] == 1.0


def test_an_answer_may_end_with_marks_that_have_no_token_and_one_that_is_cut_is_told_from_none(tiny):
    tokenizer, tools, schema = load(tiny).encoder.backbone.tokenizer, AnswerTools(), Schema(("answer",), (1,))
    for passage in ("in Cafe\u0301", "\u0301Cafe\u0301 in"):
        answer = Answer("Cafe\u0301", passage.index("C"), passage.rindex("\u0301") + 1)
        (window,) = tools.windows(tokenizer, Inputs(("Where?",), (passage,)), max_length=48, prompt="", where="")
        row = tools.row(answer, schema, window)
        assert min(row["answer"]) > 0
        assert row["places"].max() == 1
    long = " ".join(["a"] * 100)
    cut = tools.windows(tokenizer, Inputs(("Where?",), (long,)), max_length=48, prompt="", where="")
    firsts = [tools.row(Answer(long, 0, len(long)), schema, window)["places"][0] for window in cut]
    assert (len(cut) > 2, set(firsts)) == (True, {2})
    assert tools.row(Answer(), schema, cut[0])["places"][0] == 1
