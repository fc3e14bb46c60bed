"""Baselines that move a part of the encoder, nearest neighbours, and SetFit where it is installed."""

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from metaglot.adaptation import Model, load_model
from metaglot.choices import BASELINE_GROUPS, BASELINES
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.evaluation import FineTune, FineTuneSettings, baselines
from metaglot.evaluation.baselines import FeatureCache, FrozenProto, Knn
from metaglot.evaluation.baselines.bitfit import BITFIT_BY_SHOT, bitfit
from metaglot.evaluation.baselines.lora import LORA_BY_SHOT, lora
from metaglot.evaluation.baselines.vectors import Vectors
from metaglot.evaluation.kinds import CLASSES

Texts = Callable[..., tuple[list[str], list[str]]]


@pytest.fixture(name="model", scope="module")
def _model(tiny: Path) -> Model:
    return load_model(tiny)


def right(fitted: Any, texts: list[str], truth: list[str]) -> float:
    found = [fitted.schema.outputs[i] for i in fitted.predict(Inputs.of(texts)).values.argmax(1)]
    return float(np.mean([a == b for a, b in zip(found, truth, strict=True)]))


def surprise(fitted: Any, texts: list[str], labels: list[str]) -> float:
    """Mean nats of the right labels."""
    found = fitted.predict(Inputs.of(texts)).values
    return -float(
        np.mean([np.log(row[fitted.schema.outputs.index(label)]) for row, label in zip(found, labels, strict=True)])
    )


def quick(method: FineTune, lr: float, steps: int) -> FineTune:
    return FineTune(
        method.start, name=method.name, scope=method.scope, by_shot={1: FineTuneSettings(lr, steps)}, batch_size=8
    )


def test_groups_are_of_baselines() -> None:
    assert {name for group in BASELINE_GROUPS.values() for name in group} <= set(BASELINES)


@pytest.mark.parametrize(("make", "lr"), [(lora, 2e-2), pytest.param(bitfit, 5e-2, marks=pytest.mark.slow)])
def test_a_part_learns_and_starts_at_the_prototypes(
    model: Model, texts: Texts, make: Callable[[Model], FineTune], lr: float
) -> None:
    support, labels = texts(6)
    unseen, _ = texts(20, seed=1)
    frozen = FrozenProto(FeatureCache(model.encoder), scale=5.0).fit(
        Examples.of(support, labels), CLASSES, shot=6, seed=0
    )
    start = quick(make(model.encoder), lr, 0).fit(Examples.of(support, labels), CLASSES, shot=6, seed=0)
    assert start.predict(Inputs.of(unseen)).values == pytest.approx(frozen.predict(Inputs.of(unseen)).values, abs=1e-5)
    before = {name: value.clone() for name, value in model.encoder.params.items()}
    method = quick(make(model.encoder), lr, 60)
    fitted = method.fit(Examples.of(support, labels), CLASSES, shot=6, seed=0)
    assert surprise(fitted, support, labels) < 0.2 < 0.7 < surprise(start, support, labels)
    assert all(torch.equal(value, before[name]) for name, value in model.encoder.params.items())
    again = method.fit(Examples.of(support, labels), CLASSES, shot=6, seed=0)
    assert np.array_equal(again.predict(Inputs.of(unseen)).values, fitted.predict(Inputs.of(unseen)).values)


def test_lora_moves_only_its_pairs(model: Model, texts: Texts) -> None:
    support, labels = texts(2)
    fitted = quick(lora(model.encoder), 1e-2, 2).fit(Examples.of(support, labels), CLASSES, shot=2, seed=0)
    assert len(fitted.body) == 2 * 2 * 2  # a and b, query and value, two layers
    assert all(name.startswith("lora.encoder.layer.") for name in fitted.body)
    assert all(min(value.shape) == 8 for value in fitted.body.values())
    assert all(value.any() for name, value in fitted.body.items() if name.endswith(".b"))


def test_bitfit_moves_only_vectors(model: Model, texts: Texts) -> None:
    support, labels = texts(2)
    fitted = quick(bitfit(model.encoder), 1e-2, 2).fit(Examples.of(support, labels), CLASSES, shot=2, seed=0)
    expected = {name for name in model.encoder.params if name.endswith(".bias") or "LayerNorm" in name}
    assert set(fitted.body) == expected - {name for name in expected if "pooler" in name} | {"body.pooler.dense.bias"}
    assert len(expected) > 20
    moved = {name for name, value in fitted.body.items() if not torch.equal(value, model.encoder.params[name])}
    assert expected - moved == {"body.pooler.dense.bias"}  # ours is another pooling


def test_a_body_without_vectors() -> None:
    with pytest.raises(MetaglotError, match="nothing to train"):
        Vectors().init({"body.dense.weight": torch.zeros(2, 2)}, seed=0)


