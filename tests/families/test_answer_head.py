"""The head of answers: what examples make of the learnt one, and what it answers then."""

import math
from types import MappingProxyType

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from metaglot.data.answers import Answer
from metaglot.data.examples import Inputs
from metaglot.families.heads.answers import (
    ELSEWHERE,
    AnswerHead,
    Calibration,
    answer_head,
    calibration,
    odds_of,
    padded_windows,
    question_nats,
    verdicts,
)
from metaglot.families.question_answering import SHARP, AnswerFamily
from metaglot.families.records import Places, Schema
from metaglot.families.support_units import SupportUnits
from metaglot.types import Params

FAMILY = AnswerFamily()
SCHEMA = Schema(("answer",), (1,))


def _units(count: int, seed: int, none: float = 0.3) -> SupportUnits:
    """Windows of 12 places, in which feature 0 marks first tokens and feature 1 last ones."""
    rng = torch.Generator().manual_seed(seed)
    features, targets = torch.zeros(count, 12, 17), torch.zeros(count, 12, 2)
    features[..., :16] = normalize(torch.randn(count, 12, 16, generator=rng), dim=-1)
    features[:, 0, 16] = 1
    for row in range(count):
        if torch.rand((), generator=rng) < none:
            targets[row, 0] = 1
            continue
        at = int(torch.randint(1, 10, (), generator=rng))
        targets[row, at, 0] = targets[row, at + 1, 1] = 1
        features[row, at, 0] += 1
        features[row, at + 1, 1] += 1
    owner = torch.arange(count).repeat_interleave(12)
    return SupportUnits(features.flatten(0, 1), targets.flatten(0, 1), torch.zeros(len(owner)) > 0, owner)


def _loss(head: AnswerHead, units: SupportUnits) -> float:
    windows = padded_windows(units)
    logits = windows.features @ head.weight.T + head.bias
    return float(torch.nn.functional.cross_entropy(logits, windows.answer))


def test_a_head_is_drawn_to_the_learnt_one_and_without_examples_is_it():
    weight = torch.zeros(2, 17)
    weight[0, 0] = weight[1, 1] = 6.0
    learnt, few, many = AnswerHead(weight, torch.zeros(2)), _units(4, 0), _units(64, 1)
    empty = few.at(torch.zeros(len(few.owner)) > 0)
    assert torch.equal(answer_head(empty, learnt).weight, weight)
    start, aside = _loss(learnt, _units(100, 2)), _units(100, 2)
    for units in (few, many):
        assert _loss(answer_head(units, learnt), aside) < start
    alone = answer_head(many, None)
    assert _loss(alone, aside) < math.log(12)
    assert _loss(answer_head(few, learnt), aside) < _loss(answer_head(few, None), aside)
    odds = odds_of(padded_windows(few), learnt)
    scores = few.features.view(4, 12, 17) @ weight.T
    for row in range(4):  # by brute force
        z = {
            (i, j): float(scores[row, i, 0] + scores[row, j, 1] - scores[row, 0].sum())
            for i in range(1, 12)
            for j in range(i, 12)
        }
        answer = tuple(few.targets.view(4, 12, 2)[row].argmax(0).tolist())
        expected = math.log(1 + sum(math.exp(2 * value - 1) for value in z.values())) - (
            2 * z[answer] - 1 if answer[0] else 0
        )
        assert float(question_nats(odds, torch.tensor(2.0), torch.tensor(0.5))[row]) == pytest.approx(
            expected, rel=1e-5
        )
    before = calibration(odds_of(padded_windows(few), learnt)).of(learnt).weight
    assert torch.allclose(
        before[:, :16] / before[0, 0], weight[:, :16] / 6, atol=1e-6
    )  # only sharpness and willingness
    assert torch.equal(weight[:, 16], torch.zeros(2))  # the learnt head itself stays


def _decoded(head: AnswerHead, units: SupportUnits, params: Params = MappingProxyType({})) -> list[Answer]:
    """Return the answers of `FAMILY.decode`, as if each place were a word."""
    count = len(units.owner) // 12
    words_of, at = " ".join("abcdefghijk"), np.arange(11)
    start, end = np.append(-1, 2 * at), np.append(-1, 2 * at + 1)
    inputs = Inputs(("?",) * count, (words_of,) * count)
    scores = (units.features @ head.weight.T + head.bias).numpy()
    owner = units.owner.numpy()
    return FAMILY.decode(
        scores, SCHEMA, params, Places(inputs, owner, owner, np.tile(start, count), np.tile(end, count))
    )


