"""A head by logistic regression is saved, explained and added to like any other."""

import math

import numpy as np
import pytest

from metaglot.adaptation import Adapted
from metaglot.families.heads import classes as closed_form


@pytest.fixture(autouse=True)
def _always_logistic(monkeypatch):
    monkeypatch.setattr(closed_form, "ENOUGH", -math.inf)


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_it_is_what_was_saved(model, sentences, tmp_path, effort):
    texts, labels = sentences(4)
    adapted = model.adapt(texts, labels, effort=effort)
    assert adapted.fit.solver == "logistic"
    folder = adapted.save(tmp_path / "saved")
    loaded = Adapted.load(folder, encoder=model.encoder)
    assert loaded.fit.solver == "logistic"
    assert np.array_equal(loaded.predict_proba(texts), adapted.predict_proba(texts))
    assert "logistic regression" in (folder / "README.md").read_text()
    chances = dict(zip(adapted.labels, adapted.predict_proba(["some hammer"])[0], strict=True))
    for one in (adapted, loaded):
        said = one.explain("some hammer", count=4)
        gap = np.log(chances[said.label] / chances[said.instead])
        assert sum(part.weight for part in said.evidence) + said.rest == pytest.approx(gap, abs=1e-3)


def test_examples_added_are_as_if_they_had_been_there(model, sentences):
    texts, labels = sentences(4)
    half = [i for i, label in enumerate(labels) if label != labels[0]]
    few = model.adapt([texts[i] for i in half], [labels[i] for i in half], effort="instant")
    rest = [i for i in range(len(texts)) if i not in half]
    grown = few.add_examples([texts[i] for i in rest], [labels[i] for i in rest])
    whole = model.adapt(texts, labels, effort="instant")
    assert grown.fit.solver == whole.fit.solver == "logistic"
    order = [grown.labels.index(label) for label in whole.labels]
    assert grown.predict_proba(texts)[:, order] == pytest.approx(whole.predict_proba(texts), abs=1e-3)


def test_the_same_examples_give_the_same_bytes(model, sentences):
    texts, labels = sentences(4)
    one, two = (model.adapt(texts, labels, effort="instant").fit.params for _ in range(2))
    assert all(np.array_equal(one[name].numpy(), two[name].numpy()) for name in one)
