"""One class for what reads the same, whatever wrote it."""

import enum
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from metaglot.data.inspect import inspect_table
from metaglot.data.label_shape import shape_notes
from metaglot.data.labels import alike_notes, in_order, labels_of, normal, of_kind, table_notes, typed_labels
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError

Kind = enum.Enum("Kind", {"A": "billing", "B": "technical"})
Level = enum.IntEnum("Level", {"LOW": 1, "HIGH": 2})


def name(row: int) -> str:
    return f"label number {row + 1}"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("cafe\u0301", "caf\u00e9"),
        (" a\u00a0 b\t\u3000c\n", "a b c"),
        ("bill\u200bing\ufeff", "billing"),
        ("\u202fx\u2060", "x"),
        ("می\u200cخواهم", "می\u200cخواهم"),  # a joiner within a word is part of it
        ("\u200dx\u200c", "x"),
        ("NaN", None),
        ("<NA>", None),
        (" \u200b", None),
        ("None", "None"),
        ("nano", "nano"),
    ],
)
def test_strings_have_one_form(written, read):
    assert normal(written) == read
    assert read is None or normal(read) == read


@pytest.mark.parametrize(
    ("values", "read"),
    [
        (torch.tensor([0, 1]), [0, 1]),
        (np.array([1.0, 2.0]), [1, 2]),
        (np.array([True, False]), [True, False]),
        (np.array(["a", "b"]), ["a", "b"]),
        ([1, 1.0, 2, float("nan")], [1, 1, 2, None]),
        ([1, 1.5], [1.0, 1.5]),
        ([Kind.A, Kind.B], ["billing", "technical"]),
        ([Level.LOW, Level.HIGH], [1, 2]),
        (pd.Series(["a", pd.NA, None]), ["a", None, None]),
        (pd.Series(["b", "a"], dtype="category"), ["b", "a"]),
        (["1.0", "2.0"], ["1.0", "2.0"]),  # strings of Python stay what they are
    ],
)
def test_values_become_plain_and_keep_their_type(values, read):
    found = labels_of(values, name).labels
    assert found == read
    assert [type(one) for one in found] == [type(one) for one in read]


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["a", b"a"], r"label number 2 is b'a', of type bytes, not one label .*label.decode\(\)"),
        ([["a"], ["b"]], "label number 1 is .*of type list.*give each text one label"),
        (np.array([[0], [1]]), r"label number 1 is array\(\[0\]\).*ravel"),
        ([pd.Timestamp(0)], r"of type Timestamp.*str\(label\)"),
        ([1, "1"], "label number 2 is '1', a string, and label number 1 is 1, a number"),
        ([True, 1], "label number 2 is 1, a number, and label number 1 is True, a truth value"),
    ],
)
def test_other_objects_are_refused(values, says):
    with pytest.raises(MetaglotError, match=says):
        labels_of(values, name)


def test_twins_that_become_one_class_are_noted():
    (note,) = labels_of(["th\u00e9", "x", "the\u0301", "x"], name).notes
    assert "are one class: 'th\u00e9' ('th\\xe9' at label number 1 and 'the\\u0301' at label number 3)" in note
    assert not labels_of(["a", "b", "a"], name).notes


def test_twins_that_stay_two_classes_are_noted():
    said = alike_notes(["Billing", "billing", "tech_support", "tech support", "A+", "A-", "-1", "1"])
    assert said == [
        "the labels 'Billing' and 'billing' differ in case only and are two classes",
        "the labels 'tech support' and 'tech_support' differ in how they are written only and are two classes",
    ]
    (doubt,) = alike_notes(["None", "some"])
    assert "leave its cell empty" in doubt


def test_new_labels_are_of_the_kind_of_the_known():
    assert of_kind([1, 2], ["1", "x"], name) == ["1", "2"]
    assert of_kind(["1"], [0, 1], name) == [1]
    with pytest.raises(MetaglotError, match="label number 1 is 'x', a string, and the classes so far are numbers"):
        of_kind(["x"], [0, 1], name)


def test_numbers_sort_as_numbers():
    assert in_order([10, 9, 9, 2]) == (2, 9, 10)


