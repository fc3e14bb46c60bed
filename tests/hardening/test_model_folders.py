"""Model folders, runs and adaptations that were damaged: a message names the folder, and no code of theirs runs."""

import json
import shutil

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from metaglot.adaptation import Adapted, load_model
from metaglot.data.folders import check_adapted, check_model
from metaglot.models import Runtime, load_backbone
from metaglot.seeds import seeded

PLAIN = Runtime(precision="fp32", device="cpu")
pytestmark = pytest.mark.timeout(900)  # thousands of inputs, on a machine that may be busy
MANY = pytest.mark.parametrize("cases", [12, pytest.param(80, marks=pytest.mark.slow)])
WORDS = ["[PAD]", "[UNK]", *(f"w{i}" for i in range(20))]
VALUE = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4) | st.just([]) | st.just({})


def save_tokenizer(folder, words=WORDS):
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=raw, unk_token="[UNK]", pad_token="[PAD]").save_pretrained(folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "bert"
    shape = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    with seeded(0, torch.device("cpu")):
        BertModel(BertConfig(vocab_size=len(WORDS), max_position_embeddings=32, **shape)).save_pretrained(path)
    save_tokenizer(path)
    return path


@pytest.fixture(scope="module")
def adapted(folder):
    path = folder.parent / "adapted"
    made = load_model(folder, PLAIN).adapt(["w1 w2", "w3"], ["a", "b"], effort="instant")
    return made.save(path, keep_examples=True)


def damaged(folder, tmp_path, name, change):
    """Return a copy of the folder in which a file's bytes were changed."""
    copy = tmp_path / "copy"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(folder, copy)
    (copy / name).write_bytes(change((copy / name).read_bytes()))
    return copy


def load(folder) -> None:
    check_model(str(folder))
    backbone = load_backbone(str(folder), PLAIN)
    with torch.no_grad():
        backbone.learner.forward({}, {"input_ids": torch.ones(1, 2, dtype=int), "attention_mask": torch.ones(1, 2)})


@MANY
@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"])
def test_any_damage_to_a_model(cases, name, folder, tmp_path, answered):
    @settings(max_examples=cases // 2)
    @given(st.floats(0, 1), st.integers(0, 60), st.binary(max_size=6))
    def run(share, length, put):
        def change(content):
            at = int(share**3 * len(content))  # most of it in the header
            return content[:at] + put + content[at + length :]

        copy = damaged(folder, tmp_path, name, change)
        answered(lambda: load(copy), naming=(str(copy),))

    run()


@MANY
@pytest.mark.parametrize("name", ["adapted.json", "weights.safetensors", "examples.jsonl"])
def test_any_damage_to_an_adaptation(cases, name, adapted, tmp_path, answered):
    def look(copy):
        check_adapted(copy)
        Adapted.load(copy).predict(["w1"])

    @settings(max_examples=cases // 2)
    @given(st.floats(0, 1), st.integers(0, 30), st.binary(max_size=4))
    def run(share, length, put):
        copy = damaged(
            adapted, tmp_path, name, lambda c: c[: int(share * len(c))] + put + c[int(share * len(c)) + length :]
        )
        answered(lambda: look(copy), naming=(str(copy), "model", "folder"))

    run()


@MANY
def test_any_value_in_an_adaptation(cases, adapted, tmp_path, answered):
    keys = sorted(json.loads((adapted / "adapted.json").read_text()))

    @settings(max_examples=cases)
    @given(st.sampled_from(keys), VALUE)
    def run(key, value):
        def change(content):
            return json.dumps({**json.loads(content), key: value}).encode()

        copy = damaged(adapted, tmp_path, "adapted.json", change)
        answered(lambda: Adapted.load(copy).predict(["w1"]), naming=(str(copy), "model", "folder", str(value)))

    run()


@MANY
def test_any_value_in_a_run(cases, folder, tmp_path, answered):
    @settings(max_examples=cases)
    @given(st.sampled_from(["base", "max_length", "algorithm", "format"]), VALUE, st.booleans())
    def run(key, value, checkpoint):
        copy = tmp_path / "run"
        shutil.rmtree(copy, ignore_errors=True)
        (copy / "checkpoints" / "step-1").mkdir(parents=True)
        if checkpoint:
            shutil.copy(folder / "model.safetensors", copy / "checkpoints" / "step-1" / "params.safetensors")
        described = {"format": 1, "base": str(folder), "max_length": 16, "algorithm": {"name": "protonet"}, key: value}
        (copy / "model.json").write_text(json.dumps(described))
        answered(lambda: load_model(copy, PLAIN).embed(["w1 w2"]), naming=(str(copy), str(value), "model folder"))

    run()


def test_a_tokenizer_with_more_words_than_the_model(folder, tmp_path, handled, write_csv):
    copy = shutil.copytree(folder, tmp_path / "copy")
    save_tokenizer(copy, [*WORDS, "beyond"])
    said = handled(
        "adapt", copy, write_csv(tmp_path / "a.csv", 2), "--out", tmp_path / "x", naming=(str(copy),), code=2
    )
    assert "its vocabulary goes to number 22, the embedding has 22 rows" in " ".join(said.err.split())


def test_pickled_weights_are_refused_with_the_way_to_convert(folder, tmp_path, handled, write_csv):
    copy = shutil.copytree(folder, tmp_path / "copy")
    (copy / "model.safetensors").unlink()
    (copy / "pytorch_model.bin").write_bytes(b"\x80\x04cos\nsystem\n")
    said = handled(
        "adapt", copy, write_csv(tmp_path / "a.csv", 2), "--out", tmp_path / "x", naming=(str(copy),), code=2
    )
    assert "save_pretrained(folder) writes model.safetensors" in " ".join(said.err.split())
