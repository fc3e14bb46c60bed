"""Real sets of tagged sentences: tags become spans and come back, and the reference package finds the same."""

import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from metaglot.data.spans import checked
from metaglot.data.tags import chunks_of, scheme_of
from metaglot.data.tokens import joined, spans_at, tags_at

FOLDER = Path(os.environ.get("METAGLOT_DATA", "none")) / "tagging"
SETS = {"crossner": (3_189, 0), "masakhaner": (35_683, 8), "snips-slots": (10_328, 0), "wnut17": (5_690, 0)}
"""Sentences, and tags that had to be repaired."""


@pytest.mark.slow
@pytest.mark.parametrize("name", SETS)
def test_tags_of_a_set_become_spans_and_come_back(name: str):
    if not (FOLDER / f"{name}.parquet").is_file():
        pytest.skip("METAGLOT_DATA has no tagged sentences")
    entities = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    table = pq.read_table(FOLDER / f"{name}.parquet")
    columns = [table[column].to_pylist() for column in ("tokens", "tags")]
    rows = [(tokens.split(), tags.split()) for tokens, tags in zip(*columns, strict=True)]
    scheme = scheme_of([tags for _, tags in rows], str)
    assert scheme == "IOB2"
    repaired, at, found = 0, 0, list[tuple[str, int, int]]()
    for row, (tokens, tags) in enumerate(rows):
        chunks, odd = chunks_of(tags, scheme)
        repaired += odd
        text, places = joined(tokens)
        spans = spans_at(chunks, places)
        assert checked(spans, text, f"row {row}") == (spans, 0)
        assert odd or tags_at(spans, places) == tags
        found += [(label, at + first, at + behind - 1) for first, behind, label in chunks]
        at += len(tags) + 1  # the reference puts an O between sentences
    assert found == entities([tags for _, tags in rows])
    assert (len(rows), repaired) == SETS[name]
