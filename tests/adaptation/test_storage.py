"""A saved adaptation comes back exactly, holds no more than it says, and does not stand over another model."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import BertModel

from metaglot.adaptation import EFFORTS, Adapted, load_model
from metaglot.errors import MetaglotError
from metaglot.models import Runtime

PLAIN = Runtime(precision="fp32", device="cpu")
FILES = ["README.md", "adapted.json", "weights.safetensors"]


@pytest.fixture
def new(sentences):
    return sentences(5, seed=9)[0]


def listed(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("effort", ["instant", "fast"])
@pytest.mark.parametrize("over", ["model", "tiny"])
def test_round_trip(request, over, effort, sentences, tmp_path, new):
    model = request.getfixturevalue(over)
    adapted = model.adapt(*sentences(3), effort=effort, seed=5)
    assert adapted.save(tmp_path / "one") == tmp_path / "one"
    loaded = Adapted.load(tmp_path / "one", encoder=model.encoder)
    assert loaded.fit.params.keys() == adapted.fit.params.keys()
    assert all(torch.equal(value, loaded.fit.params[name]) for name, value in adapted.fit.params.items())
    for part in ("schema", "effort", "seed", "class_names", "choice", "paired"):
        assert getattr(loaded.fit, part) == getattr(adapted.fit, part), part
    assert json.loads(json.dumps(loaded.provenance)) == json.loads(json.dumps(adapted.provenance))
    assert np.array_equal(loaded.predict_proba(new), adapted.predict_proba(new))
    loaded.save(tmp_path / "two")
    for file in FILES:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_loaded_without_naming_the_model(bert_folder, sentences, tmp_path, new, effort):
    adapted = load_model(bert_folder).adapt(*sentences(3), effort=effort)
    adapted.save(tmp_path / "out")
    assert np.array_equal(Adapted.load(str(tmp_path / "out")).predict_proba(new), adapted.predict_proba(new))


def test_a_model_named_by_a_relative_path(bert_folder, sentences, tmp_path, new, monkeypatch):
    monkeypatch.chdir(bert_folder.parent)
    adapted = load_model(bert_folder.name).adapt(*sentences(3), effort="instant")
    adapted.save(tmp_path / "out")
    monkeypatch.chdir(tmp_path)
    assert np.array_equal(Adapted.load("out").predict_proba(new), adapted.predict_proba(new))


def test_the_folder_holds_no_more_than_it_says(model, sentences, tmp_path):
    texts, labels = sentences(3)
    secret = "the grape 4111-1111"
    folder = model.adapt([*texts, secret], [*labels, "fruit"], effort="fast").save(tmp_path / "out")
    assert listed(folder) == FILES
    assert listed(tmp_path) == ["out"]
    for file in FILES:
        content = (folder / file).read_bytes()
        assert not [text for text in [*texts, secret] if text.encode() in content], file
    weights = load_file(folder / "weights.safetensors")
    assert {"head.weight", "head.bias"} < weights.keys()
    assert not [name for name in weights if "embeddings" in name]


def test_what_instant_saves(model, sentences, tmp_path):
    folder = model.adapt(*sentences(3), effort="instant").save(tmp_path / "out")
    assert sorted(load_file(folder / "weights.safetensors")) == [
        "head.bias",
        "head.weight",
        "known.features",
        "known.numbers",
        "known.spoken",
    ]
    plain = json.loads((folder / "adapted.json").read_text("utf-8"))
    assert (plain["labels"], plain["counts"]) == (["beast", "fruit", "tool"], [3, 3, 3])
    provenance = plain["provenance"]
    assert (provenance["examples"], provenance["seed"], len(provenance["data_sha256"])) == (9, 0, 64)
    assert provenance["versions"].keys() == {"metaglot", "torch", "transformers"}


def test_the_card(model, sentences, tmp_path):
    card = (model.adapt(*sentences(3), effort="fast").save(tmp_path / "out") / "README.md").read_text("utf-8")
    for said in (
        "base_model:",
        "3 classes",
        "9 examples",
        "| beast | 3 |",
        f"{EFFORTS['fast'].steps} gradient steps",
        "untouched backbone",
    ):
        assert said in card


def test_the_card_of_a_label_that_is_markup(model, tmp_path):
    card = model.adapt(["apple", "saw"], ["a|b", "line\nbreak"], effort="instant").save(tmp_path / "out") / "README.md"
    rows = [line for line in card.read_text("utf-8").splitlines() if line.endswith("| 1 |")]
    assert rows == [r"| a\|b | 1 |", "| line break | 1 |"]


def test_another_adaptation_is_replaced_if_forced_and_nothing_else_ever(model, sentences, tmp_path):
    adapted = model.adapt(*sentences(2), effort="instant")
    (tmp_path / "empty").mkdir()
    adapted.save(tmp_path / "empty")
    before = (tmp_path / "empty" / "adapted.json").read_text()
    with pytest.raises(MetaglotError, match=r"earlier adaptation; .*force=True"):
        model.adapt(*sentences(3), effort="instant").save(tmp_path / "empty")
    assert (tmp_path / "empty" / "adapted.json").read_text() == before
    model.adapt(*sentences(3), effort="instant").save(tmp_path / "empty", force=True)
    assert (tmp_path / "empty" / "adapted.json").read_text() != before
    assert listed(tmp_path / "empty") == FILES
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for name in ("other", "file"):
        for force in (False, True):
            with pytest.raises(MetaglotError, match=f"{name} exists and holds something else"):
                adapted.save(tmp_path / name, force=force)
    assert (tmp_path / "other" / "thesis.txt").read_text() == "years of work"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["empty", "file", "other"]


def test_the_precision_is_saved_and_comes_back(bert_folder, sentences, tmp_path):
    """Features of another precision would not be those that the head was made for."""
    for precision in ("fp32", "bf16"):
        made = load_model(bert_folder, PLAIN._replace(precision=precision)).adapt(*sentences(2), effort="instant")
        folder = made.save(tmp_path / precision)
        assert json.loads((folder / "adapted.json").read_text("utf-8"))["precision"] == precision
        loaded = Adapted.load(folder)
        assert loaded.fit.encoder.precision == precision
        assert (loaded.predict_proba(["apple saw"]) == made.predict_proba(["apple saw"])).all()


def test_backbones_of_one_name_are_told_apart_by_their_weights(bert_folder, tmp_path):
    copies = [Path(shutil.copytree(bert_folder, tmp_path / side / "model")) for side in ("a", "b")]
    assert load_model(copies[0], PLAIN).fingerprint() == load_model(copies[1], PLAIN).fingerprint()
    weights = load_file(copies[1] / "model.safetensors")
    name = next(iter(weights))
    save_file({**weights, name: weights[name] + 1}, copies[1] / "model.safetensors", metadata={"format": "pt"})
    assert load_model(copies[0], PLAIN).fingerprint() != load_model(copies[1], PLAIN).fingerprint()


def test_saved_in_the_folder_one_stands_in(model, sentences, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    model.adapt(*sentences(2), effort="instant").save(".")
    assert listed(tmp_path / "here") == FILES


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_one_may_not_write_to(model, sentences, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(MetaglotError, match="out: cannot be written"):
        model.adapt(*sentences(2), effort="instant").save(tmp_path / "out")


def test_a_path_through_a_file(model, sentences, tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(MetaglotError, match="cannot be written"):
        model.adapt(*sentences(2), effort="instant").save(tmp_path / "file" / "out")


def test_a_run_trained_further_is_refused(make_run, sentences, tmp_path):
    run = make_run(3)
    load_model(run, PLAIN).adapt(*sentences(2), effort="instant").save(tmp_path / "out")
    Adapted.load(tmp_path / "out")
    make_run(4)
    with pytest.raises(MetaglotError, match=r"out: it was made over other weights of .*run.*adapt again"):
        Adapted.load(tmp_path / "out")


def test_the_untouched_base_of_a_run(make_run, sentences, tmp_path, new):
    adapted = load_model(make_run(3)).base().adapt(*sentences(2), effort="instant")
    adapted.save(tmp_path / "out")
    assert np.array_equal(Adapted.load(tmp_path / "out").predict_proba(new), adapted.predict_proba(new))


def test_a_folder_whose_weights_changed_is_refused(bert_folder, sentences, tmp_path):
    copy = shutil.copytree(bert_folder, tmp_path / "model")
    load_model(copy, PLAIN).adapt(*sentences(2), effort="instant").save(tmp_path / "out")
    module = BertModel.from_pretrained(copy)
    with torch.no_grad():
        module.encoder.layer[0].output.dense.bias += 1e-3
    module.save_pretrained(copy)
    with pytest.raises(MetaglotError, match="other weights"):
        Adapted.load(tmp_path / "out")


def test_a_model_that_is_gone(bert_folder, sentences, tmp_path):
    copy = shutil.copytree(bert_folder, tmp_path / "model")
    load_model(copy, PLAIN).adapt(*sentences(2), effort="instant").save(tmp_path / "out")
    shutil.rmtree(copy)
    with pytest.raises(MetaglotError, match=str(copy)):
        Adapted.load(tmp_path / "out")
