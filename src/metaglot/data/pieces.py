"""What the tokens of a vocabulary are made of, and where words begin and end among them.

WordPiece            a token that begins with ## goes on the token before it
byte-level BPE       a token that begins with Ġ (a space) begins anew; others go on if letter meets letter
sentencepiece        the same with ▁; <0xE2> and its kin are single bytes
"""

import json
import re
import unicodedata
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, cast

import numpy as np

from metaglot.errors import MetaglotError

BROKEN = "\ufffd"  # stands for bytes that make no whole character, and for an unknown character within a word

_BYTE = re.compile("<0x([0-9A-F]{2})>")
_SPACE = "▁"

Split = Callable[[str], tuple[bool, bytes]]
"""From a token as the vocabulary writes it to (whether it begins anew, its UTF-8 bytes without the mark of that)."""


class Pieces(NamedTuple):
    """The tokens of a vocabulary by number; V is the highest number and one."""

    text: tuple[bytes, ...]  # [V] UTF-8, without the mark of a beginning; empty for special tokens
    special: np.ndarray  # [V] bool: all but the one for what is unknown, which stands for text
    holds: np.ndarray  # [V] bool: some of its characters belong to words
    ends: np.ndarray  # [V] bool: a word may go on after it
    goes_on: np.ndarray  # [V] bool: a word that reaches its left side goes on in it


def pieces_of(tokenizer: Any) -> Pieces:
    """Return the pieces of a fast tokenizer.

    Raises MetaglotError for one that is not fast, and for one whose tokens do not tell where words begin.
    """
    spec = _spec(tokenizer)
    vocabulary = cast("dict[str, int]", tokenizer.get_vocab())
    size = max(vocabulary.values(), default=-1) + 1
    split, whole = _splitter(spec, type(tokenizer).__name__)
    added = {str(one["content"]): bool(one["special"]) for one in spec["added_tokens"]}
    unknown = _unknown(spec)
    special_ids = {int(i) for i in tokenizer.all_special_ids} - _only_unknown(tokenizer)
    text = [b""] * size
    special, holds, ends, goes_on = (np.zeros(size, bool) for _ in range(4))
    for token, number in vocabulary.items():
        if number in special_ids or (added.get(token, False) and token != unknown):
            special[number] = True
            continue
        if token == unknown:
            anew, text[number] = whole, BROKEN.encode()
        else:
            anew, text[number] = (True, token.encode()) if token in added else split(token)
        inside = [belongs(char) for char in text[number].decode("utf-8", "replace")] or [False]
        holds[number], goes_on[number] = any(inside), inside[0] and not anew
        ends[number] = inside[-1] or not text[number]
    return Pieces(tuple(text), special, holds, ends, goes_on)


def belongs(char: str) -> bool:
    """Return whether a character is part of words: letters, marks upon letters, digits, and what is BROKEN."""
    return char == BROKEN or unicodedata.category(char)[0] in "LMN"


def words_in(text: str) -> list[str]:
    """Return the words of a text: runs of characters that belong to words, if all are letters or marks upon them."""
    if text.isalpha():
        return [text]
    runs = text.translate(_TABLE).split(" ")
    return [run for run in runs if run[:1].isalpha() and all(c.isalpha() or _is_mark(c) for c in run)]


def _is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M"


class _Table(dict[int, str]):
    def __missing__(self, code: int) -> str:
        self[code] = chr(code) if belongs(chr(code)) else " "
        return self[code]


_TABLE = _Table()


def _spec(tokenizer: Any) -> dict[str, Any]:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        raise MetaglotError(
            f"{type(tokenizer).__name__} has no fast backend. Use a model whose folder has a tokenizer.json."
        )
    return json.loads(backend.to_str())


def _splitter(spec: dict[str, Any], name: str) -> tuple[Split, bool]:
    """Return how tokens are split, and whether an unknown word is one token whole."""
    model, parts = spec["model"], [spec["normalizer"], spec["pre_tokenizer"], spec["decoder"]]
    kinds = {kind for part in parts for kind in _types(part)}
    prefix = model.get("continuing_subword_prefix")
    if model["type"] == "WordLevel":
        return (lambda token: (True, token.encode())), True
    if "ByteLevel" in kinds:
        return _split_bytes, True  # no byte is unknown
    if "Metaspace" in kinds or _SPACE in json.dumps(parts, ensure_ascii=False):
        return _split_space, False
    if model["type"] in ("WordPiece", "BPE") and prefix and not model.get("end_of_word_suffix"):
        return (lambda token: (not token.startswith(prefix), token.removeprefix(prefix).encode())), True
    raise MetaglotError(
        f"{name}: its tokens ({model['type']}) do not tell where words begin. Known are WordPiece, byte-level BPE and "
        "sentencepiece (Metaspace)."
    )


def _types(part: object) -> Iterator[str]:
    """Yield the types of a part of a tokenizer and of the parts within it."""
    if isinstance(part, dict):
        inner = cast("dict[str, object]", part)
        yield str(inner.get("type"))
        for value in inner.values():
            yield from _types(value)
    elif isinstance(part, list):
        for value in cast("list[object]", part):
            yield from _types(value)


def _unknown(spec: dict[str, Any]) -> str | None:
    """Return the token for an unknown character, as the model names it."""
    model = spec["model"]
    number = model.get("unk_id")
    return model.get("unk_token") if number is None else str(model["vocab"][number][0])


def _only_unknown(tokenizer: Any) -> set[int]:
    """Return the number of the unknown token if it does nothing else, as the end of the text does in GPT-2."""
    names = ("bos", "eos", "pad", "cls", "sep", "mask")
    others = {getattr(tokenizer, f"{name}_token_id", None) for name in names}
    return {tokenizer.unk_token_id} - others


def _split_space(token: str) -> tuple[bool, bytes]:
    if byte := _BYTE.fullmatch(token):
        return False, bytes([int(byte[1], 16)])
    return token.startswith(_SPACE), token.removeprefix(_SPACE).replace(_SPACE, " ").encode()


def _split_bytes(token: str) -> tuple[bool, bytes]:
    if any(char not in _BYTES for char in token):
        return True, token.encode()
    raw = bytes(_BYTES[char] for char in token)
    return raw.startswith(b" "), raw.removeprefix(b" ")


def _byte_table() -> dict[str, int]:
    """Return the byte that each character stands for in byte-level BPE: printable ones stand for themselves, the
    others are counted on from 256.
    """
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(b): b for b in plain} | {chr(256 + n): b for n, b in enumerate(others)}


_BYTES = _byte_table()
