"""The effort `auto`: halves of the support set, and what it decides."""

from collections import Counter

import numpy as np
import pytest

from metaglot.adaptation import AUTO, EFFORTS
from metaglot.adaptation import choice as module
from metaglot.adaptation.choice import JUDGED, choose
from metaglot.adaptation.held_out import folds_of


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("sizes", [(4, 4), (4, 5, 7), (16, 16, 16, 16)])
def test_folds_take_every_example_and_every_class_equally(sizes, count):
    labels = [str(c) for c, size in enumerate(sizes) for _ in range(size)]
    found = folds_of(labels, count, 3, "x")
    assert sorted(row for _, outside in found for row in outside) == list(range(len(labels)))
    for inside, outside in found:
        assert sorted(inside + outside) == list(range(len(labels)))
        counts = Counter(labels[i] for i in outside)
        assert all(abs(counts[c] - labels.count(c) / count) < 1 for c in set(labels))
    assert found == folds_of(labels, count, 3, "x") != folds_of(labels, count, 4, "x")


def test_one_example_of_a_class_leaves_nothing_to_judge_on(model, sentences):
    texts, labels = sentences(1)
    choice = choose(model, texts, labels, None, seed=0)
    assert (choice.effort, choice.instant, choice.thorough) == ("instant", None, None)
    assert "one example" in choice.reason


@pytest.mark.parametrize("per_class", [2, 6])
def test_auto_is_the_effort_that_it_chose(model, sentences, per_class):
    texts, labels = sentences(per_class)
    adapted = model.adapt(texts, labels, effort=AUTO, seed=1)
    choice = choose(model, texts, labels, None, seed=1)
    assert adapted.provenance["choice"] == choice._asdict()
    same = model.adapt(texts, labels, effort=choice.effort, seed=1)
    assert adapted.effort == EFFORTS[choice.effort]
    assert np.array_equal(adapted.predict_proba(texts), same.predict_proba(texts))
    assert 0 <= choice.instant <= 1
    assert 0 <= choice.thorough <= 1


class Judge:
    """A model whose gradient steps are right as often as told."""

    def __init__(self, instant: float, thorough: float) -> None:
        self.rates = {0: instant, EFFORTS["thorough"].steps // 2: thorough}

    def adapt(self, texts, labels, *, pairs, effort, seed, names):
        rate = self.rates[effort.steps]

        class Fitted:
            def predict(self, texts, pairs):
                chances = np.random.default_rng(seed).permutation(len(texts)) < rate * len(texts)
                return [text if good else "?" for text, good in zip(texts, chances, strict=True)]

        return Fitted()


@pytest.mark.parametrize(
    ("instant", "thorough", "chosen"),
    [(0.4, 0.8, "thorough"), (0.8, 0.8, "instant"), (0.8, 0.4, "instant"), (0.9, 0.92, "instant")],
)
def test_gradient_steps_must_be_clearly_ahead(instant, thorough, chosen):
    labels = ["a"] * 16 + ["b"] * 16
    choice = choose(Judge(instant, thorough), labels, labels, None, seed=0)  # texts are their labels
    assert choice.effort == chosen
    assert choice.instant == pytest.approx(instant, abs=0.07)
    assert choice.thorough == pytest.approx(thorough, abs=0.07)
    assert choice.error == 0 or choice.error < 0.2


def test_the_settings_name_all_that_decides():
    settings = module.auto_settings()
    assert settings["judged"] == JUDGED
    assert [candidate["steps"] for candidate in settings["candidates"]] == [0, EFFORTS["thorough"].steps // 2]