def test_a_part_moves_over_what_was_meta_trained(model: Model, texts: Texts) -> None:
    """Not over the frozen weights of the backbone: the start of a multi-task model is its own."""
    from dataclasses import replace

    meta = {
        name: value + 0.05 * torch.ones_like(value) for name, value in model.encoder.params.items() if "query" in name
    }
    trained = Model(replace(model.encoder, name="joint", meta=meta))
    support, labels = texts(3)
    unseen, _ = texts(4, seed=1)
    start = (
        quick(bitfit(trained.encoder), 1e-2, 0)
        .fit(Examples.of(support, labels), CLASSES, shot=3, seed=0)
        .predict(Inputs.of(unseen))
        .values
    )
    frozen = FrozenProto(FeatureCache(trained.encoder), scale=5.0).fit(
        Examples.of(support, labels), CLASSES, shot=3, seed=0
    )
    assert start == pytest.approx(frozen.predict(Inputs.of(unseen)).values, abs=1e-5)
    assert not np.allclose(
        start,
        quick(bitfit(model.encoder), 1e-2, 0)
        .fit(Examples.of(support, labels), CLASSES, shot=3, seed=0)
        .predict(Inputs.of(unseen))
        .values,
    )


def test_settings_name_the_scope_and_leave_those_of_finetune_alone(model: Model) -> None:
    assert set(FineTune(model.encoder).settings) == {"by_shot", "batch_size", "scale", "warmup", "weights"}
    assert lora(model.encoder).settings["rank"] == 8
    assert lora(model.encoder).settings["targets"] == ("query", "value")
    assert bitfit(model.encoder).settings["vectors"] == "biases and norms"
    assert {4, 8, 16} <= LORA_BY_SHOT.keys() & BITFIT_BY_SHOT.keys()


class Planar:
    """An encoder of angles in degrees."""

    name = "planar"

    def embed(self, inputs: Inputs) -> np.ndarray:
        angles = np.radians([float(text) for text in inputs.texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_neighbours_by_hand() -> None:
    """Of the query 0°: x at 10° is nearest, y at 20° and 30° are next, x at 90° is out of k = 3."""
    method = Knn(FeatureCache(Planar()), k=3, scale=4.0, alpha=0.5)
    fitted = method.fit(Examples.of(["10", "20", "30", "90"], ["x", "y", "y", "x"]), CLASSES, shot=2, seed=0)
    c = np.cos(np.radians([10, 20, 30]))
    w = np.exp(4.0 * (c - c[0]))
    expected = np.array([w[0] + 0.25, w[1] + w[2] + 0.25]) / (w.sum() + 0.5)
    assert fitted.predict(Inputs.of(["0"])).values[0] == pytest.approx(expected, abs=1e-6)


def test_one_neighbour_and_more_than_there_are() -> None:
    angles, labels = ["0", "50", "100"], ["x", "y", "z"]
    for k in (1, 99):
        found = (
            Knn(FeatureCache(Planar()), k=k)
            .fit(Examples.of(angles, labels), CLASSES, shot=1, seed=0)
            .predict(Inputs.of(angles))
            .values
        )
        assert found.argmax(1).tolist() == [0, 1, 2]
        assert found.sum(1) == pytest.approx(1)
        assert (found > 0).all()
    (one,) = (
        Knn(FeatureCache(Planar()), k=1, alpha=1.0)
        .fit(Examples.of(angles, labels), CLASSES, shot=1, seed=0)
        .predict(Inputs.of(["40"]))
        .values
    )
    assert one == pytest.approx([1 / 6, 4 / 6, 1 / 6])


def test_setfit_without_its_library(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MetaglotError, match=r"pip install 'metaglot\[setfit\]'"):
        baselines(["setfit"], model)


needs_setfit = pytest.mark.skipif(find_spec("setfit") is None, reason="the extra setfit is not installed")


@needs_setfit
def test_setfit_learns_and_is_a_function_of_its_seed(model: Model, texts: Texts) -> None:
    (method,) = baselines(["setfit"], model)
    support, labels = texts(4)
    unseen, truth = texts(20, seed=1)
    before = torch.get_rng_state().clone(), np.random.get_state(legacy=False)
    fitted = method.fit(Examples.of(support, labels), CLASSES, shot=4, seed=2**40 + 1)
    found = fitted.predict(Inputs.of(unseen)).values
    assert found.sum(axis=1) == pytest.approx(1)
    assert right(fitted, unseen, truth) > 0.5
    assert np.array_equal(
        method.fit(Examples.of(support, labels), CLASSES, shot=4, seed=2**40 + 1).predict(Inputs.of(unseen)).values,
        found,
    )
    assert not np.array_equal(
        method.fit(Examples.of(support, labels), CLASSES, shot=4, seed=2).predict(Inputs.of(unseen)).values, found
    )
    assert torch.equal(torch.get_rng_state(), before[0])
    np.testing.assert_equal(np.random.get_state(legacy=False), before[1])


@needs_setfit
def test_setfit_starts_from_the_same_features(model: Model, texts: Texts) -> None:
    from metaglot.evaluation.baselines.setfit import sentence_transformer

    unseen, _ = texts(4)
    body = sentence_transformer(model.encoder)
    assert body.encode(unseen, show_progress_bar=False) == pytest.approx(model.embed(unseen), abs=2e-3)  # bf16 or not
    assert body.max_seq_length == model.max_length


def test_setfit_joins_pairs(model: Model) -> None:
    from metaglot.evaluation.baselines.setfit import SetFit

    assert SetFit(model.encoder, SimpleNamespace()).join_pairs(Inputs.of(["a", "b"], ["c", "d"])) == [
        "a [SEP] c",
        "b [SEP] d",
    ]
    assert SetFit(model.encoder, SimpleNamespace()).join_pairs(Inputs.of(["a"])) == ["a"]