def test_one_data_frame_has_the_same_classes_in_every_file(tmp_path: Path):
    frame = pd.DataFrame({"text": ["a", "b", "c"], "label": [0.0, 1.0, 10.0]})
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.astype({"label": int}).to_csv(tmp_path / "b.csv", index=False)
    frame.to_csv(tmp_path / "c.tsv", index=False, sep="\t")
    frame.to_parquet(tmp_path / "d.parquet")
    (tmp_path / "e.jsonl").write_text("".join(json.dumps(row) + "\n" for row in frame.to_dict("records")))
    for file in sorted(tmp_path.iterdir()):
        table = read_table(file)
        assert table["label"].to_pylist() == ["0", "1", "10"], file
        assert typed_labels(table) == ([0, 1, 10] if file.suffix in (".parquet", ".jsonl") else ["0", "1", "10"])
    assert table_notes(read_table(tmp_path / "a.csv")) == [
        "all labels are whole numbers, and those that end in .0 are read without it"
    ]
    assert not table_notes(read_table(tmp_path / "b.csv"))


def test_codes_that_are_no_numbers_stay(tmp_path: Path):
    (tmp_path / "a.csv").write_text("text,label\na,007\nb,1.0\nc,1.5\n")
    assert read_table(tmp_path / "a.csv")["label"].to_pylist() == ["007", "1.0", "1.5"]


@pytest.mark.parametrize("ending", ["csv", "tsv"])
def test_a_header_that_stands_again_is_left_out(tmp_path: Path, ending: str):
    mark = "," if ending == "csv" else "\t"
    lines = ["text,label", "one,x", "\ufefftext,label", "two,y", "text,label"]
    (tmp_path / f"a.{ending}").write_text("\n".join(lines).replace(",", mark) + "\n")
    table = read_table(tmp_path / f"a.{ending}")
    assert table["text"].to_pylist() == ["one", "two"]
    (note,) = inspect_table(table).notes
    assert note.endswith("the header stands again in line 3, 5, which is left out")


def test_labels_of_parquet_and_folders(tmp_path: Path):
    pq.write_table(pa.table({"text": ["s", "t"], "label": ["the\u0301", "th\u00e9"]}), tmp_path / "train.parquet")
    pq.write_table(pa.table({"text": ["u"], "label": ["nan"]}), tmp_path / "test.parquet")
    table = read_table(tmp_path)
    assert sorted(table["label"].drop_null().to_pylist()) == ["thé", "thé"]
    assert table["label"].null_count == 1
    assert len(table_notes(table)) == 1


SHAPES = {
    "numbers with a comma": (
        ["0,00", "0,33", "1,00", "0,33"] * 3,
        "look like numbers with a comma, such as '0,00': write 0.00",
    ),
    "labels joined by a comma": (["10,20", "20", "10"] * 3, "look like several in one, such as '10,20'"),
    "ratings with fractions": ([str(i / 2) for i in range(8)] * 2, "look like numbers (8 different ones from 0 to 3.5"),
    "prices": ([str(i * i) for i in range(12)] * 2, "look like numbers"),
    "answers": ([f"an answer of some words, number {i}" for i in range(12)], "12 of 12 labels stand once"),
    "bars": (["a|b", "a", "b", "b|c", "c"] * 2, "several in one, such as 'a|b'"),
    "commas": (["red, blue", "blue", "red", "green"] * 3, "several in one, such as 'red, blue' (3 rows"),
    "lists": (['["red", "blue"]', '["blue"]', "[]"] * 3, "several in one"),
}
CLASSES = {
    "a few words": ["billing", "technical"] * 6,
    "numbers of classes": [str(i) for i in range(77)] * 2,
    "stars": ["1", "2", "3", "4", "5"] * 2,
    "one of each": ["a", "b", "c"],
    "a comma of its own": ["Computers, Internet", "Business, Finance", "Sports"] * 5,
}


@pytest.mark.parametrize("kind", SHAPES)
def test_labels_that_look_like_no_classes(kind):
    labels, says = SHAPES[kind]
    (note,) = shape_notes(labels)
    assert says in note
    assert "each distinct label is one" in note


@pytest.mark.parametrize("kind", CLASSES)
def test_classes_are_not_noted(kind):
    assert not shape_notes(CLASSES[kind])
