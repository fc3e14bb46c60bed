"""Whatever a run learnt is used wherever the run is: its features are those that its own algorithm adapts from.

An algorithm joins by being in `ALGORITHMS`.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.classes import class_batch

from metaglot.adaptation import Adapted, Model, load_model
from metaglot.adaptation.storage import load_fit
from metaglot.algorithms import adapting, build_algorithm
from metaglot.choices import ALGORITHMS
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.models import Runtime, load_backbone
from metaglot.runs.averaging import average
from metaglot.runs.shrinking import shrink
from metaglot.training import State
from metaglot.training.checkpoint import save
from metaglot.types import Episode, Problem, TaskInfo

PLAIN = Runtime(precision="fp32", device="cpu", second_order=True)
OPTIONS: dict[str, dict[str, Any]] = {
    "reml": {"steps": 2},
    "imaml": {"steps": 2, "iterations": 2},
    "fomaml": {"scope": {"lora": {"rank": 2}}, "head": "prototypes"},
}
BESIDE = {"fomaml": "lora", "reml": "lora", "metanet-1": "lora", "metanet-n": "lora", "warpgrad": "warp"}
QUICK = {"fomaml", "warpgrad", "metanet-n"}  # a way of each kind to learn beside the body
LORA_AND_WARPS = ["fomaml", pytest.param("warpgrad", marks=pytest.mark.slow)]
TEXTS = ["a refund of my invoice", "the screen stays black", "two parcels", "where is it", "it rained", "why a fee"]
LABELS = [0, 1, 2, 0, 1, 2]


@pytest.fixture(scope="module")
def base(tiny: str) -> Model:
    return load_model(tiny, PLAIN)


def taught(name: str, base: Model, folder: Path, *, seed: int = 0, **said: Any) -> dict[str, torch.Tensor]:
    """Write a run of a few steps down the sign of the meta-gradient, and return what it learnt."""
    algorithm, learner = build_algorithm(name, OPTIONS.get(name)), base.encoder.backbone.learner
    info = TaskInfo("made-up", "made-up", ("a", "b", "c"), (0, 1, 2))
    objective = Classification(base.encoder.pad_token_id)
    problem = Problem(learner, objective, info)
    batches = [class_batch(base.encoder, texts, LABELS) for texts in (TEXTS, TEXTS[::-1])]
    episode = Episode(info, objective, batches[0], batches[1])
    meta = dict(algorithm.init(learner, (info,), seed=seed))
    for step in range(2):
        grads = algorithm.meta_grad([problem], meta, [episode], step=step, seed=seed).grads
        meta = {n: v - 0.02 * grads[n].sign() for n, v in meta.items()}
    save(State(step=2, params=meta, seed=0), folder)
    described = {"format": 1, "base": base.name, "max_length": 24, "data": ["made-up"], **said}
    described["algorithm"] = {"name": name, "options": OPTIONS.get(name, {})}
    (folder / "model.json").write_text(json.dumps(described), "utf-8")
    return meta


def validated(name: str, base: Model, meta: dict[str, torch.Tensor]) -> np.ndarray:
    """Return the features that validation's adaptation starts from."""
    start = adapting(build_algorithm(name, OPTIONS.get(name))).scope.start(meta)
    with torch.no_grad():
        found = base.encoder.backbone.learner.forward({**meta, **start}, base.encoder.collate(Inputs.of(TEXTS)))
    return found.pooled.numpy()


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[] if n in QUICK else [pytest.mark.slow], id=n) for n in ALGORITHMS]
)
def test_every_use_of_a_run_has_all_that_it_learnt(name: str, base: Model, tmp_path: Path):
    meta = taught(name, base, tmp_path / "run")
    wanted = validated(name, base, meta)
    assert np.abs(wanted - base.embed(TEXTS)).max() > 1e-3
    if name in BESIDE:  # the test can fail: without these the features are others
        less = {n: v for n, v in meta.items() if not n.startswith(f"algorithm.{BESIDE[name]}.")}
        assert np.abs(base.encoder.features(less, Inputs.of(TEXTS)).numpy() - wanted).max() > 1e-3
    model = load_model(tmp_path / "run", PLAIN)
    np.testing.assert_allclose(model.embed(TEXTS), wanted, atol=1e-6)
    instant = model.adapt(TEXTS, [f"class {label}" for label in LABELS], effort="instant", names=False)
    assert instant.fit.units is not None
    np.testing.assert_allclose(instant.fit.units.features.numpy(), wanted, atol=1e-6)
    as_base = load_backbone(str(tmp_path / "run"), PLAIN).learner.forward({}, base.encoder.collate(Inputs.of(TEXTS)))
    np.testing.assert_allclose(as_base.pooled.numpy(), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["reml", pytest.param("warpgrad", marks=pytest.mark.slow)])
