"""The effort `auto`: halves of the support set, and what it decides."""

import json
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from tests.classes import FAMILY, class_schema

from metaglot.adaptation import AUTO, Adapted
from metaglot.adaptation import auto as module
from metaglot.adaptation import choice as choice_module
from metaglot.adaptation.auto import CLOSED, MANY, SOME, choose, step_seconds
from metaglot.adaptation.effort import effort_called
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.folds import folds_of
from metaglot.data.examples import Examples, Inputs
from metaglot.data.folding import folded
from metaglot.errors import MetaglotError
from metaglot.families.classes.expected import Expected
from metaglot.families.support_units import support_units


@pytest.mark.parametrize("count", [2, 4])
@pytest.mark.parametrize("sizes", [(4, 4), (4, 5, 7), (16, 16, 16, 16)])
def test_folds_take_every_example_and_every_class_equally(sizes, count):
    labels = [str(c) for c, size in enumerate(sizes) for _ in range(size)]
    examples = Examples.of([f"text {i}" for i in range(len(labels))], labels)
    found = folds_of(FAMILY, examples, count, 3, "x")
    assert sorted(row for _, outside in found for row in outside) == list(range(len(labels)))
    for inside, outside in found:
        assert sorted(inside + outside) == list(range(len(labels)))
        counts = Counter(labels[i] for i in outside)
        assert all(abs(counts[c] - labels.count(c) / count) < 1 for c in set(labels))
    assert found == folds_of(FAMILY, examples, count, 3, "x") != folds_of(FAMILY, examples, count, 4, "x")


def test_repeats_share_a_fold():
    texts = [text for i in range(4) for text in (f"text {i}", f"Text {i}!", f"other {i}")]
    examples = Examples.of(texts, ["a", "a", "b"] * 4)
    assert Counter(examples.distinct().targets) == {"a": 4, "b": 4}
    for inside, outside in folds_of(FAMILY, examples, 2, 0):
        assert not {folded(texts[i]) for i in inside} & {folded(texts[i]) for i in outside}
        assert Counter(examples.targets[i] for i in outside) == {"a": 4, "b": 2}


def test_one_example_of_a_class_leaves_nothing_to_judge_on(model, sentences):
    texts, labels = sentences(1)
    choice, _ = choose(model.encoder, FAMILY, Examples.of(texts, labels), seed=0)
    assert (choice.effort, choice.trial, choice.expected) == (CLOSED, None, None)
    assert "one example" in choice.reason


@pytest.mark.parametrize("per_class", [2, pytest.param(6, marks=pytest.mark.slow)])
def test_auto_is_what_it_chose_and_says_so(model, sentences, tmp_path, per_class):
    texts, labels = sentences(per_class)
    adapted = model.adapt(texts, labels, effort=AUTO, seed=1)
    choice, _ = choose(model.encoder, FAMILY, Examples.of(texts, labels), seed=1)
    record = adapted.provenance["choice"]
    assert record == choice.record() == json.loads(json.dumps(record))
    assert adapted.effort == choice.effort
    assert choice.trial.error > 0
    if choice.effort is not CLOSED:  # its own confidence, over the usual one
        same = model.adapt(texts, labels, effort=choice.effort, seed=1)
        ratio = adapted.fit.params["head.weight"] / same.fit.params["head.weight"]
        assert torch.allclose(ratio, torch.full_like(ratio, choice.firmness), rtol=1e-4)
    again = model.adapt(texts, labels, effort=AUTO, seed=1)
    assert np.array_equal(again.predict_proba(texts), adapted.predict_proba(texts))
    adapted.save(tmp_path / "saved")
    assert Adapted.load(tmp_path / "saved", encoder=model.encoder).provenance["choice"] == record
    card = (tmp_path / "saved" / "README.md").read_text()
    assert choice.reason in card
    assert Expected(**record["expected"]).sentence() in card


@pytest.mark.parametrize(("seconds", "effort"), [(0.0, CLOSED), (1.5, SOME), (4.0, MANY)])
def test_what_does_not_fit_the_budget_is_not_tried(model, sentences, monkeypatch, seconds, effort):
    texts, labels = sentences(6)
    monkeypatch.setattr(module, "step_seconds", lambda *_: 1.0 / SOME.steps)  # SOME takes 1 s, MANY 3.3, to try 2
    monkeypatch.setattr(module, "trial_of", lambda *_: pytest.fail("tried"))
    choice, _ = choose(model.encoder, FAMILY, Examples.of(texts, labels), seed=0, seconds=seconds)
    assert choice.effort is effort
    assert f"over {seconds:g} s" in choice.reason
    assert model.adapt(texts, labels, effort=AUTO, seconds=seconds).effort is effort


