"""What training on raw text reads lies in files: tokens are mapped, and a batch copies its own rows alone."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from metaglot.assembly import assemble
from metaglot.config import parse_recipe
from metaglot.tasks.plain import PlainText
from metaglot.tasks.twins import Twins

MAPS = Path("/proc/self/maps")
WORDS = ("fox", "jumps", "over", "lazy", "dogs", "while", "rivers", "carry", "boats", "past", "old", "towns")
KINDS = {
    "blocks": "plain",
    "replaced": "replaced-tokens",
    "dropout": "simcse",
    "neighbours": {"kind": "simcse", "positives": "neighbours", "batch": 8},
    "pairs": {"kind": "simcse", "positives": "pairs", "batch": 8},
}


def mapped_file(array: np.ndarray) -> str:
    """Return the file that the first byte of an array is mapped from; empty if it lies in memory alone."""
    at = array.__array_interface__["data"][0]
    for line in MAPS.read_text().splitlines():
        span, *_, name = line.split(maxsplit=5) if len(line.split()) > 5 else (*line.split(), "")
        first, last = (int(edge, 16) for edge in span.split("-"))
        if first <= at < last:
            return name
    return ""


@pytest.fixture
def plain(tmp_path, monkeypatch):
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path / "cache"))
    lines = [" ".join(WORDS[(i * 7 + j * (1 + i % 5)) % len(WORDS)] for j in range(9)) for i in range(2000)]
    rows = "\n".join(f"In {i} {line}. Then {line} in {i}.,{i % 40},{line} {i}" for i, line in enumerate(lines))
    (tmp_path / "notes.csv").write_text(f"text,document,text_pair\n{rows}\n", "utf-8")

    def make(kind) -> PlainText:
        recipe = {
            "model": {"name": "builtin:tiny", "max_length": 16, "precision": "fp32"},
            "text": {"root": str(tmp_path), "corpora": ["notes.csv"], "length": 16, "min_chars": 10},
            "algorithm": {"name": "joint"},
            "tasks": [KINDS[kind]],
        }
        found = assemble(parse_recipe(recipe)).plan.train
        assert isinstance(found, PlainText)
        return found

    return make


@pytest.mark.skipif(not MAPS.exists(), reason="the mapped files of a process are listed on Linux alone")
@pytest.mark.parametrize("kind", KINDS)
def test_tokens_are_read_from_mapped_files(plain, kind, tmp_path):
    rows = plain(kind).blocks
    if isinstance(rows, Twins):
        arrays = [chunk.ids for one in (rows.first, rows.second) for chunk in one._chunks]
    else:
        arrays = list(rows.parts)
    assert arrays
    for array in arrays:
        assert mapped_file(array).startswith(str(tmp_path / "cache")), "tokens are held in memory"


def test_a_batch_takes_memory_for_its_own_rows_alone(plain):
    source = plain("neighbours")
    source(0, 0, {})
    tracemalloc.start()
    for n in range(1, 200):
        source(0, n, {})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    tokens = sum(chunk.ids.nbytes for chunk in source.blocks.first._chunks)
    assert peak < tokens / 2, f"{peak} bytes at once, of {tokens}"
