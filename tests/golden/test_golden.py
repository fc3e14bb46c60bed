"""What version 0.1.0 saved is read by this one, and predicts the same (`make.py` says what stands there)."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from tests.golden.make import QUESTIONS

import metaglot
from metaglot.adaptation import Adapted, Model
from metaglot.data.manifest import write_manifest

HERE = Path(__file__).resolve().parent
FOLDERS = ("base", "run", "adapted", "adapted-of-run")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The folders in another place than they were written to, and read."""
    place = tmp_path_factory.mktemp("golden")
    for name in FOLDERS:
        shutil.copytree(HERE / name, place / name)
    return place


@pytest.mark.parametrize("name", ["adapted", "adapted-of-run"])
def test_an_adaptation_predicts_the_same(folder, name):
    expected = json.loads((HERE / "expected.json").read_text("utf-8"))[name]
    adapted = metaglot.load(folder / name, device="cpu")
    assert isinstance(adapted, Adapted)
    assert list(adapted.labels) == expected["labels"]
    np.testing.assert_allclose(adapted.predict_proba(list(QUESTIONS)), expected["proba"], atol=1e-6)


def test_examples_that_were_kept_can_be_added_to(folder):
    adapted = metaglot.load(folder / "adapted", device="cpu")
    assert len(adapted.examples.inputs.texts) == 16
    more = adapted.add_examples(["the wind is warm"], ["weather"])
    assert more.counts[more.labels.index("weather")] == 5


def test_a_run_is_adapted_from(folder):
    model = metaglot.load(folder / "run", device="cpu", precision="fp32")
    assert isinstance(model, Model)
    lines = (HERE / "data.csv").read_text("utf-8").splitlines()[1:]
    texts, labels = zip(*(line.split(",") for line in lines), strict=True)
    adapted = model.adapt(list(texts), list(labels), effort="as-trained")
    expected = json.loads((HERE / "expected.json").read_text("utf-8"))["adapted-of-run"]
    np.testing.assert_allclose(adapted.predict_proba(list(QUESTIONS)), expected["proba"], atol=1e-5)


def test_a_run_with_one_changed_bit_is_not_loaded(folder, tmp_path):
    """Of a run that has hashes; the one from before there were any is read as it was then."""
    shutil.copytree(folder / "run", tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoints" / "step-2"
    write_manifest(checkpoint)
    weights = bytearray((checkpoint / "params.safetensors").read_bytes())
    weights[-1] ^= 1
    (checkpoint / "params.safetensors").write_bytes(weights)
    shutil.copytree(folder / "base", tmp_path / "base")
    with pytest.raises(
        metaglot.MetaglotError, match=r"step-2: the checkpoint is damaged .*params.*metaglot runs clean"
    ):
        metaglot.load(tmp_path / "run", device="cpu")
