"""The closed loop at adaptation: the least effort that meets the goal, else the best that was found."""

from itertools import pairwise

import numpy as np
import pytest
from tests.classes import FAMILY

from metaglot.adaptation import EFFORTS, adapt_until, crossval, goal
from metaglot.adaptation.goal import cross_validated, ladder
from metaglot.data.examples import Examples
from metaglot.errors import MetaglotError
from metaglot.families.records import Predictions

LADDER = ladder(EFFORTS)


@pytest.fixture
def scored(monkeypatch):
    """Return a function that fixes the cross-validated accuracy of each rung, and lists the rungs that were tried."""

    def fix(*accuracies: float) -> list[int]:
        tried: list[int] = []

        def found(encoder, family, examples, effort, *, seed, names):
            tried.append(LADDER.index(effort))
            return accuracies[LADDER.index(effort)]

        monkeypatch.setattr(goal, "cross_validated", found)
        return tried

    return fix


def test_the_ladder_only_rises():
    assert LADDER[:3] == tuple(EFFORTS.values())
    steps = [effort.steps for effort in LADDER]
    assert steps[0] == 0
    assert all(a < b for a, b in pairwise(steps))


@pytest.mark.parametrize(("accuracies", "rung"), [((0.9,), 0), ((0.5, 0.8), 1), ((0.5, 0.4, 0.85), 2)])
def test_the_least_effort_that_meets_it(model, sentences, scored, accuracies, rung):
    tried = scored(*accuracies, *[1.0] * 4)
    adapted, reached = adapt_until(model, *sentences(2), goal=0.8, seed=3)
    assert tried == list(range(rung + 1))
    assert (adapted.effort, reached, adapted.fit.seed) == (LADDER[rung], accuracies[rung], 3)


def test_the_best_where_none_meets_it(model, sentences, scored):
    tried = scored(0.4, 0.7, 0.7, 0.6, 0.5)
    adapted, reached = adapt_until(model, *sentences(2), goal=0.8)
    assert tried == [0, 1, 2, 3, 4]
    assert (adapted.effort, reached) == (EFFORTS["fast"], 0.7)  # of two as good the smaller


def test_the_time_ends_it(model, sentences, scored):
    tried = scored(0.4, 0.7, 1.0, 1.0, 1.0)
    adapted, reached = adapt_until(model, *sentences(2), goal=0.8, cpu_seconds=0.0)
    assert tried == [0]
    assert (adapted.effort, reached) == (EFFORTS["instant"], 0.4)


def test_the_next_effort_is_thought_to_take_as_much_longer_as_it_has_more_steps(model, sentences, scored, monkeypatch):
    tried = scored(0.4, 0.5, 1.0, 1.0, 1.0)
    clock = iter(range(100))  # a second for each effort
    monkeypatch.setattr(goal.time, "process_time", lambda: next(clock) / 2)
    adapted, _ = adapt_until(model, *sentences(2), goal=0.8, cpu_seconds=8.0)
    assert tried == [0, 1]  # six times a second still fits, forty sixths more do not
    assert adapted.effort == EFFORTS["fast"]


@pytest.mark.slow
def test_for_real(model, sentences):
    texts, labels = sentences(6)
    adapted, reached = adapt_until(model, texts, labels, goal=0.5, cpu_seconds=20)
    assert reached >= 0.5
    assert reached == cross_validated(model.encoder, FAMILY, Examples.of(texts, labels), adapted.effort, seed=0)
    rung = LADDER.index(adapted.effort)
    assert all(
        cross_validated(model.encoder, FAMILY, Examples.of(texts, labels), e, seed=0) < 0.5 for e in LADDER[:rung]
    )
    assert adapted.counts == (6, 6, 6)  # the final one learns from every example
    again, _ = adapt_until(model, texts, labels, goal=0.5, cpu_seconds=20)
    assert np.array_equal(again.predict_proba(texts), adapted.predict_proba(texts))


class Parrot:
    """A method that remembers what it was taught, and says the first label of anything else."""

    labels = ("a", "b")

    def __init__(self) -> None:
        self.lessons: list[Examples[str]] = []

    def fit_examples(self, encoder, family, examples, effort, *, seed, names):
        assert names is True
        self.lessons.append(examples)
        return self

    def predict(self, inputs):
        assert len(inputs.pairs) == len(inputs.texts)
        known = dict(zip(self.lessons[-1].inputs.texts, self.lessons[-1].targets, strict=True))
        values = np.array([[known.get(text, "a") == label for label in self.labels] for text in inputs.texts], float)
        return Predictions(self.labels, values, [self.labels[i] for i in values.argmax(1)])


@pytest.mark.parametrize(("sizes", "folds"), [((4, 4), 4), ((2, 9), 2), ((3, 5), 3), ((10, 10), 4)])
def test_every_example_is_set_aside_once(monkeypatch, sizes, folds):
    labels = ["a"] * sizes[0] + ["b"] * sizes[1]
    texts = [f"text {i}" for i in range(len(labels))]
    model = Parrot()
    monkeypatch.setattr(crossval, "fit_examples", model.fit_examples)
    examples = Examples.of(texts, labels, [text[::-1] for text in texts])
    accuracy = cross_validated(model, FAMILY, examples, EFFORTS["instant"], seed=0)
    assert accuracy == sizes[0] / len(labels)  # nothing that is judged was taught
    assert len(model.lessons) == folds
    aside = [text for taught in model.lessons for text in set(texts) - set(taught.inputs.texts)]
    assert sorted(aside) == sorted(texts)
    for taught in model.lessons:
        names = taught.targets
        assert set(names) == {"a", "b"}
        assert taught.inputs.pairs == tuple(text[::-1] for text in taught.inputs.texts)
        for name, size in zip("ab", sizes, strict=True):
            assert abs(names.count(name) - size * (folds - 1) / folds) < 1


def test_a_class_with_one_example(model):
    with pytest.raises(MetaglotError, match=r"two different texts of each class.*'b' has one"):
        adapt_until(model, ["apple", "pear", "saw", "Saw!"], ["a", "a", "b", "b"], goal=0.9)


def test_mistakes(model):
    with pytest.raises(MetaglotError, match="at least two classes"):
        adapt_until(model, ["apple", "pear"], ["a", "a"], goal=0.9)
