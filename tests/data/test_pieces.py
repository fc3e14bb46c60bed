"""What tokens are made of, and which of them go on a word."""

import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models
from transformers import PreTrainedTokenizerFast

from metaglot.data.occurrences import continuations
from metaglot.data.pieces import pieces_of, words_in
from metaglot.errors import MetaglotError


def goes_on_by_hand(token: str, kind: str) -> bool:
    """Whether a token goes on a word, by how it is written."""
    if kind in ("wordpiece", "cased"):
        return token.startswith("##") and letter(token[2])
    if kind in ("space", "mixed"):
        return token == "<unk>" or letter(token[0])
    return letter(bytes(_CODES[char] for char in token).decode(errors="replace")[0])


def letter(char: str) -> bool:
    return char == "\ufffd" or unicodedata.category(char)[0] in ("L", "M", "N")


_PLAIN = [*range(33, 127), *range(161, 173), *range(174, 256)]
_CODES = {chr(b): b for b in _PLAIN}
_CODES |= {chr(256 + n): b for n, b in enumerate(b for b in range(256) if b not in _PLAIN)}


@pytest.mark.parametrize("kind", ["wordpiece", "cased", "bytes", "left", "space", "mixed"])
def test_continuations(kind: str, tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers[kind]
    goes_on, special = continuations(tokenizer), pieces_of(tokenizer).special
    assert len(goes_on) == len(tokenizer)
    plain = np.flatnonzero(~special).tolist()
    tokens = tokenizer.convert_ids_to_tokens(plain)
    assert len(tokens) > 60
    number = dict(zip(tokens, plain, strict=True))
    assert [t for t in tokens if goes_on[number[t]]] == [t for t in tokens if goes_on_by_hand(t, kind)]
    assert not goes_on[special].any()
    assert 0 < goes_on.sum() < len(goes_on)


def test_what_bytes_stand_for(tokenizers: dict[str, Any]) -> None:
    """The pieces of a text joined are the text, spaces left out."""
    for kind in ("bytes", "space-bytes"):
        tokenizer = tokenizers[kind]
        pieces = pieces_of(tokenizer)
        text = "zażółć cat, (हिन्दी) 他来了 \U0001f600 42"
        ids = tokenizer(text)["input_ids"]
        assert b"".join(pieces.text[i] for i in ids).decode() == text.replace(" ", "")
        broken = [i for i in ids if "\ufffd" in pieces.text[i].decode(errors="replace")]
        assert len(broken) > 5
        assert pieces.ends[broken].all()


def test_special_and_unknown_tokens(tokenizers: dict[str, Any]) -> None:
    for kind, unknown_is_text in (("wordpiece", True), ("space", True), ("bytes", False)):
        tokenizer = tokenizers[kind]
        pieces = pieces_of(tokenizer)
        assert pieces.special[tokenizer.unk_token_id] == (not unknown_is_text)
        others = [i for i in tokenizer.all_special_ids if i != tokenizer.unk_token_id or not unknown_is_text]
        assert pieces.special[others].all()
        assert pieces.special.sum() == len(others)
        assert not pieces.holds[others].any()
        assert not pieces.ends[others].any()


def test_words_of_a_text() -> None:
    found = {
        "cat": ["cat"],
        "cat,": ["cat"],
        "cat3": [],
        "a-b c": ["a", "b", "c"],
        "हिन्दी।": ["हिन्दी"],
        "\u0301a": [],
        "": [],
    }
    assert {text: words_in(text) for text in found} == found
    assert words_in("x\ufffd y") == ["y"]


@given(st.text(max_size=30))
def test_words_are_letters_and_stand_in_the_text(text: str) -> None:
    for word in words_in(text):
        assert word in text
        assert word[0].isalpha()


def test_tokenizers_that_do_not_tell() -> None:
    suffix = Tokenizer(models.BPE({"a</w>": 0, "a": 1}, [], end_of_word_suffix="</w>"))
    with pytest.raises(MetaglotError, match="do not tell where words begin"):
        pieces_of(PreTrainedTokenizerFast(tokenizer_object=suffix))
    with pytest.raises(MetaglotError, match=r"tokenizer\.json"):
        continuations(object())


def test_unigram_with_an_unknown_character() -> None:
    from tokenizers import pre_tokenizers

    made = Tokenizer(models.Unigram([("<unk>", 0.0), ("▁a", -1.0), ("b", -1.5), ("▁", -2.0)], unk_id=0))
    made.pre_tokenizer = pre_tokenizers.Metaspace()  # pyright: ignore
    pieces = pieces_of(PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>"))
    assert pieces.text == ("\ufffd".encode(), b"a", b"b", b"")
    assert pieces.goes_on.tolist() == [True, False, True, False]
    assert pieces.ends.tolist() == [True, True, True, True]