def test_a_head_made_without_lora_or_warps_is_refused_with_the_way_out(name: str, base: Model, tmp_path: Path):
    """As versions saved it that left them out of the features; the effort as-trained has always used them."""
    taught(name, base, tmp_path / "run")
    model, labels = load_model(tmp_path / "run", PLAIN), [f"class {label}" for label in LABELS]
    saved = {e: model.adapt(TEXTS, labels, effort=e).save(tmp_path / e) for e in ("instant", "as-trained")}
    assert all(load_fit(folder).labels == ("class 0", "class 1", "class 2") for folder in saved.values())
    for folder in saved.values():
        text = (folder / "adapted.json").read_text("utf-8")
        assert model.fingerprint() in text
        text = text.replace('"seal"', '"unsealed"')
        earlier = text.replace(model.fingerprint(), model.encoder.fingerprint(beside=False))
        (folder / "adapted.json").write_text(earlier, "utf-8")
    with pytest.raises(
        MetaglotError, match=r"instant: its head was made on features without the LoRA or warps .* adapt again"
    ):
        load_fit(saved["instant"])
    assert Adapted(load_fit(saved["as-trained"])).predict(TEXTS) == model.adapt(
        TEXTS, labels, effort="as-trained"
    ).predict(TEXTS)


def test_what_learnt_nothing_beside_has_the_fingerprint_of_before(base: Model):
    assert base.fingerprint() == base.encoder.fingerprint(beside=False)


@pytest.fixture
def embedded() -> Callable[[Path], np.ndarray]:
    return lambda folder: load_model(folder, PLAIN).embed(TEXTS)


@pytest.mark.parametrize("name", LORA_AND_WARPS)
def test_an_average_is_that_of_the_weights_in_use(name: str, base: Model, tmp_path: Path, embedded: Any):
    runs = [tmp_path / "one", tmp_path / "two"]
    for seed, run in enumerate(runs):
        taught(name, base, run, seed=seed)
    used = [load_backbone(str(run), PLAIN).learner.body() for run in runs]
    mean = {key: (used[0][key] + used[1][key]) / 2 for key in used[0]}
    wanted = base.encoder.features(mean, Inputs.of(TEXTS)).numpy()
    np.testing.assert_allclose(embedded(average(runs, tmp_path / "mean")), wanted, atol=1e-5)
    as_base = load_backbone(str(tmp_path / "mean"), PLAIN).learner
    np.testing.assert_allclose(as_base.forward({}, base.encoder.collate(Inputs.of(TEXTS))).pooled, wanted, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", LORA_AND_WARPS)
def test_a_shrunk_run_is_the_run(name: str, base: Model, tmp_path: Path, embedded: Any):
    taught(name, base, tmp_path / "run")
    shrink(tmp_path / "run", tmp_path / "small", megabytes=50)
    np.testing.assert_allclose(embedded(tmp_path / "small"), embedded(tmp_path / "run"), atol=2e-2)


@pytest.mark.parametrize("name", LORA_AND_WARPS)
@pytest.mark.parametrize("share", [0.5, 1 - 1e-6])
def test_a_run_averaged_with_its_base_takes_all_back(name: str, share: Any, base: Model, tmp_path: Path, embedded: Any):
    taught(name, base, tmp_path / "run", average_with_base=share)
    found = embedded(tmp_path / "run")
    as_base = load_backbone(str(tmp_path / "run"), PLAIN).learner.forward({}, base.encoder.collate(Inputs.of(TEXTS)))
    np.testing.assert_allclose(as_base.pooled.numpy(), found, atol=1e-5)
    assert (np.abs(found - base.embed(TEXTS)).max() < 1e-4) == (share > 0.9)


def test_gradient_steps_over_lora_begin_from_what_was_learnt(base: Model, tmp_path: Path):
    """The body moves under the LoRA start, which counts once; as-trained moves the LoRA itself."""
    taught("metanet-1", base, tmp_path / "run")
    model = load_model(tmp_path / "run", PLAIN)
    labels = [f"class {label}" for label in LABELS]
    adapted = model.adapt(TEXTS, labels, effort="fast", names=False)
    moved = {n: v for n, v in adapted.fit.params.items() if n.startswith("body.")}
    assert moved
    assert not any("lora." in n for n in adapted.fit.params)
    np.testing.assert_array_equal(
        adapted.embed(TEXTS), model.encoder.features({**model.encoder.meta, **moved}, Inputs.of(TEXTS)).numpy()
    )
    adapted.save(tmp_path / "saved")
    loaded = type(adapted).load(tmp_path / "saved", encoder=model.encoder)
    np.testing.assert_array_equal(loaded.predict_proba(TEXTS), adapted.predict_proba(TEXTS))
    own = model.adapt(TEXTS, labels, effort="as-trained")
    pairs = {n: v for n, v in own.fit.params.items() if n.startswith("lora.")}
    bare = {n: v for n, v in model.encoder.meta.items() if not n.startswith("algorithm.lora.")}
    np.testing.assert_allclose(
        own.embed(TEXTS), model.encoder.features({**bare, **pairs}, Inputs.of(TEXTS)).numpy(), atol=1e-6
    )
