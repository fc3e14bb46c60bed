"""Every kind of task that a model adapts to: examples, prediction, more examples, edits, save and load."""

import json
import math

import numpy as np
import pytest
from tests.targets import READ, TARGETS, seconds, targets

from metaglot import Adapted
from metaglot.adaptation import adapt_until
from metaglot.choices import FAMILIES
from metaglot.data.words import words
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_of

TEXTS = [f"{word} {kind}" for word in ("apple", "pear", "saw", "drill") for kind in ("red", "old", "small")]
ASKED = ["old apple", "a small saw", ""]


def test_every_kind_has_targets_here():
    assert set(TARGETS) == set(FAMILIES)


@pytest.mark.parametrize("kind", READ)
@pytest.mark.parametrize("effort", ["instant", "auto", "fast"])
def test_it_learns_saves_and_comes_back(model, tmp_path, kind, effort):
    task = None if family_of(targets(kind)).name == kind else kind  # by the look of the targets where that is enough
    adapted = model.adapt(TEXTS, targets(kind), task=task, pairs=seconds(kind), effort=effort, seed=3)
    asked = seconds(kind, len(ASKED))
    assert adapted.fit.family.name == kind
    found = adapted.predictions(ASKED, asked)
    units = {"tagging": sum(len(words(text)) for text in ASKED), "choice": 10, "question-answering": 14}.get(kind, 3)
    assert found.values.shape == (units, len(found.outputs))
    assert len(found.targets) == 3
    assert np.isfinite(found.values).all()
    assert adapted.predict(ASKED, asked) == list(found.targets)
    assert adapted.predict(ASKED[0], asked and asked[0]) == found.targets[0]
    folder = adapted.save(tmp_path / "out", keep_examples=True)
    back = Adapted.load(folder, encoder=model.encoder)
    assert back.fit.family == adapted.fit.family
    assert back.fit.schema == adapted.fit.schema
    assert back.examples == adapted.examples
    assert np.array_equal(back.predictions(ASKED, asked).values, found.values)
    assert back.predict(ASKED, asked) == adapted.predict(ASKED, asked)
    assert adapted.fit.family.described(adapted.fit.schema).title in (folder / "README.md").read_text()


@pytest.mark.parametrize("kind", READ)
def test_by_default_steps_are_taken_where_few_examples_gain_by_them(model, kind):
    adapted = model.adapt(TEXTS[:8], targets(kind, 8), task=kind, pairs=seconds(kind, 8))
    assert adapted.effort == model.effort("fast" if adapted.fit.family.steps else "instant")


@pytest.mark.parametrize("kind", READ)
def test_examples_are_added_and_taken_out_as_if_adapted_anew(model, kind):
    whole = model.adapt(TEXTS, targets(kind), task=kind, pairs=seconds(kind), effort="instant")
    first = model.adapt(TEXTS[:9], targets(kind, 9), task=kind, pairs=seconds(kind, 9), effort="instant")
    added = first.add_examples(TEXTS[9:], targets(kind)[9:], pairs=(seconds(kind) or [])[9:] or None)
    asked = seconds(kind, len(ASKED))
    every, few = (one.predictions(ASKED, asked).values for one in (whole, first))
    assert np.allclose(added.predictions(ASKED, asked).values, every, rtol=1e-4, atol=1e-5)
    less = whole.without([9, 10, 11])
    assert np.allclose(less.predictions(ASKED, asked).values, few, atol=1e-6)
    assert less.examples == first.examples
    assert added.fit.count == len(TEXTS)


@pytest.mark.parametrize("kind", READ)
def test_a_target_is_replaced(model, kind):
    changed = targets(kind)
    changed[0] = TARGETS[kind][1]
    pairs, asked = seconds(kind), seconds(kind, len(ASKED))
    whole = model.adapt(TEXTS, changed, task=kind, pairs=pairs, effort="instant")
    again = model.adapt(TEXTS, targets(kind), task=kind, pairs=pairs, effort="instant")
    again = again.relabelled({0: TARGETS[kind][1]})
    expected = whole.predictions(ASKED, asked).values
    assert np.allclose(again.predictions(ASKED, asked).values, expected, atol=1e-6)


@pytest.mark.parametrize("kind", READ)
def test_an_effort_meets_a_goal_of_its_metric(model, kind):
    texts, given = TEXTS * 2, targets(kind) * 2
    texts = [f"{text} {i}" for i, text in enumerate(texts)]
    easy = 0.0 if FAMILIES[kind]().measures[0].sign > 0 else 100.0
    adapted, score = adapt_until(model, texts, given, seconds(kind, len(texts)), goal=easy, task=kind)
    assert adapted.effort.steps == 0
    assert math.isfinite(score)
    assert adapted.fit.family.measures[0].reaches(score, easy)


