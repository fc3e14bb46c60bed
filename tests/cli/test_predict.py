"""`metaglot predict`: a line for each line, all columns of a file kept, answers as lines come, a bar for long work."""

import csv
import io
import json
import os
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from metaglot.cli.shared.predicting import standard_input_lines
from metaglot.cli.shared.progress import bar
from metaglot.data.readers import read_table


@pytest.fixture
def mine(metaglot, tiny, examples, tmp_path):
    metaglot("adapt", tiny, examples, "--out", tmp_path / "mine", "--effort", "instant", "--quiet")
    return tmp_path / "mine"


LINES = ["refund the invoice", "", "courier and shipping", "  ", "an error"]


def test_a_line_for_each_line(metaglot, mine, tmp_path):
    file = tmp_path / "lines.txt"
    file.write_text("\r\n".join(LINES) + "\n")
    assert read_table(file)["row"].to_pylist() == list(range(5))
    said = metaglot("predict", mine, file)
    shown = [line.split("\t")[-1] for line in said.out.split("\n")]
    assert shown == [line.strip() for line in LINES] + [""]
    rows = [json.loads(line) for line in metaglot("predict", mine, file, "--json").out.splitlines()]
    assert [row["label"] is None for row in rows] == [row["probabilities"] is None for row in rows]
    assert [row["label"] is None for row in rows] == [not line.strip() for line in LINES]


@pytest.mark.slow
def test_precision_and_device_are_as_asked(metaglot, mine, tmp_path):
    """By default an adaptation runs in the precision that it was made in."""
    from metaglot import Adapted, load

    made_in = Adapted.load(mine).fit.encoder.precision
    file = tmp_path / "lines.txt"
    file.write_text("refund the invoice\nan error\n")
    more = tmp_path / "more.csv"
    more.write_bytes("text,label\na café,other\nanother café,other\n".encode("cp1252"))
    for precision in ("auto", "bf16", "fp32"):
        asked = ("--precision", precision, "--device", "cpu")
        expected = load(mine, precision=precision, device="cpu").predict_proba(["refund the invoice", "an error"])
        rows = [json.loads(line) for line in metaglot("predict", mine, file, "--json", *asked).out.splitlines()]
        found = np.array([list(row["probabilities"].values()) for row in rows])
        assert np.allclose(found, expected, atol=1e-6)
        edited = metaglot("edit", mine, "--add", more, "--out", tmp_path / precision, *asked, "--encoding", "cp1252")
        assert edited.code == 0, edited.err
        assert Adapted.load(tmp_path / precision).fit.encoder.precision == (
            made_in if precision == "auto" else precision
        )
    for command in (["predict", mine, file], ["edit", mine, "--add", file]):
        for wrong in (["--precision", "fp8"], ["--device", "abacus"]):
            refused = metaglot(*command, *wrong)
            assert (refused.code, f"{wrong[0]} {wrong[1]}: unknown" in refused.err) == (2, True)


def test_all_columns_are_kept(metaglot, mine, tmp_path):
    rows = [{"id": i, "text": line, "more": [{"a": [i]}], "note": None} for i, line in enumerate(LINES)]
    jsonl, parquet, table = tmp_path / "in.jsonl", tmp_path / "in.parquet", tmp_path / "in.csv"
    jsonl.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([["id", "text", "wer, wo"], *([i, line, 'a "b"\n'] for i, line in enumerate(LINES))])
    answers = [json.loads(line) for line in metaglot("predict", mine, jsonl, "--json").out.splitlines()]
    labels = [one["label"] for one in answers]
    for source, out in ((jsonl, "out.jsonl"), (parquet, "out.parquet")):
        said = metaglot("predict", mine, source, "--out", tmp_path / out)
        assert (said.code, said.out) == (0, f"5 rows → {tmp_path / out}\n")
    read = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [{name: row[name] for name in rows[0]} for row in read] == rows
    assert [row["label"] for row in read] == labels
    for row, one in zip(read, answers, strict=True):
        assert row["probability"] == (None if one["label"] is None else max(one["probabilities"].values()))
    back = pq.read_table(tmp_path / "out.parquet")
    assert back.column_names == ["id", "text", "more", "note", "label", "probability"]
    assert back.select(["id", "text", "more", "note"]).equals(pq.read_table(parquet))
    assert back["label"].to_pylist() == labels
    for ending, mark in (("csv", ","), ("tsv", "\t")):
        assert metaglot("predict", mine, table, "--out", tmp_path / f"out.{ending}", "--json").code == 0
        with (tmp_path / f"out.{ending}").open(newline="") as file:
            found = list(csv.DictReader(file, delimiter=mark))
        assert [(row["id"], row["wer, wo"]) for row in found] == [(str(i), 'a "b"\n') for i in range(5)]
        assert [row["label"] or None for row in found] == labels


def test_what_cannot_be_written_is_refused(metaglot, mine, examples, tmp_path):
    out = tmp_path / "out.csv"
    for arguments, says in (
        ((examples, "--out", out), "has a column 'label' already; give the new columns other names"),
        ((examples, "--out", tmp_path / "out.xlsx"), "choose one of .csv, .tsv, .jsonl, .parquet"),
        ((examples, "--out", examples, "--new-columns", "label=guess"), "exists already"),
        ((examples, "--out", out, "--explain"), "--explain has no use beside --out"),
        ((examples, "--new-columns", "label=guess"), "--new-columns has no use without --out"),
        ((examples, "--out", out, "--new-columns", "label=a,probability=a"), "two different names"),
        (("--text", "refund", "--out", out), "--out keeps the columns of a file"),
        (("-", "--out", out), "--out keeps the columns of a file"),
    ):
        said = metaglot("predict", mine, *arguments)
        assert (said.code, says in said.err) == (2, True), (arguments, said.err)
        assert not out.exists()
    named = ("--out", out, "--new-columns", "label=guess")
    assert metaglot("predict", mine, examples, *named).code == 0
    assert metaglot("predict", mine, examples, *named).code == 2
    assert metaglot("predict", mine, examples, *named, "--force").code == 0
    assert read_table(out, more=("guess",)).column_names == ["text", "label", "guess", "row"]


def test_lines_are_answered_as_they_come(monkeypatch):
    """The second line is written only after the first was given."""
    reading, writing = os.pipe()
    given = threading.Event()

    def write():
        os.write(writing, "\ufeffcafé\nhalf".encode())
        assert given.wait(20)
        os.write(writing, b" a line\r\n\nlast")
        os.close(writing)

    with os.fdopen(reading) as stream:
        monkeypatch.setattr("sys.stdin", stream)
        writer = threading.Thread(target=write)
        writer.start()
        lines = standard_input_lines()
        assert next(lines) == ["café"]
        given.set()
        assert [line for some in lines for line in some] == ["half a line", "", "last"]
        writer.join()


def test_a_bar_on_a_terminal_alone():
    for terminal, after, shown in ((True, 0.0, True), (True, 60.0, False), (False, 0.0, False)):
        file = io.StringIO()
        with bar("predict", 3, console=Console(file=file, force_terminal=terminal, width=80), delay=after) as advance:
            advance(1)
            advance(1)
        assert ("2/3" in file.getvalue()) == shown, (terminal, after)
        assert (file.getvalue() != "") == shown, "no empty line either"
