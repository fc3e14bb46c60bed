"""Gradient steps with the contrastive loss beside cross-entropy."""

from dataclasses import replace

from metaglot.adaptation import Adapted
from metaglot.adaptation.effort import EFFORTS
from metaglot.families.contrast import TEMPERATURE, apart


def test_steps_with_it_draw_the_examples_of_a_class_together_and_are_saved(model, sentences, tmp_path):
    texts, labels = sentences(4)
    long = replace(EFFORTS["fast"], steps=10, lr=1e-3)
    found = {}
    for weight in (0.0, 2.0):
        adapted = model.adapt(texts, labels, effort=replace(long, contrast=weight), seed=1, names=False)
        rows = adapted.fit.units
        assert rows is not None
        alike = rows.numbers[:, None] == rows.numbers
        found[weight] = float(apart(rows.features @ rows.features.T / TEMPERATURE, alike))
    assert found[2.0] < found[0.0] - 0.05
    loaded = Adapted.load(adapted.save(tmp_path / "saved"), encoder=model.encoder)
    assert loaded.effort == adapted.effort
    assert loaded.effort.contrast == 2.0
