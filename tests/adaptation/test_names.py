"""The name of a class is one more example of it, where every name says something."""

import numpy as np
import pytest
import torch

from metaglot.adaptation import Adapted, Effort
from metaglot.errors import MetaglotError

EFFORTS = ["instant", "fast"]


@pytest.mark.parametrize("effort", EFFORTS)
def test_names_are_one_more_example(model, effort):
    texts, labels = ["the apple", "one hammer", "a plum"], ["some_grape", "near saw", "some_grape"]
    adapted = model.adapt(texts, labels, effort=effort)
    assert adapted.counts == (1, 2)  # of examples alone
    assert adapted.provenance["names"] == {"near saw": "near saw", "some_grape": "some grape"}
    by_hand = model.adapt([*texts, "near saw", "some grape"], [*labels, *adapted.labels], effort=effort, names=False)
    known = adapted.fit.units
    assert known.is_class_name.tolist() == [False] * 3 + [True] * 2
    assert torch.equal(known.numbers, by_hand.fit.units.numbers)
    assert torch.allclose(known.features, by_hand.fit.units.features, atol=1e-5)
    assert "names" not in model.adapt(texts, ["1", "2", "1"], effort=effort).provenance


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("labels", [["1", "2"], ["grape", "2"], ["LABEL_1", "LABEL_2"]])
def test_labels_that_say_nothing_have_no_part(model, effort, labels):
    texts = ["the apple", "one hammer"]
    with_names, without = (model.adapt(texts, labels, effort=effort, names=names) for names in (True, False))
    assert np.array_equal(with_names.predict_proba(texts), without.predict_proba(texts))
    assert not with_names.fit.units.is_class_name.any()


@pytest.mark.parametrize("effort", EFFORTS)
def test_words_can_be_given(model, effort):
    texts = ["the apple", "one hammer"]
    given = model.adapt(texts, ["1", "2"], effort=effort, names={"1": "grape", "2": "saw"})
    read = model.adapt(texts, ["grape", "saw"], effort=effort)
    assert np.array_equal(given.predict_proba(texts), read.predict_proba(texts))
    assert given.labels == ("1", "2")


@pytest.mark.parametrize("effort", EFFORTS)
def test_words_for_no_label_are_a_mistake(model, effort):
    with pytest.raises(MetaglotError, match="words for '3', which is no label of the examples; they have 1, 2"):
        model.adapt(["the apple", "one hammer"], ["1", "2"], effort=effort, names={"1": "grape", "3": "saw"})


def test_a_class_that_comes_later_and_says_the_same_has_no_name(model):
    first = model.adapt(["the apple", "one hammer"], ["grape", "saw"], effort="instant")
    added = first.add_examples(["a cow"], ["GRAPE"])
    assert added.fit.units.numbers[added.fit.units.is_class_name].tolist() == [0, 1]


def test_pairs_and_efforts_of_ones_own_have_none(model):
    texts, labels = ["the apple", "one hammer"], ["grape", "saw"]
    assert not model.adapt(texts, labels, pairs=texts[::-1], effort="instant").fit.units.is_class_name.any()
    assert not model.adapt(texts, labels, effort=Effort(steps=0)).fit.units.is_class_name.any()
    assert model.adapt(texts, labels, effort=Effort(steps=0, names=True)).fit.units.is_class_name.any()


def test_they_help_where_examples_are_few(tiny, sentences):
    """On a real encoder, over 12 draws of one example a class."""
    new, truth = sentences(10, seed=99)
    right = dict.fromkeys((True, False), 0)
    for seed in range(12):
        for names in right:
            predicted = tiny.adapt(*sentences(1, seed=seed), effort="instant", names=names).predict(new)
            right[names] += sum(a == b for a, b in zip(predicted, truth, strict=True))
    assert right[True] > right[False]


def test_they_are_saved(model, tmp_path):
    adapted = model.adapt(["the apple", "one hammer"], ["1", "2"], names={"1": "grape", "2": "saw"}, effort="instant")
    folder = adapted.save(tmp_path / "out")
    loaded = Adapted.load(folder, encoder=model.encoder)
    assert loaded.provenance["names"] == {"1": "grape", "2": "saw"}
    assert torch.equal(loaded.fit.units.is_class_name, adapted.fit.units.is_class_name)
    assert "name of each class stood beside its examples" in (folder / "README.md").read_text("utf-8")
