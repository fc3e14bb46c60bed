"""Encoders with a decoder (T5, BART, Marian) write: load, adapt, predict, save, edit and evaluate, and runs of them."""

import json

import numpy as np
import pytest
import torch
from tests.writers import SOURCES, TARGETS, byte_tokenizer

import metaglot as mg
from metaglot.adaptation.continuing import continued
from metaglot.adaptation.writing import form_of
from metaglot.choices import FAMILIES
from metaglot.decoding import Continuations
from metaglot.models.scratch import make_backbone

TASK = "generation"
SHAPES = {
    "t5": {"d_model": 32, "d_kv": 16, "d_ff": 32, "num_layers": 1, "num_heads": 2},
    "bart": {
        "d_model": 32,
        **{
            f"{half}_{name}": value
            for half in ("encoder", "decoder")
            for name, value in (("layers", 1), ("ffn_dim", 32))
        },
        **{f"{half}_attention_heads": 2 for half in ("encoder", "decoder")},
        "max_position_embeddings": 64,
    },
}
SHAPES["marian"] = SHAPES["bart"]
LEARN = mg.Effort(2, 1e-2, 1e-2, 12, lora=2)


@pytest.fixture(scope="module", params=["t5", "bart", "marian"])
def folder(request, tmp_path_factory):
    place = tmp_path_factory.mktemp("whole") / request.param
    return make_backbone(request.param, SHAPES[request.param], byte_tokenizer(), place, seed=0)


def test_a_folder_that_loads_its_encoder_alone_writes_with_its_decoder(folder, tmp_path):
    model = mg.load(folder, precision="fp32")
    assert model.embed(["red saw"]).shape == (1, 32)
    adapted = model.adapt(SOURCES, TARGETS, task=TASK, effort=LEARN)
    assert any("decoder" in name for name in adapted.fit.params)
    found = adapted.predictions(SOURCES[:3], max_new_tokens=6)
    back = mg.load(adapted.save(tmp_path / "m"))
    again = back.predictions(SOURCES[:3], max_new_tokens=6)
    assert (again.targets, np.array_equal(again.values, found.values)) == (found.targets, True)
    assert (
        mg.Adapted.load(tmp_path / "m", encoder=model.encoder).predict(SOURCES[0], max_new_tokens=6) == found.targets[0]
    )
    assert back.add_examples(["new saw"], ["SAW"]).without([0]).fit.count == 12
    assert back.predict("red saw", decoding=mg.Decoding(4, beams=2)) is not None
    assert adapted.score(SOURCES[:2], TARGETS[:2])["perplexity"] > 1
    shown = model.adapt(SOURCES, TARGETS, task=TASK, effort="instant")
    assert shown.fit.encoder is adapted.fit.encoder  # the decoder is read once
    assert len(shown.predict(SOURCES[:2], max_new_tokens=4)) == 2


def test_what_a_config_forces_at_the_edges_of_a_text(folder, monkeypatch):
    model = mg.load(folder, precision="fp32")
    encoder = model.adapt(SOURCES, TARGETS, task=TASK, effort="instant").fit.encoder
    prompts = [[40, 41, 42], [50]]
    long, short = (continued(encoder, encoder.meta, prompts, mg.Decoding(n)).tokens for n in (6, 3))
    # BART's config forces the end of its own vocabulary, a byte here, where a text is cut.
    assert [row[:3] for row in long] == list(short)
    tools = FAMILIES[TASK]().writes
    assert form_of(encoder, tools).template.opening == ()
    monkeypatch.setattr(encoder.backbone.learner.module.generation_config, "forced_bos_token_id", 5)
    row = tools.row(form_of(encoder, tools), "ab", "cd")
    assert row["labels"] == [5, *byte_tokenizer()("cd")["input_ids"], 1]
    assert [row[0] for row in continued(encoder, encoder.meta, prompts, mg.Decoding(3)).tokens] == [5, 5]


@pytest.mark.parametrize(("stop", "text"), [("c ", "a b"), ("b\n", "a"), (" ", "a"), ("x", "a b c")])
def test_a_stop_string_may_end_with_white_space(folder, monkeypatch, stop, text):
    adapted = mg.load(folder, precision="fp32").adapt(SOURCES, TARGETS, task=TASK, effort="instant")
    whole = {"c ": "a b c ", "b\n": "a b\n", " ": "a ", "x": "a b c "}[stop]
    tokens = tuple(byte_tokenizer()(whole)["input_ids"])
    found = Continuations((tokens,), 1.0, ((-1.0,) * len(tokens),))
    monkeypatch.setattr("metaglot.adaptation.continuing.continued", lambda *_: found)
    assert adapted.predict("a", decoding=mg.Decoding(8, stop=(stop,))) == text


def test_the_commands_do_the_same(metaglot, folder, tmp_path):
    rows = ({"source": source, "target": target} for source, target in zip(SOURCES, TARGETS, strict=True))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = (folder, tmp_path / "a.jsonl", "--task", TASK)
    said = metaglot("adapt", *asked, "--effort", "instant", "--precision", "fp32", "--out", tmp_path / "m")
    assert (said.code, "encoder alone" in said.err) == (0, False), said.err
    (tmp_path / "long.jsonl").write_text(json.dumps({"source": "word " * 200, "target": "x"}) + "\n")
    long = (folder, tmp_path / "long.jsonl", *asked[2:], "--effort", "instant", "--precision", "fp32")
    assert "1 of 1 examples have more than" in metaglot("adapt", *long, "--out", tmp_path / "l").err
    said = metaglot("predict", tmp_path / "m", "--text", "red saw", "--json", "--max-new-tokens", 4)
    model = mg.load(folder, precision="fp32")
    written = model.adapt(SOURCES, TARGETS, task=TASK, effort="instant").predict("red saw", max_new_tokens=4)
    assert json.loads(said.out)["label"] == written
    methods = ("--efforts", "instant", "--against", "lora", "--shots", 4, "--draws", 1, "--queries", 2)
    said = metaglot("evaluate", *asked, *methods, "--precision", "fp32", "--out", tmp_path / "r", "--json")
    assert said.code == 0, said.err
    assert {json.loads(line)["method"] for line in said.out.splitlines()} == {"ours-instant", "lora", "prior"}


def test_other_kinds_still_read_the_encoder_alone(folder):
    adapted = mg.load(folder, precision="fp32").adapt(SOURCES, ["a", "b"] * 6, effort="instant")
    assert adapted.embed(SOURCES[:1]).shape == (1, 32)
    learner = adapted.fit.encoder.backbone.learner
    assert learner.seq2seq == (folder.name == "marian")
    assert torch.isfinite(torch.tensor(adapted.embed(SOURCES[:1]))).all()
