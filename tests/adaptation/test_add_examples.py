"""More examples later: the closed form only adds, gradient steps begin again from all of them."""

import numpy as np
import pytest
import torch

from metaglot.adaptation import Adapted
from metaglot.errors import MetaglotError


@pytest.fixture
def first(sentences):
    return sentences(3, classes=("fruit", "tool"))


@pytest.fixture
def more(sentences):
    """Examples of a known class and of a new one."""
    texts, labels = sentences(2, classes=("beast",), seed=1)
    return [*texts, "near the saw"], [*labels, "tool"]


def test_closed_form_equals_from_scratch(model, first, more, sentences):
    added = model.adapt(*first, effort="instant").add_examples(*more)
    scratch = model.adapt([*first[0], *more[0]], [*first[1], *more[1]], effort="instant")
    assert added.labels == ("fruit", "tool", "beast")
    assert added.counts == (3, 4, 2)
    new = sentences(5, seed=2)[0]
    order = [scratch.labels.index(label) for label in added.labels]
    assert added.predict_proba(new) == pytest.approx(scratch.predict_proba(new)[:, order], abs=1e-6)
    assert added.examples.inputs.texts == scratch.examples.inputs.texts


def test_in_two_goes_as_in_one(model, first, more):
    start = model.adapt(*first, effort="instant")
    once = start.add_examples(*more)
    twice = start.add_examples(more[0][:1], more[1][:1]).add_examples(more[0][1:], more[1][1:])
    new = [*first[0], *more[0], "the saw near a cow"]
    assert once.predict_proba(new) == pytest.approx(twice.predict_proba(new), abs=1e-6)
    assert (once.labels, once.counts) == (twice.labels, twice.counts)


def test_the_adaptation_itself_stays(model, first, more):
    adapted = model.adapt(*first, effort="instant")
    known = [value.clone() for value in adapted.fit.units]
    before = {name: value.clone() for name, value in adapted.fit.params.items()}, known, adapted.counts
    adapted.add_examples(*more)
    assert all(torch.equal(value, adapted.fit.params[name]) for name, value in before[0].items())
    assert all(torch.equal(one, other) for one, other in zip(adapted.fit.units, before[1], strict=True))
    assert adapted.counts == before[2]


def test_closed_form_after_loading_without_texts(model, first, more, tmp_path):
    adapted = model.adapt(*first, effort="instant")
    loaded = Adapted.load(adapted.save(tmp_path / "out"), encoder=model.encoder)
    here, there = adapted.add_examples(*more), loaded.add_examples(*more)
    assert torch.equal(here.fit.params["head.weight"], there.fit.params["head.weight"])
    assert there.examples.inputs.texts == ()
    assert len(there.provenance["added"]) == 1
    again = Adapted.load(there.save(tmp_path / "more"), encoder=model.encoder)
    assert again.labels == ("fruit", "tool", "beast")
    assert np.array_equal(again.predict_proba(first[0]), there.predict_proba(first[0]))


@pytest.mark.parametrize("effort", ["instant", "fast"])
@pytest.mark.parametrize("names", [True, False, {"fruit": "one apple", "tool": "one saw"}])
def test_a_new_class_is_named_as_the_others_are(model, first, more, names, effort):
    added = model.adapt(*first, effort=effort, names=names).add_examples(*more)
    named = {added.labels[int(c)] for c in added.fit.units.numbers[added.fit.units.is_class_name]}
    assert named == (set(added.labels) if names else set())
    given = {**names, "beast": "beast"} if isinstance(names, dict) else names
    scratch = model.adapt([*first[0], *more[0]], [*first[1], *more[1]], effort=effort, names=given)
    order = [scratch.labels.index(label) for label in added.labels]
    new = [*first[0], "the saw near a cow"]
    assert added.predict_proba(new) == pytest.approx(scratch.predict_proba(new)[:, order], abs=1e-6)


@pytest.mark.parametrize("saved", [False, True])
def test_gradient_steps_begin_again_from_all(model, first, more, tmp_path, saved):
    adapted = model.adapt(*first, effort="fast", seed=4)
    if saved:
        adapted = Adapted.load(adapted.save(tmp_path / "out", keep_examples=True), encoder=model.encoder)
    added = adapted.add_examples(*more)
    scratch = model.adapt([*first[0], *more[0]], [*first[1], *more[1]], effort="fast", seed=4)
    assert added.labels == scratch.labels == ("beast", "fruit", "tool")
    assert all(torch.equal(value, added.fit.params[name]) for name, value in scratch.fit.params.items())
    assert added.provenance == scratch.provenance


def test_gradient_steps_need_the_texts(model, first, more, tmp_path):
    adapted = model.adapt(*first, effort="fast")
    loaded = Adapted.load(adapted.save(tmp_path / "out"), encoder=model.encoder)
    with pytest.raises(MetaglotError, match=r"were not saved with it.*keep_examples=True"):
        loaded.add_examples(*more)


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_pairs_and_no_pairs(model, first, more, effort):
    single = model.adapt(*first, effort=effort)
    with pytest.raises(MetaglotError, match="either all be pairs or none"):
        single.add_examples(*more, pairs=more[0])
    double = model.adapt(*first, pairs=first[0][::-1], effort=effort)
    with pytest.raises(MetaglotError, match="either all be pairs or none"):
        double.add_examples(*more)
    added = double.add_examples(*more, pairs=more[0][::-1])
    assert added.examples.inputs.pairs == (*first[0][::-1], *more[0][::-1])


@pytest.mark.parametrize("effort", ["instant", "fast"])
@pytest.mark.parametrize(
    ("texts", "labels", "said"),
    [
        ([], [], "no texts"),
        (["apple"], [], "1 texts but 0"),
        ("apple", ["x"], "one string"),
        (["apple"], [None], "missing"),
    ],
)
def test_mistakes(model, first, effort, texts, labels, said):
    with pytest.raises(MetaglotError, match=said):
        model.adapt(*first, effort=effort).add_examples(texts, labels)


def test_what_was_to_be_expected_is_not_said_of_more_examples(model, sentences, tmp_path):
    texts, labels = sentences(2)
    chosen = model.adapt(texts, labels, effort="auto", seconds=0.0)
    assert "expect" in (chosen.save(tmp_path / "before") / "README.md").read_text()
    added = chosen.add_examples(["a giraffe sang"], ["beast"])
    assert "choice" not in added.provenance
    assert "expect" not in (added.save(tmp_path / "after") / "README.md").read_text()
