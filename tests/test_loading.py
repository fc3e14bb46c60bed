"""One load for all kinds of folder, and names that are found again from any folder."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

import metaglot as package
from metaglot.adaptation import Adapted, load_model
from metaglot.data.folders import check_model, read_run
from metaglot.errors import MetaglotError

TEXTS = ["invoice and refund", "refund and payment", "crash and error", "error and bug"]
LABELS = ["billing", "billing", "technical", "technical"]


@pytest.fixture
def saved(tiny, tmp_path) -> Path:
    """An adaptation of a model in a folder, both under one."""
    from metaglot.data.folders import locate

    shutil.copytree(locate(tiny), tmp_path / "both" / "model")
    adapted = load_model(tmp_path / "both" / "model").adapt(TEXTS, LABELS, effort="instant")
    return adapted.save(tmp_path / "both" / "adapted")


def test_load_gives_the_adaptation_of_its_folder(saved):
    adapted = package.load(saved)
    assert isinstance(adapted, Adapted)
    assert adapted.predict(TEXTS) == Adapted.load(saved).predict(TEXTS)
    assert isinstance(package.load(str(saved), precision="fp32"), Adapted)


def test_load_takes_device_and_precision(tiny):
    for precision in ("fp32", "bf16"):
        model = package.load(tiny, device="cpu", precision=precision)
        assert model.encoder.precision == precision
    with pytest.raises(MetaglotError, match="unknown precision 'fp8'"):
        package.load(tiny, precision="fp8")
    with pytest.raises(MetaglotError, match="unknown device"):
        package.load(tiny, device="abacus")


@pytest.mark.parametrize("name", [None, 3, ["builtin:tiny"]])
def test_load_of_what_is_no_name(name):
    with pytest.raises(MetaglotError, match="expected the name of a model"):
        package.load(name)


def test_where_a_model_is_asked_for_an_adaptation_says_what_it_is(saved, metaglot, examples):
    with pytest.raises(MetaglotError, match="is an adaptation, which metaglot adapt made"):
        check_model(str(saved))
    for command in (["evaluate", saved, examples, "--out", "r"], ["adapt", saved, examples, "--out", "x"]):
        told = metaglot(*command)
        assert told.code == 2
        assert "is an adaptation" in told.err


def test_the_precision_of_the_command(tiny, metaglot, examples, tmp_path):
    out = tmp_path / "a"
    told = metaglot("adapt", tiny, examples, "--effort", "instant", "--precision", "fp32", "--out", out)
    assert told.code == 0
    assert "fp32" in told.err
    assert json.loads((out / "adapted.json").read_text())["precision"] == "fp32"
    told = metaglot("adapt", tiny, examples, "--precision", "fp8", "--out", tmp_path / "b")
    assert (told.code, "--precision fp8: unknown" in told.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "near"), [("builtin:minny", "builtin:mini"), ("builtin:Tiny", "builtin:tiny"), ("mnilm", "builtin:minilm")]
)
def test_a_mistyped_built_in_name(name, near):
    with pytest.raises(MetaglotError, match=f"did you mean .*{near}"):
        load_model(name)


def test_an_adaptation_finds_its_model_after_both_were_moved(saved, tmp_path):
    wanted = Adapted.load(saved).predict_proba(TEXTS)
    kept = json.loads((saved / "adapted.json").read_text())
    assert (kept["model_source"], kept["model_source_relative"]) == (str(tmp_path / "both" / "model"), "../model")
    moved = (tmp_path / "both").rename(tmp_path / "elsewhere") / "adapted"
    assert np.array_equal(Adapted.load(moved).predict_proba(TEXTS), wanted)
    shutil.rmtree(moved.parent / "model")
    with pytest.raises(MetaglotError, match=f"{tmp_path / 'both' / 'model'}: no such model folder"):
        Adapted.load(moved)


@pytest.mark.slow
def test_a_run_of_a_relative_name_works_from_any_folder(small_recipe, tiny, metaglot, tmp_path, monkeypatch):
    from metaglot.data.folders import locate

    shutil.copytree(locate(tiny), "both/m/bert")
    small_recipe.write_text(small_recipe.read_text().replace(tiny, "both/m/bert"))
    assert metaglot("pretrain", small_recipe, "--out", "both/run", "--quiet").code == 0
    adapt = ("--effort", "instant", "--quiet")
    assert metaglot("adapt", "both/run", "held.csv", "--out", "both/a", *adapt).code == 0
    assert metaglot("shrink", "both/run", "--out", "both/small", "--megabytes", "4").code == 0
    text = ("--text", "crash and error")
    here = metaglot("predict", "both/a", *text)
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert metaglot("predict", "../both/a", *text) == here
    assert metaglot("adapt", "../both/run", "../held.csv", "--out", "a", *adapt).code == 0
    assert metaglot("adapt", "../both/small", "../held.csv", "--out", "b", *adapt).code == 0
    os.rename(tmp_path / "both", tmp_path / "moved")
    assert metaglot("predict", "../moved/a", *text) == here
    assert read_run(tmp_path / "moved" / "small").base == str(tmp_path / "moved" / "m" / "bert")
    described = json.loads((tmp_path / "moved" / "run" / "model.json").read_text())
    del described["seal"]
    (tmp_path / "moved" / "run" / "model.json").write_text(json.dumps({**described, "base": "../m/bert"}))
    assert read_run(tmp_path / "moved" / "run").base == str(tmp_path / "moved" / "m" / "bert")  # of earlier versions