def test_nominal_seconds_are_work_and_not_time(model, sentences):
    texts, _ = sentences(20)
    short, long = (step_seconds(model.encoder, Inputs.of(" ".join([text] * n) for text in texts)) for n in (1, 3))
    assert 1.5 < long / short < 3.1
    assert step_seconds(model.encoder, Inputs.of(texts[:8])) == pytest.approx(short / 2, rel=0.3)
    assert short == step_seconds(model.encoder, Inputs.of(texts))


class Judge:
    """A model whose closed form is right as often as told on any part of its examples."""

    def __init__(self, closed: float) -> None:
        self.closed = closed
        self.metric, self.params = "cosine", {"body.w": torch.zeros(4, 4)}

    def collate(self, inputs):
        return {"attention_mask": torch.ones(len(inputs), 5)}

    def closed_form(self, labels):
        classes = tuple(sorted(set(labels)))
        numbers = torch.tensor([classes.index(label) for label in labels])
        lying = numbers.clone()  # of each class so many lie where the other one does
        for c in range(2):
            members = torch.nonzero(numbers == c)[:, 0]
            lying[members[: round((1 - self.closed) * len(members))]] = 1 - c
        units = support_units(torch.eye(2)[lying], numbers, is_class_name=False)
        return Fit(self, FAMILY, class_schema(classes, 2), {}, CLOSED, units=units)


def stepped(rate):
    """What stands in for gradient steps: a classifier that is right so often."""

    def fit_examples(encoder, family, examples, effort, *, seed, names, before=None):
        if effort is CLOSED:
            return encoder.closed_form(examples.targets)
        assert effort is SOME
        assert len(before.numbers) == len(examples)
        classes = tuple(sorted(set(examples.targets)))

        def proba(features):  # the number of the class of each text
            good = np.random.default_rng(seed).permutation(len(features)) < round(rate * len(features))
            chances = np.eye(2)[features.astype(int)]
            return np.where(good[:, None], 0.1 + 0.8 * chances, 0.9 - 0.8 * chances)

        def features(inputs):  # texts begin with their labels
            return torch.tensor([classes.index(text[0]) for text in inputs.texts])

        return SimpleNamespace(labels=classes, features=features, values=proba)

    return fit_examples


@pytest.mark.parametrize(
    ("closed", "after", "per_class", "effort"),
    [
        (0.6, 0.95, 32, MANY),
        (0.7, 0.75, 32, MANY),
        (0.75, 0.75, 32, CLOSED),  # two classes, to which steps bring nothing on the mean
        (0.8, 0.4, 32, CLOSED),
        (0.5, 0.5, 2, CLOSED),  # four examples tell next to nothing
        (0.75, 0.7, 64, CLOSED),  # many tell a small loss
    ],
)
def test_how_far_is_what_the_first_steps_bring_and_what_is_usual(monkeypatch, closed, after, per_class, effort):
    monkeypatch.setattr(module, "fit_examples", stepped(after))
    labels = ["a"] * per_class + ["b"] * per_class
    texts = [f"{label} {i}" for i, label in enumerate(labels)]
    choice, _ = choose(Judge(closed), FAMILY, Examples.of(texts, labels), seed=0)
    assert choice.effort is effort
    assert choice.trial.measured == pytest.approx(after - closed, abs=0.05 if per_class > 2 else 0.6)
    precise, other = 1 / choice.trial.error**2, 1 / module.SPREAD**2
    usual = module.usual(2)
    assert usual == choice_module.USUAL * (1 - choice_module.LEVEL / 2)
    assert choice.trial.likely == pytest.approx((choice.trial.measured * precise + usual * other) / (precise + other))
    shares = {CLOSED: 0.0, SOME: 1.0, MANY: choice_module.LONGER}
    assert choice.firmness == (choice.trial.firmness * shares[effort] or 1.0)
    assert f"{100 * choice.trial.likely:+.1f}" in choice.reason


def test_the_settings_name_all_that_decides():
    settings = choice_module.auto_settings()
    assert [candidate["steps"] for candidate in settings["candidates"]] == [0, 6, 20]
    assert {"usual", "level", "spread", "longer", "rate", "seconds"} <= settings.keys()


@pytest.mark.parametrize("name", ["auto", "as-trained"])
def test_what_is_chosen_or_learnt_has_no_steps_of_its_own(name):
    with pytest.raises(MetaglotError, match=f"the effort {name} has no steps of its own; name one of instant, fast"):
        effort_called(name)