def test_a_label_that_is_new_widens_what_was_learnt(model):
    first = model.adapt(TEXTS[:8], targets("multilabel", 8), effort="instant")
    more = first.add_examples(["a wide plank", "a long plank"], [["wood"], ["a", "wood"]])
    assert more.labels == ("a", "b", "c", "wood")
    assert more.counts[-1] == 2
    anew = model.adapt(
        [*TEXTS[:8], "a wide plank", "a long plank"],
        [*targets("multilabel", 8), ["wood"], ["a", "wood"]],
        effort="instant",
    )
    assert np.allclose(more.predictions(ASKED).values, anew.predictions(ASKED).values, atol=1e-5)


@pytest.mark.parametrize(
    ("labels", "task", "said"),
    [
        ([{"a"}, 3.5, {"b"}, set()], None, "label number 2"),
        ([[0, 1, 1], [1, 0, 0], [1, 0, 1], [0, 0, 1]], None, "label number 1 is .*: zeros and ones"),
        ([{"a"}, {""}, {"b"}, set()], None, "no name"),
        ([set()] * 4, None, "no example has a label"),
        ([{"a"}] * 4, None, "every label"),
        ([1.5, "x", 2.0, 3.0], "regression", "label number 2"),
        ([1.5, math.inf, 2.0, 3.0], "regression", "finite"),
        ([1.5, 1e308, 2.0, 3.0], "regression", "at most 1e"),
        ([1, 10**400, 2, 3], "regression", "at most 1e"),
        ([1.5, math.nan, 2.0, 3.0], "regression", "missing"),
        ([2.5, 2.5, 2.5, 2.5], "regression", "all examples have the number"),
        (["a", "b", "a", "b"], "clasification", "did you mean 'classification'"),
    ],
)
def test_what_is_no_target_is_refused(model, labels, task, said):
    with pytest.raises(MetaglotError, match=said):
        model.adapt(TEXTS[:4], labels, task=task, effort="instant")


@pytest.mark.parametrize("kind", ["multilabel", "regression", "ordinal"])
def test_what_is_told_for_classes_alone_says_so(model, kind):
    adapted = model.adapt(TEXTS, targets(kind), task=kind, effort="instant")
    for call in (adapted.explain_all, adapted.in_scope, lambda texts: adapted.predict(texts, unknown="none")):
        with pytest.raises(MetaglotError, match=f"classes alone; this is a task of {kind}"):
            call(ASKED)


def test_numbers_have_no_probabilities_and_names(model):
    adapted = model.adapt(TEXTS, targets("regression"), effort="instant")
    with pytest.raises(MetaglotError, match="no probabilities"):
        adapted.predict_proba(ASKED)
    with pytest.raises(MetaglotError, match="no names to give"):
        model.adapt(TEXTS, targets("regression"), names={"number": "stars"})


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        ({"labels": ["a"], "counts": [1]}, "classification"),
        ({"family": "none"}, "regression"),
        ({"family": "regression"}, "ordinal"),
        ({"levels": [3.0, 1.0]}, "ordinal"),
        ({"spread": 0.0}, "regression"),
    ],
)
def test_a_folder_of_another_kind_is_damaged(model, tmp_path, damage, kind):
    folder = model.adapt(TEXTS, targets(kind), task=kind, effort="instant").save(tmp_path / "out")
    file = folder / "adapted.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **damage}))
    with pytest.raises(MetaglotError):
        Adapted.load(folder, encoder=model.encoder)


def test_an_ordinal_task_gives_levels_and_those_between(model):
    adapted = model.adapt(TEXTS, targets("ordinal"), task="ordinal", effort="instant")
    assert adapted.fit.schema.levels == (1.0, 2.0, 2.5, 4.0)
    assert set(adapted.predict([*TEXTS, *ASKED])) <= {1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0}
    numbers = model.adapt(TEXTS, targets("ordinal"), task="regression", effort="instant").predict(TEXTS)
    assert adapted.predict(TEXTS) == pytest.approx(numbers, abs=0.25 + 1e-6)
    odd = model.adapt(TEXTS[:4], [1, 2, 10, 11.3], task="ordinal", effort="instant")
    assert odd.fit.schema.levels == (1.0, 2.0, 10.0, 11.3)
