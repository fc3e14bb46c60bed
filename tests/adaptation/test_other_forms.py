"""Adaptations whose head is no prototype, or that moved something beside the body, predict, are saved and loaded."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tests.classes import FAMILY, class_batch, class_problem, class_schema

from metaglot.adaptation import EFFORTS, Adapted, Fit
from metaglot.algorithms import build_algorithm
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError

NEEDED = {"head.weight", "head.bias"}
HELD = {
    "cavia": NEEDED | {"context.code"},
    "leo": NEEDED,
    "matchingnet": {"head.keys", "head.values", "head.scale"},
    "metaoptnet": NEEDED,
    "r2d2": NEEDED,
}


@pytest.fixture
def adapt(model, sentences):
    """Return a function from the name of an algorithm to an adaptation by it, over its meta-parameters."""

    def of(name: str) -> Adapted:
        # A small rate for CAVIA: over a body of random weights that of Polyak overshoots.
        algorithm = build_algorithm(name, {"lr": 0.1} if name == "cavia" else {})
        over = replace(model.encoder, meta=algorithm.init(model.encoder.backbone.learner, [], seed=0))
        texts, labels = sentences(3)
        names = tuple(sorted(set(labels)))
        batch = class_batch(over, texts, [names.index(label) for label in labels])
        fast = algorithm.adapt(class_problem(over, names), over.meta, batch, seed=0)
        return Adapted(Fit(over, FAMILY, class_schema(names, 3), fast.params, EFFORTS["instant"]))

    return of


@pytest.mark.parametrize("name", HELD)
def test_it_comes_back(adapt, sentences, tmp_path, name):
    adapted = adapt(name)
    assert set(adapted.fit.params) == HELD[name]
    texts, _ = sentences(5, seed=9)
    proba = adapted.predict_proba(texts)
    batch = adapted.fit.encoder.collate(Inputs.of(texts))
    with torch.no_grad():
        problem = class_problem(adapted.fit.encoder, adapted.labels)
        expected = problem.logits({**adapted.fit.encoder.meta, **adapted.fit.params}, batch).softmax(-1)
    assert np.allclose(proba, expected.numpy(), atol=1e-5)
    seen, labels = sentences(3)
    assert np.mean([one == label for one, label in zip(adapted.predict(seen), labels, strict=True)]) > 0.7
    adapted.save(tmp_path / "out")
    loaded = Adapted.load(tmp_path / "out", encoder=adapted.fit.encoder)
    assert np.array_equal(loaded.predict_proba(texts), proba)
    assert set(loaded.fit.params) == HELD[name]


def test_the_context_is_what_makes_the_difference(adapt, sentences):
    adapted = adapt("cavia")
    texts, _ = sentences(5, seed=9)
    assert not adapted.fit.head_only
    params = {n: v for n, v in adapted.fit.params.items() if n != "context.code"}
    without = Adapted(replace(adapted.fit, params=params))
    assert not np.allclose(without.predict_proba(texts), adapted.predict_proba(texts), atol=1e-5)


@pytest.mark.parametrize("name", ["head.keys", "head.values", "head.scale"])
def test_a_damaged_support_set(adapt, tmp_path, name):
    adapted = adapt("matchingnet")
    adapted.save(tmp_path / "out")
    file = tmp_path / "out" / "weights.safetensors"
    weights = load_file(file)
    save_file({**weights, name: weights[name].reshape(-1)[:1].clone()}, file)
    with pytest.raises(MetaglotError, match=r"out: damaged .*adapt again"):
        Adapted.load(tmp_path / "out", encoder=adapted.fit.encoder)


def test_a_model_of_another_width(model, tiny, sentences, tmp_path):
    folder = model.adapt(*sentences(2), effort="instant").save(tmp_path / "out")
    with pytest.raises(MetaglotError, match="its head does not fit the model builtin:tiny"):
        Adapted.load(folder, encoder=tiny.encoder)
