"""An effort may keep a share of the body from before its steps."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from metaglot.adaptation import EFFORTS, Adapted


def body(adapted):
    return {name: value for name, value in adapted.fit.params.items() if not name.startswith("head.")}


@pytest.mark.parametrize("share", [0.25, 0.5])
def test_the_body_that_stays_is_the_mean_of_both(model, sentences, share, tmp_path):
    texts, labels = sentences(4)
    whole = model.adapt(texts, labels, effort=replace(EFFORTS["fast"], kept=0.0), seed=1)
    mixed = model.adapt(texts, labels, effort=replace(EFFORTS["fast"], kept=share), seed=1)
    assert body(mixed).keys() == body(whole).keys() != set()
    moved = 0.0
    for name, value in body(mixed).items():
        if ".pooler." not in name:
            there, start = body(whole)[name], model.encoder.params[name]
            assert torch.allclose(value, share * start + (1 - share) * there, atol=1e-6)
            moved = max(moved, float((there - start).abs().max()))
    assert moved > 1e-5
    loaded = Adapted.load(mixed.save(tmp_path / "saved"), encoder=model.encoder)
    assert loaded.effort == mixed.effort
    assert np.array_equal(loaded.predict_proba(texts), mixed.predict_proba(texts))


def test_kept_whole_it_is_as_without_steps(model, sentences):
    texts, labels = sentences(4)
    kept = model.adapt(texts, labels, effort=replace(EFFORTS["fast"], kept=1.0), seed=1)
    closed = model.adapt(texts, labels, effort="instant", seed=1)
    assert torch.allclose(kept.fit.units.features, closed.fit.units.features, atol=1e-5)