def test_examples_say_how_sure_a_head_is_and_not_which_part_it_gives():
    weight, rng = torch.zeros(2, 17), torch.Generator().manual_seed(3)
    weight[:, :16] = 4 * torch.randn(2, 16, generator=rng)  # sure, and as good as chance: several parts overlap
    learnt, units = AnswerHead(weight, torch.full((2,), 1.0)), _units(40, 7, none=0.0)
    before = _decoded(Calibration(1.0, -20.0).of(learnt), units)  # never "no answer"
    solved = FAMILY.shared.solve(units, SCHEMA, {"head.weight": weight, "head.bias": learnt.bias}).params
    for sharp in (0.3, 3.0):
        head = Calibration(sharp, -20.0).of(learnt)
        found = _decoded(head, units, {SHARP: torch.tensor(sharp)})
        assert [(one.start, one.end) for one in found] == [(one.start, one.end) for one in before]
        assert _decoded(head, units) != found  # without it other parts are likeliest
        judged = verdicts(odds_of(padded_windows(units), learnt), sharp).score
        assert torch.equal(judged, verdicts(odds_of(padded_windows(units), learnt), 1.0).score)
    assert float(solved[SHARP]) != 1
    assert FAMILY.fits(solved, SCHEMA)
    assert not FAMILY.fits({SHARP: torch.tensor(-1.0)}, SCHEMA)


def test_examples_without_answers_silence_a_head_that_answers_them():
    weight = torch.zeros(2, 17)
    weight[0, 0] = weight[1, 1] = 6.0
    learnt, units = AnswerHead(weight, torch.zeros(2)), _units(16, 5)
    found = _decoded(learnt, units)
    truth = units.targets.view(16, 12, 2).argmax(1)
    judged = verdicts(odds_of(padded_windows(units), learnt), 1.0).scores(0.0)
    for one, first, score in zip(found, truth[:, 0].tolist(), judged.tolist(), strict=True):
        right = one.start == 2 * first - 2 and one.end == one.start + 3 if first else not one
        assert (score == 1.0) == right
    assert any(_decoded(answer_head(units, learnt), units))
    none = units.targets.view(16, 12, 2).clone()
    none[:13] = 0
    none[:13, 0] = 1  # the same passages, without an answer to thirteen questions
    mostly = units._replace(targets=none.flatten(0, 1))
    silent = answer_head(mostly, learnt)
    assert not any(_decoded(silent, mostly, {SHARP: torch.tensor(silent.sharp)}))
    chances = [one.probability for one in _decoded(silent, _units(40, 6))]
    assert all(chance is not None and 0.6 < chance < 0.95 for chance in chances)


def test_an_answer_that_no_window_can_give_is_not_taken_for_none():
    """It may be longer than all parts, or cut by the edges of all windows that read it."""
    weight = torch.zeros(2, 17)
    weight[0, 0] = weight[1, 1] = 6.0
    learnt, few = AnswerHead(weight, torch.zeros(2)), _units(4, 0)
    rng = torch.Generator().manual_seed(1)
    features, targets = torch.rand(60, 17, generator=rng), torch.zeros(60, 2)
    features[:, -1] = 0
    features[0, -1] = 1
    more = SupportUnits(features, targets, torch.zeros(60) > 0, torch.full((60,), 4))
    expected = answer_head(few, learnt)
    targets[3, 0] = targets[50, 1] = 1  # 48 tokens
    assert torch.equal(answer_head(_both(few, more), learnt).weight, expected.weight)
    targets.zero_()[0] = ELSEWHERE
    assert torch.equal(answer_head(_both(few, more), learnt).weight, expected.weight)
    targets[0] = 1  # no answer
    assert not torch.equal(answer_head(_both(few, more), learnt).weight, expected.weight)


def _both(some: SupportUnits, more: SupportUnits) -> SupportUnits:
    return SupportUnits(*(torch.cat(pair) for pair in zip(some[:4], more[:4], strict=True)))
