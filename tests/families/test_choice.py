"""Choices: their metrics beside scikit-learn's, the head in closed form beside its formula, the loss, and decisions."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import label_ranking_average_precision_score, ndcg_score, top_k_accuracy_score
from tests.contract.choosing import choosing_episode

from metaglot.adaptation import Adapted, Effort, load_model
from metaglot.data.candidates import Candidates, Choice, as_cell
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError
from metaglot.families.candidate_tools import CandidateTools, agreements
from metaglot.families.choice import Choosing
from metaglot.families.choice_family import ChoiceFamily
from metaglot.families.choice_scores import scored_choices
from metaglot.families.heads.candidates import (
    PENALTIES,
    SLOPES,
    USUAL,
    CandidateUnits,
    candidate_head,
    chosen,
    weights,
)
from metaglot.families.records import Places
from metaglot.models import load_backbone
from metaglot.models.heads import scores
from metaglot.models.heads.memory import MEMORY
from metaglot.seeds import generator
from metaglot.types import TaskInfo

FAMILY = ChoiceFamily()


def predicted(chances: np.ndarray) -> list[Choice]:
    return [Choice(int(own.argmax()), probabilities=tuple((own / own.sum()).tolist())) for own in chances]


def test_metrics_are_those_of_scikit_learn():
    rng = generator(0, "choices")
    chances, right = rng.random((200, 7)), rng.integers(0, 7, 200)
    found = scored_choices(predicted(chances), [Choice(int(one)) for one in right]).metrics
    truth = np.eye(7)[right]
    assert found["accuracy"] == pytest.approx(top_k_accuracy_score(right, chances, k=1))
    assert found["recall5"] == pytest.approx(top_k_accuracy_score(right, chances, k=5))
    assert found["mrr"] == pytest.approx(label_ranking_average_precision_score(truth, chances))
    assert found["ndcg"] == pytest.approx(ndcg_score(truth, chances))


def test_metrics_of_several_right_ones_and_of_equal_ones():
    rng = generator(1, "choices")
    chances = np.round(rng.random((200, 6)), 1)  # many are equal
    marks = rng.random((200, 6)) < 0.4
    marks[np.arange(200), rng.integers(0, 6, 200)] = True
    truth = [Choice(int(own[0]), tuple(map(int, own[1:]))) for own in map(np.flatnonzero, marks)]
    chances[:, 0] += 0.01  # none has no chance at all
    found = scored_choices(predicted(chances), truth).metrics
    assert found["ndcg"] == pytest.approx(ndcg_score(marks.astype(float), chances))
    orders = [  # of equal ones every order counts the same
        np.array([own[np.lexsort((rng.random(6), -chance))] for own, chance in zip(marks, chances, strict=True)])
        for _ in range(300)
    ]
    places = np.array([order.argmax(1) for order in orders])
    assert found["accuracy"] == pytest.approx((places == 0).mean(), abs=0.01)
    assert found["mrr"] == pytest.approx((1 / (1 + places)).mean(), abs=0.01)
    assert found["recall5"] == pytest.approx((places < 5).mean(), abs=0.01)


def test_all_alike_have_what_chance_has():
    even = [Choice(0, probabilities=(0.25,) * 4)] * 3
    found = scored_choices(even, [Choice(0), Choice(2), Choice(3)]).metrics
    assert found["accuracy"] == pytest.approx(1 / 4)
    assert found["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3 + 1 / 4) / 4)


def test_chances_that_differ_in_their_last_bits_are_equal():
    same = scored_choices([Choice(0, probabilities=(0.5 + 4e-16, 0.5 - 4e-16))], [Choice(1)]).metrics
    assert (same["accuracy"], same["mrr"]) == (0.5, 0.75)
    assert scored_choices([Choice(0, probabilities=(3e-13, 2e-13, 1.0))], [Choice(1)]).metrics["mrr"] == 1 / 3


def units(texts: int = 12, width: int = 10, seed: int = 0) -> CandidateUnits:
    """Return texts with 2 to 5 candidates, of which the right one is somewhat larger in the third feature."""
    rng = torch.Generator().manual_seed(seed)
    sizes = [2 + i % 4 for i in range(texts)]
    owner = torch.tensor([i for i, size in enumerate(sizes) for _ in range(size)])
    right = torch.cat([torch.eye(size)[i % size] for i, size in enumerate(sizes)])
    features = torch.randn(len(owner), width, generator=rng)
    features[:, 2] += 2 * right
    return CandidateUnits(features.double(), right.double(), owner, torch.zeros(len(owner), 0, dtype=torch.float64))


def test_the_head_is_the_solution_of_its_formula():
    given, lean = units(), np.linspace(-0.5, 1, 10)
    x, y, owner = (part.numpy() for part in given[:3])
    parts = [owner == i for i in range(12)]
    x = np.concatenate([x[own] - x[own].mean(0) for own in parts])
    y = np.concatenate([y[own] - y[own].mean() for own in parts])
    for penalty, weight in zip(PENALTIES, weights(given, torch.tensor(lean), PENALTIES), strict=True):
        expected = lean + np.linalg.solve(x.T @ x + penalty * np.eye(10), x.T @ (y - x @ lean))
        assert np.allclose(weight.numpy(), expected, atol=1e-9)


def test_penalty_and_slope_are_of_least_loss_on_texts_set_aside():
    given, lean = units(40), torch.zeros(10, dtype=torch.float64)
    penalty, slope, strength = chosen(given, lean)
    assert strength == 0

    def loss(penalty: float, slope: float) -> float:
        total = 0.5 * (math.log(slope / 10) ** 2 + math.log(1000 / penalty))
        for fold in range(5):
            (weight,) = weights(given.at(given.owner // 8 != fold), lean, (penalty,))
            for text in range(8 * fold, 8 * fold + 8):
                own = given.at(given.owner == text)
                total -= float(((slope * own.features @ weight).log_softmax(0) * own.right).sum())
        return total

    every = {(p, s): loss(p, s) for p in PENALTIES for s in SLOPES[::4]}
    assert loss(penalty, slope) <= min(every.values()) + 1e-9
    head = candidate_head(given, 10 * lean)["head.weight"][0]
    assert torch.allclose(head, slope * weights(given, lean, (penalty,))[0])
    scores = given.features @ head
    hits = [bool(given.right[given.owner == i][scores[given.owner == i].argmax()]) for i in range(40)]
    assert sum(hits) > 30


def test_texts_that_tell_nothing_leave_what_was_learnt():
    given = units(3)
    silent = given._replace(right=torch.ones_like(given.right))
    learnt = torch.linspace(0, 1, 10)
    assert torch.equal(candidate_head(silent, learnt)["head.weight"][0], learnt.double())
    alone = given.at(given.owner == 0)
    assert chosen(alone, learnt.double()) == (USUAL, 10.0, 0.0)
    assert bool(candidate_head(alone, learnt)["head.weight"].isfinite().all())


def recurring(texts: int = 24, width: int = 8) -> CandidateUnits:
    """Return texts of three groups; the right one of two candidates is that of the group, and features tell nothing."""
    rng = torch.Generator().manual_seed(3)
    asked, reply = (torch.nn.functional.normalize(torch.randn(3, width, generator=rng), dim=-1) for _ in range(2))
    owner = torch.arange(2 * texts) // 2
    group = owner % 3
    right = (torch.arange(2 * texts) % 2 == owner % 2).double()
    own = reply[torch.where(right > 0, group, (group + 1) % 3)]
    beside = torch.cat([asked[group], asked[group], own], -1)
    return CandidateUnits(torch.zeros(2 * texts, 4, dtype=torch.float64), right, owner, beside.double())


def test_a_memory_tells_replies_that_recur_from_others():
    given = recurring()
    head = candidate_head(given, torch.zeros(4))
    key, own = given.beside[:, :16], given.beside[:, 16:]
    known = given.right > 0
    attention = (20 * key @ key[known].T).softmax(-1) - 1 / 24
    expected = 10 * (attention * (own @ own[known].T)).sum(-1)
    found = scores(head, torch.cat([given.features, given.beside], -1))[:, 0]
    assert torch.allclose(found, expected)
    assert bool((found[known] > found[~known]).all())
    swapped = torch.where(given.owner // 3 % 2 > 0, 1 - given.right, given.right)
    mixed = given._replace(right=swapped)  # what was right tells nothing
    assert "head.memory.asked" not in candidate_head(mixed, torch.zeros(4))
    assert "head.memory.asked" not in candidate_head(given.at(given.owner == 0), torch.zeros(4))


def test_an_adaptation_remembers_its_examples(tiny_model, tmp_path):
    texts = [f"{word} {n}" for n in "abcdefgh" for word in ("taxi", "room")]
    asked = Candidates(texts, [["car", "bed"] for _ in texts])
    right = [i % 2 for i in range(len(texts))]
    chooser = tiny_model.adapt(asked, right, effort="instant")
    assert set(MEMORY) < set(chooser.fit.params)
    chooser.save(tmp_path / "m")
    assert Adapted.load(tmp_path / "m").predict(asked) == chooser.predict(asked)
    begun = tiny_model.zero_shot(task="choice").add_examples(asked, right)
    for a, b in zip(begun.predict(asked), chooser.predict(asked), strict=True):
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-6)


def test_the_loss_is_the_mean_over_texts_of_what_right_ones_have():
    batch = {"right": torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0]]), "there": torch.ones(3, 3, dtype=torch.int64)}
    logits = torch.tensor([[2.0, 0.0, 1.0], [0.5, 1.5, 0.0], [9.0, 0.0, 0.0]])
    p = logits.log_softmax(-1)
    expected = -(p[0, 0] + (p[1, 0] + p[1, 1]) / 2) / 2
    assert float(Choosing().loss(logits, batch)) == pytest.approx(float(expected))
    assert Choosing().judged(batch) == 2
    assert Choosing().metrics(logits, batch)["accuracy"] == 1.0
    assert Choosing().metrics(torch.zeros(3, 3), batch)["mrr"] == pytest.approx((1 / 3 + 1 / 2) / 2)


def test_units_are_the_candidates_that_there_are(bert):
    episode = choosing_episode(vocab=48)
    outputs = bert.forward({}, episode.support)
    found = Choosing().units(outputs, episode.support, None)
    assert len(found.features) == int(episode.support["there"].sum())
    assert int(found.targets.sum()) == Choosing().judged(episode.support)
    hidden = outputs.hidden
    row, candidate = 1, 2
    at = int((found.owner < row).sum()) + candidate
    text, last, own = hidden[row, 0], hidden[row, 1], hidden[row, 2 + candidate]
    assert found.features[at, 0] == pytest.approx(2 * float(text @ own))
    assert found.features[at, 1] == pytest.approx(2 * float(last @ own))
    assert torch.allclose(found.features[at, 8:24], 0.2 * 4 * (text + last) * own, atol=1e-6)
    assert torch.allclose(found.features[at, 24:], torch.cat([text, last, own]), atol=1e-6)
    spec = Choosing().head_spec(TaskInfo("a", "a", ("right",), (0,), "choice"), 16)
    assert found.features.shape[1] == spec.inputs + spec.beside


def test_a_window_holds_a_text_its_last_line_and_its_candidates():
    tokenizer = load_backbone("builtin:tiny").tokenizer
    inputs = Inputs(("one\ntwo", "three"), (as_cell(["a", "b"]), as_cell(["c"])))
    first, second = CandidateTools().windows(tokenizer, inputs, max_length=8, prompt="", where="tiny")
    texts = [tokenizer.decode(ids, skip_special_tokens=True) for ids in first.tokens["input_ids"]]
    assert texts == ["one two", "two", "a", "b"]
    row = CandidateTools().row(Choice(1), FAMILY.schema([Choice(1)]), first)
    assert row["right"].tolist() == [0, 1]
    assert CandidateTools().row(None, FAMILY.schema([]), second)["right"].tolist() == [0]
    assert CandidateTools().places(first).tolist() == [[0, 1], [1, 2]]
    with pytest.raises(MetaglotError, match="texts came without candidates"):
        CandidateTools().windows(tokenizer, Inputs(("one",)), max_length=8, prompt="", where="tiny")


def test_agreements_are_shares_of_words():
    rows = agreements("At 7, in Oslo?\nSee you at 7.", ["At 7!", "No"])
    assert rows[0].tolist() == pytest.approx([1, 2 / math.sqrt(12), 2 / math.sqrt(8), 1, 1, math.log(3) / 4], abs=1e-6)
    assert rows[1].tolist() == pytest.approx([0, 0, 0, 0, 0, math.log(2) / 4], abs=1e-6)


def test_decisions_are_the_likeliest_candidates_with_the_probabilities_of_all():
    inputs = Inputs(("x", "y"), (as_cell(["a", "b"]), as_cell(["c", "d", "e"])))
    owner = np.array([0, 0, 1, 1, 1])
    places = Places(inputs, owner, owner, np.array([0, 1, 0, 1, 2]), np.array([1, 2, 1, 2, 3]))
    scores = torch.tensor([[0.0], [1.0], [900.0], [901.0], [2.0]], dtype=torch.float64)
    schema = FAMILY.schema([Choice(0)])
    found = FAMILY.decode(FAMILY.link(scores, schema, {}).numpy(), schema, {}, places)
    assert [(one.number, one.text) for one in found] == [(1, "b"), (0, "c")]
    assert found[0].probabilities == pytest.approx((1 / (1 + math.e), math.e / (1 + math.e)))
    assert sum(found[1].probabilities) == pytest.approx(1)


def test_a_model_that_has_learnt_nothing_ranks_by_likeness(tiny_model):
    asked = Candidates(["one\ntwo"], [["one two", "three"]])
    (choice,) = tiny_model.zero_shot(task="choice").predict(asked)
    cosines = [tiny_model.embed([text]) @ tiny_model.embed(["one two", "three"]).T for text in ("one\ntwo", "two")]
    scores = torch.as_tensor(5 * (cosines[0] + cosines[1])[0])
    assert choice.probabilities == pytest.approx(scores.softmax(0).tolist(), abs=2e-2)


def test_steps_begin_from_the_head_in_closed_form(tiny_model):
    asked = Candidates(
        ["a red apple", "an old saw", "a pear"], [["fruit", "tool"], ["tool", "fruit"], ["fruit", "tool"]]
    )
    one = tiny_model.adapt(asked, [0, 0, 0], effort="instant")
    still = tiny_model.adapt(asked, [0, 0, 0], effort=Effort(steps=1, lr=0.0, head_lr=0.0))
    for a, b in zip(one.predict(asked), still.predict(asked), strict=True):
        assert a.probabilities == pytest.approx(b.probabilities, abs=1e-3)
    moved = tiny_model.adapt(asked, [0, 0, 0], effort="fast")
    assert moved.score(asked, [0, 0, 0])["accuracy"] == 1.0


@pytest.fixture(scope="module")
def tiny_model():
    return load_model("builtin:tiny")


def test_one_text_is_asked_with_its_candidates_and_other_kinds_take_none(tiny_model):
    asked = Candidates(["a red apple", "an old saw"], [["fruit", "tool"], ["tool", "fruit"]])
    chooser = tiny_model.adapt(asked, [0, 0], effort="instant")
    assert chooser.predict("a red apple", ["fruit", "tool"]) == chooser.predict(asked)[0]
    classes = tiny_model.adapt(["a red apple", "an old saw"], ["fruit", "tool"], effort="instant")
    for call in (
        lambda: classes.predict(asked),
        lambda: classes.score(asked, ["fruit", "tool"]),
        lambda: classes.add_examples(asked, ["fruit", "tool"]),
        lambda: tiny_model.adapt(asked, ["fruit", "tool"], task="classification"),
    ):
        with pytest.raises(MetaglotError, match="texts came with candidates, and a task of classification has none"):
            call()
    with pytest.raises(MetaglotError, match="second texts"):
        classes.predict("a red apple", ["fruit", "tool"])
