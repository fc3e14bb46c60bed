"""Places of spans and of tokens: white space within tokens, remarks, and places that count UTF-16 units."""

import json
from pathlib import Path

import pytest

from metaglot.data.labels import table_notes
from metaglot.data.readers import read_table


def write(path: Path, content: str) -> Path:
    path.write_text(content, "utf-8")
    return path


def test_white_space_in_a_token_parts_no_columns_and_remarks_are_no_tokens(tmp_path: Path):
    odd = write(tmp_path / "a.conll", "New\u00a0York B-LOC\n\u00a0 I-LOC\nis O\n")
    row = read_table(odd, cells="spans").to_pylist()[0]
    assert row["text"] == "New\u00a0York is"
    assert '"end": 8' in row["label"]
    remarks = "# text = Ann is\n1\tAnn\t_\t_\tPER\n2\tis\t_\t_\tO\n"  # as many words as a token has columns
    assert read_table(write(tmp_path / "b.conll", remarks), cells="spans")["text"].to_pylist() == ["Ann is"]


@pytest.mark.parametrize(
    ("spans", "first", "noted"),
    [
        ([[3, 6, "PER"], [13, 17, "LOC"]], "Ann", True),  # as JavaScript counts, without a text beside them
        ([{"start": 3, "end": 6, "label": "PER"}], "Ann", True),
        ([[2, 5, "PER"], [12, 16, "LOC"]], "Ann", False),
        ([[2, 4, "PER"]], "An", False),  # a part of a word fits neither way
        ([[0, 1, "SIGN"]], "\U0001f600", False),
    ],
)
def test_places_that_fit_words_as_utf_16_alone_count_so(tmp_path: Path, spans: list[object], first: str, noted: bool):
    path = write(tmp_path / "a.jsonl", json.dumps({"text": "\U0001f600 Ann is in Oslo", "spans": spans}))
    table = read_table(path, cells="spans")
    assert json.loads(table["label"][0].as_py())[0]["text"] == first
    assert any("JavaScript" in note for note in table_notes(table)) == noted
