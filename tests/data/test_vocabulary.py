"""Tokenizers learnt from text: the same bytes twice, what they keep, what they refuse."""

import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from metaglot.data.vocabulary import BERT_TOKENS, END, train_tokenizer
from metaglot.errors import MetaglotError


def texts_of(count: int = 60) -> list[str]:
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdeéж漢", k=rng.randint(1, 6))) for _ in range(150)]
    return [" ".join(rng.choices(words, k=15)) + ", The End." for _ in range(count)]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
def test_the_same_bytes_each_time(kind: Any, tmp_path: Path) -> None:
    """The trainer's hash tables are seeded anew for each, so one process will do."""
    rng = random.Random(0)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyzéßжш", k=rng.randint(2, 8))) for _ in range(600)]
    texts = [" ".join(rng.choices(words, k=20)) for _ in range(150)]  # very many pairs of equal counts
    for number in range(4):
        train_tokenizer(texts, kind=kind, size=500).save_pretrained(tmp_path / str(number))
    files = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in tmp_path.iterdir()]
    assert files == [files[0]] * 4
    assert "tokenizer.json" in files[0]


@pytest.mark.parametrize("kind", ["wordpiece", "bpe"])
@pytest.mark.parametrize("lowercase", [True, False])
def test_size_tokens_and_a_reload(kind: Any, lowercase: bool, tmp_path: Path) -> None:
    texts = texts_of()
    made = train_tokenizer(texts, kind=kind, size=400, lowercase=lowercase)
    assert sorted(made.get_vocab().values()) == list(range(len(made)))
    assert 100 < len(made) <= 400
    made.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    for text in [*texts[:5], "The END of It!", ""]:
        assert dict(made(text)) == dict(again(text))
        assert dict(made(text, "b")) == dict(again(text, "b"))
    assert again.special_tokens_map == made.special_tokens_map
    assert (made.tokenize("The") == made.tokenize("the")) == lowercase
    assert (made("")["input_ids"] == []) == (kind == "bpe")


def test_bert_tokens() -> None:
    made = train_tokenizer(iter(texts_of()), kind="wordpiece", size=400)
    assert made.convert_ids_to_tokens(range(5)) == list(BERT_TOKENS)
    encoded = made("a", "é")
    assert encoded["input_ids"][0] == made.cls_token_id
    assert encoded["input_ids"].count(made.sep_token_id) == 2
    assert encoded["token_type_ids"] == [0, 0, 0, 1, 1]
    assert made.tokenize("É") == ["e"]
    assert made.tokenize("☃ a") == ["[UNK]", "a"]
    assert made.decode(made("the end.")["input_ids"], skip_special_tokens=True) == "the end."
    assert set(made.all_special_tokens) == set(BERT_TOKENS)
    assert not [t for t in made.get_vocab() if t in ("##,", "##.", "##漢")]  # these stand alone
    assert made.tokenize("##e") == ["[UNK]", "[UNK]", "e"]  # no ## of a text is taken for a mark


def test_gpt_tokens() -> None:
    made = train_tokenizer(texts_of(), kind="bpe", size=400)
    names = ("eos_token", "bos_token", "pad_token", "unk_token")
    assert [getattr(made, name) for name in names] == [END] * 4
    assert made.eos_token_id == 0
    assert made.cls_token is None
    assert made("a" + END + "b", add_special_tokens=False)["input_ids"][1] == 0


@given(st.text(max_size=40))
def test_byte_level_loses_nothing(text: str) -> None:
    made = _BPE
    if END not in text:
        assert made.decode(made(text)["input_ids"], clean_up_tokenization_spaces=False) == text


_BPE = train_tokenizer(texts_of(), kind="bpe", size=300, lowercase=False)


def test_the_rarest_characters_are_left_out_where_there_are_too_many() -> None:
    texts = ["".join(chr(0x4E00 + i) for i in range(n)) for n in range(1, 200)]
    made = train_tokenizer(texts, kind="wordpiece", size=100)
    characters = [t for t in made.get_vocab() if len(t) == 1]
    assert sorted(characters) == [chr(0x4E00 + i) for i in range(20)]


@pytest.mark.parametrize(
    ("kind", "size", "texts", "message"),
    [
        ("unigram", 400, ["a"], "'unigram'; choose from wordpiece, bpe"),
        ("wordpiece", 40, ["a"], "needs at least 64"),
        ("bpe", 256, ["a"], "needs at least 257"),
        ("bpe", 300, [" ", ""], "no text to learn"),
        ("wordpiece", 300, [], "no text to learn"),
    ],
)
def test_errors(kind: Any, size: int, texts: list[str], message: str) -> None:
    with pytest.raises(MetaglotError, match=message):
        train_tokenizer(texts, kind=kind, size=size)
