"""A folder that is no adaptation, or a damaged one, is refused with the way out."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from metaglot.adaptation import Adapted
from metaglot.errors import MetaglotError


def cut(folder):
    (folder / "weights.safetensors").write_bytes((folder / "weights.safetensors").read_bytes()[:50])


def without_head(folder):
    weights = load_file(folder / "weights.safetensors")
    save_file({k: v for k, v in weights.items() if k != "head.weight"}, folder / "weights.safetensors")


def fewer_features(folder):
    weights = load_file(folder / "weights.safetensors")
    save_file({**weights, "known.features": weights["known.features"][1:].clone()}, folder / "weights.safetensors")


def without_numbers(folder):
    weights = load_file(folder / "weights.safetensors")
    save_file({k: v for k, v in weights.items() if k != "known.numbers"}, folder / "weights.safetensors")


def fewer_labels(folder):
    edit(folder, lambda plain: plain["labels"].pop())


def edit(folder, change):
    plain = json.loads((folder / "adapted.json").read_text("utf-8"))
    change(plain)
    plain.pop("seal", None)
    (folder / "adapted.json").write_text(json.dumps(plain), "utf-8")


def forget(plain):
    """Leave out the hash of the weights, as in files of earlier versions: what is checked beside it is tested."""
    del plain["weights_sha256"]


DAMAGE = {
    "cut weights": cut,
    "no weights": lambda folder: (folder / "weights.safetensors").unlink(),
    "no head": without_head,
    "fewer labels": fewer_labels,
    "fewer features": fewer_features,
    "no numbers": without_numbers,
    "torn json": lambda folder: (folder / "adapted.json").write_text('{"format": 1,'),
    "a list": lambda folder: (folder / "adapted.json").write_text("[]"),
    "bytes": lambda folder: (folder / "adapted.json").write_bytes(b"\xff\xfe"),
    "torn examples": lambda folder: (folder / "examples.jsonl").write_text('{"text": "a"'),
    "poor examples": lambda folder: (folder / "examples.jsonl").write_text('{"text": "a"}\n'),
    **{
        f"without {key}": lambda folder, key=key: edit(folder, lambda plain: plain.pop(key))
        for key in ("labels", "counts", "effort", "seed", "model_source", "model_sha256", "provenance", "format")
    },
    "other effort": lambda folder: edit(folder, lambda plain: plain.update(effort={"steps": 1})),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_folder(model, sentences, tmp_path, kind):
    folder = model.adapt(*sentences(2), effort="instant").save(tmp_path / "out", keep_examples=True)
    Adapted.load(folder, encoder=model.encoder)
    edit(folder, forget)
    DAMAGE[kind](folder)
    with pytest.raises(
        MetaglotError, match=r"out[^ ]*: damaged .*adapt again|examples\.jsonl, line 1: damaged"
    ) as told:
        Adapted.load(folder, encoder=model.encoder)
    assert "ValueError" not in str(told.value)


def test_a_later_format(model, sentences, tmp_path):
    folder = model.adapt(*sentences(2), effort="instant").save(tmp_path / "out")
    edit(folder, lambda plain: plain.update(format=99))
    with pytest.raises(MetaglotError, match="written in format 99, this version reads 2"):
        Adapted.load(folder, encoder=model.encoder)


@pytest.mark.parametrize("name", ["nowhere", "empty", "model"])
def test_what_is_no_adaptation(bert_folder, tmp_path, name):
    (tmp_path / "empty").mkdir()
    shutil.copytree(bert_folder, tmp_path / "model")
    with pytest.raises(MetaglotError, match=rf"{name}: no adapted\.json there.*metaglot adapt"):
        Adapted.load(tmp_path / name)


def without_ways(folder: Path) -> None:
    weights = load_file(folder / "weights.safetensors")
    del weights["head.ways"]  # without it, spans would be decided in another way
    save_file(weights, folder / "weights.safetensors")


def test_a_tensor_that_is_missing_is_named(model, tmp_path):
    spans = [[(0, 3, "PER")], [(0, 2, "PER")]]
    folder = model.adapt(["Ann left", "Bo left"], spans, effort="instant").save(tmp_path / "out")
    assert Adapted.load(folder, encoder=model.encoder).labels == ("PER",)
    edit(folder, forget)
    without_ways(folder)
    with pytest.raises(MetaglotError, match=r"out: damaged .*weights.safetensors has no head\.ways.*adapt again"):
        Adapted.load(folder, encoder=model.encoder)


@pytest.mark.parametrize("name", ["adapted.json", "weights.safetensors", "examples.jsonl"])
def test_any_changed_byte_is_found(model, sentences, tmp_path, name):
    """Within a value that is as good as the one before, too: a count, a digit of a rate, a weight, a letter."""
    folder = model.adapt(*sentences(2), effort="instant").save(tmp_path / "out", keep_examples=True)
    content = (folder / name).read_bytes()
    places = range(0, len(content), max(1, len(content) // 25))
    for place in places:
        byte = content[place : place + 1]
        other = b"7" if byte.isdigit() and byte != b"7" else bytes([byte[0] ^ 1])
        if byte.isspace():  # which JSON may have or not
            continue
        (folder / name).write_bytes(content[:place] + other + content[place + 1 :])
        with pytest.raises(MetaglotError, match="out"):
            Adapted.load(folder, encoder=model.encoder)
    (folder / name).write_bytes(content)
    Adapted.load(folder, encoder=model.encoder)
    assert len(places) >= 25
