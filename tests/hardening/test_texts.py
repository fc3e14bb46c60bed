"""Texts of every kind: empty, very long, every script, control characters; a probability for each."""

import json
import sys
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.adaptation import Adapted, load_model
from metaglot.data.examples import Inputs
from metaglot.errors import printable
from metaglot.models import Runtime

PLAIN = Runtime(precision="fp32", device="cpu")
pytestmark = pytest.mark.timeout(900)  # thousands of inputs, on a machine that may be busy
MANY = pytest.mark.parametrize("cases", [15, pytest.param(100, marks=pytest.mark.slow)])
KINDS = {
    "empty": "",
    "white space": " \t\n\u3000\u2028",
    "emoji": "😀👩‍👩‍👧‍👦🏳️‍🌈",
    "right to left": "שלום עולם مرحبا بالعالم",
    "turned around": "\u202eabc\u202c\u2066def\u2069",
    "control characters": "\x00\x01\x1b[31mred\x07\x7f\x9b",
    "100,000 words": "word " * 100_000,
    "one word of 500,000 letters": "w" * 500_000,
    "combining marks": "a" + "\u0301" * 5000,
    "a noncharacter": "\ufffe\uffff\U0010ffff",
}


@pytest.fixture(scope="module")
def folder(tiny, write_csv, tmp_path_factory):
    texts, labels = ["refund the invoice", "the parcel is late"] * 2, ["billing", "delivery"] * 2
    return load_model(tiny, PLAIN).adapt(texts, labels, effort="instant").save(tmp_path_factory.mktemp("texts") / "m")


@pytest.fixture(scope="module")
def adapted(folder):
    return Adapted.load(folder)


@pytest.fixture(scope="module")
def adapted_to_pairs(tiny):
    texts, pairs = ["refund", "the parcel"] * 2, ["the invoice", "is late", "money", "never came"]
    labels = ["billing", "delivery"] * 2
    return load_model(tiny, PLAIN).adapt(texts, labels, pairs=pairs, effort="instant", reads="both")


def check(adapted, texts, pairs=None) -> None:
    found = adapted.predict_proba(texts, pairs)
    assert found.shape == (len(texts), 2)
    assert np.isfinite(found).all()
    assert np.allclose(found.sum(1), 1)


@MANY
def test_any_text(cases, adapted, adapted_to_pairs, answered):
    text = st.text(max_size=30) | st.sampled_from(sorted(KINDS.values(), key=len)[:-2])

    @settings(max_examples=cases)
    @given(st.lists(text, min_size=1, max_size=3), st.booleans())
    def run(texts, paired):
        given = (adapted_to_pairs, texts, texts[::-1]) if paired else (adapted, texts)
        answered(lambda: check(*given), naming=("half a character",))

    run()


@pytest.mark.parametrize("kind", KINDS)
def test_kinds_of_texts(kind, handled, folder, tmp_path):
    (tmp_path / "texts.jsonl").write_text(
        json.dumps({"text": KINDS[kind]}) + "\n" + json.dumps({"text": "fine"}) + "\n"
    )
    said = handled("predict", folder, tmp_path / "texts.jsonl", code=0)
    lines, blank = said.out.split("\n"), not KINDS[kind].strip()
    assert [line.split("\t")[0] in ("billing", "delivery") for line in lines] == [not blank, True, False]
    assert lines[0] or blank
    assert not set("\x00\x1b\x07\x9b\u202e\u2066") & set(said.out)
    long = len(KINDS[kind]) > 1000
    assert said.err.count("note: 1 of 2 texts are longer than 128 tokens") == int(long), said.err
    assert ("is longer" in said.err or "longer than" in said.err) == long


def test_every_script(adapted, answered):
    """Forty letters of each script that Unicode names."""
    scripts: dict[str, str] = {}
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        if char.isalpha():
            script = unicodedata.name(char, "?").split(" ")[0]
            if len(scripts.get(script, "")) < 40:
                scripts[script] = scripts.get(script, "") + char
    assert len(scripts) > 150
    answered(lambda: check(adapted, list(scripts.values())), naming=("never",))


def test_an_empty_text_of_a_decoder(answered, tmp_path):
    """Its tokenizer gives no token at all, and a row without a token would be a mean over nothing."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = ["[EOS]", "[UNK]", "a", "b"]
    raw = Tokenizer(models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="[EOS]", unk_token="[UNK]").save_pretrained(tmp_path)
    config = GPT2Config(vocab_size=4, n_embd=8, n_layer=1, n_head=2, n_positions=32, eos_token_id=0)
    GPT2LMHeadModel(config).save_pretrained(tmp_path)
    model = load_model(str(tmp_path), PLAIN)
    assert model.max_length == 32
    assert model.encoder.collate(Inputs.of(["", "a b"]))["attention_mask"].sum(1).tolist() == [1, 2]
    for texts in (["", "a"], ["a " * 100, "b"]):
        made = answered(lambda texts=texts: model.adapt(texts, ["x", "y"], effort="instant"), naming=("never",))
        check(made, ["", " ", "a", "b " * 500])
    assert (model.encoder.cut(Inputs.of(["a " * 100, "b"])), model.encoder.cut(Inputs.of(["a"]))) == (1, 0)


def test_printable():
    assert printable("plain שלום 👩‍👧 a\tb\nc\u3000d") == "plain שלום 👩‍👧 a\tb\nc\u3000d"
    assert printable("\x1b[31m\x00\u202e\ud800\x9b") == "\\x1b[31m\\x00\\u202e\\ud800\\x9b"
