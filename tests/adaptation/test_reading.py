"""Of pairs an adaptation reads the part that the task is about."""

import json

import numpy as np
import pytest

from metaglot.adaptation import Adapted, load_model
from metaglot.adaptation.reading import ENOUGH, gains_of
from metaglot.errors import MetaglotError
from metaglot.models import Runtime


@pytest.fixture
def kinds(sentences):
    """Return texts, names and labels: the second text tells the class, the first tells nothing."""
    names, labels = sentences(6)
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.permutation(["the", "a", "one", "some", "near"] * 4)) for _ in names]
    return texts, names, labels


@pytest.mark.parametrize("effort", ["instant", "fast", pytest.param("auto", marks=pytest.mark.slow)])
def test_the_part_that_tells_the_class_is_read_alone(model, kinds, effort):
    texts, names, labels = kinds
    gains = gains_of(model, texts, labels, names)
    assert gains["second"] > ENOUGH > gains["first"]
    adapted = model.adapt(texts, labels, pairs=names, effort=effort)
    alone = model.adapt(names, labels, effort=effort, names=False)
    assert adapted.provenance["reads"] == "second"
    assert np.array_equal(adapted.predict_proba(texts[::-1], names), alone.predict_proba(names))
    turned = model.adapt(names, labels, pairs=texts, effort=effort)
    assert turned.provenance["reads"] == "first"


def test_it_is_saved_told_and_kept_as_examples_are_added(model, kinds, tmp_path):
    texts, names, labels = kinds
    adapted = model.adapt(texts, labels, pairs=names, effort="instant")
    loaded = Adapted.load(adapted.save(tmp_path / "kinds"))
    assert np.array_equal(loaded.predict_proba(texts, names), adapted.predict_proba(texts, names))
    assert "it reads the second alone" in (tmp_path / "kinds" / "README.md").read_text("utf-8")
    more = loaded.add_examples(["the"], ["beast"], pairs=["one horse"])
    assert more.model.reads == "second"
    afresh = model.adapt([*texts, "the"], [*labels, "beast"], pairs=[*names, "one horse"], effort="instant")
    np.testing.assert_allclose(more.predict_proba(texts, names), afresh.predict_proba(texts, names), atol=1e-6)


def test_a_folder_of_an_earlier_version_reads_both(model, kinds, tmp_path):
    texts, names, labels = kinds
    adapted = model.adapt(texts, labels, pairs=names, effort="instant", reads="both")
    file = adapted.save(tmp_path / "kinds") / "adapted.json"
    plain = json.loads(file.read_text("utf-8"))
    del plain["reads"]
    file.write_text(json.dumps(plain), "utf-8")
    assert np.array_equal(Adapted.load(file.parent).predict_proba(texts, names), adapted.predict_proba(texts, names))


def test_both_stay_where_neither_tells_more(model, kinds):
    texts, names, labels = kinds
    assert model.adapt(texts, labels, pairs=texts[::-1], effort="instant").provenance["reads"] == "both"
    one_each = [labels.index(label) for label in sorted(set(labels))]  # nothing can be set aside
    few = model.adapt(*([part[i] for i in one_each] for part in (texts, labels)), pairs=[names[i] for i in one_each])
    assert few.provenance["reads"] == "both"


def test_it_can_be_said_and_what_an_algorithm_was_trained_on_stays(model, kinds, make_run):
    texts, names, labels = kinds
    for part in ("both", "first", "second"):
        adapted = model.adapt(texts, labels, pairs=names, effort="instant", reads=part)
        assert adapted.model.reads == part
        assert model.reads is None
    trained = load_model(make_run(), Runtime(precision="fp32", device="cpu"))
    assert trained.adapt(texts, labels, pairs=names, effort="as-trained").model.reads is None
    with pytest.raises(MetaglotError, match="expected one of both, first, second"):
        model.adapt(texts, labels, pairs=names, reads="third")


def test_texts_alone_are_refused_where_the_second_counts(model, kinds, tmp_path):
    texts, names, labels = kinds
    for reads, what in (("second", "the second text"), ("both", "both texts")):
        adapted = model.adapt(texts, labels, pairs=names, effort="instant", reads=reads)
        loaded = Adapted.load(adapted.save(tmp_path / reads))
        for one in (adapted, loaded):
            for call in (one.predict, one.predict_proba, one.in_scope, lambda given, one=one: one.explain(given[0])):
                with pytest.raises(MetaglotError, match=f"of which it reads {what}; give `pairs` too"):
                    call(["the horse ran"])
            assert one.predict([]) == []
    first = model.adapt(texts, labels, pairs=names, effort="instant", reads="first")
    assert first.predict(["the horse ran"])
