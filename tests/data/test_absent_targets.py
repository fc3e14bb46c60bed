"""What says that a value is absent, from Python and from files: no label of several, no answer in files, else a gap."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.targets import TARGETS, seconds

from metaglot import MetaglotError
from metaglot.choices import FAMILIES
from metaglot.data.answers import Answer
from metaglot.data.readers import read_table
from metaglot.data.target_facts import look_of
from metaglot.data.task_kind import cells_of
from metaglot.families.targets import targets_of

PYTHON: dict[str, Any] = {
    "None": None,
    "nan": math.nan,
    "numpy's nan": np.float32("nan"),
    "NaT": pd.NaT,
    "NA": pd.NA,
    "an empty string": "",
    "white space": " ",
    "nan in words": "NaN",
    "NA in words": "<NA>",
}
FILES: dict[str, Any] = {
    "a.csv": "",
    "b.csv": "nan",
    "c.csv": "<NA>",
    "a.tsv": "",
    "a.jsonl": None,
    "b.jsonl": math.nan,
    "c.jsonl": "",
    "d.jsonl": "nan",
    "a.json": None,
    "a.parquet": None,
    "b.parquet": math.nan,
}


WORDS = {("question-answering", name) for name in ("b.csv", "c.csv", "d.jsonl")}
"""Files whose words would be an answer, so that they must stand in the passage."""


def known(kind: str) -> list[Any]:
    """Three targets, as files have them; none of them is empty."""
    if kind in ("tagging", "question-answering"):
        return [FAMILIES[kind]().plain(one) for one in TARGETS[kind] if one][:3]
    if kind == "choice":
        return [FAMILIES[kind]().plain(one) for one in TARGETS[kind]][:3]
    return [sorted(one) if isinstance(one, set) else one for one in TARGETS[kind] if one != set()][:3]


def write(path: Path, targets: list[Any], pairs: list[str] | None = None) -> Path:
    rows = [{"text": f"text {i} and more", "label": target} for i, target in enumerate(targets)]
    if pairs:
        rows = [{**row, "text_pair": pair} for row, pair in zip(rows, pairs, strict=True)]
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pandas(pd.DataFrame(rows)), path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows), "utf-8")
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(map(json.dumps, rows)), "utf-8")
    else:
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.DictWriter(out, list(rows[0]), delimiter="\t" if path.suffix == ".tsv" else ",")
            writer.writeheader()
            writer.writerows({**row, "label": cell(row["label"])} for row in rows)
    return path


def cell(target: Any) -> Any:
    """A target as a cell of csv: labels joined, spans and answers in JSON."""
    if isinstance(target, dict):
        return json.dumps(target)
    if not isinstance(target, list):
        return target
    return "|".join(target) if isinstance(target[0], str) else json.dumps(target)


@pytest.mark.parametrize(
    ("kind", "absent"),
    [(kind, one) for kind in TARGETS for one in PYTHON if kind != "question-answering" or type(PYTHON[one]) is not str],
)
def test_python_says_that_a_target_is_absent(kind, absent):
    targets, notes = FAMILIES[kind]().read([*known(kind), PYTHON[absent]], lambda row: f"label number {row + 1}")
    assert targets[3] == (frozenset() if kind == "multilabel" else None)
    assert None not in targets[:3]
    assert ("1 of 4 texts have no label" in " ".join(notes)) == (kind == "multilabel")


def test_of_answers_a_string_is_one_and_an_empty_one_is_none():
    family, name = FAMILIES["question-answering"](), "label number {}".format
    assert family.read(["NaN", "<NA>", ""], name).targets == [Answer("NaN"), Answer("<NA>"), Answer()]
    with pytest.raises(MetaglotError, match="an answer has letters or digits"):
        family.read([" "], name)


@pytest.mark.parametrize(
    ("kind", "name"),
    [(kind, name) for kind in TARGETS for name in FILES if (kind, name) not in WORDS],
)
def test_a_file_says_it_and_the_same_is_read(kind, name, tmp_path):
    absent = FILES[name]
    if kind in ("multilabel", "question-answering") and name == "b.parquet":
        absent = None  # a list, or a structure, cannot be NaN in Parquet
    table = read_table(write(tmp_path / name, [*known(kind), absent], seconds(kind, 4)), cells=cells_of(kind))
    read = targets_of(table, FAMILIES[kind](), source=name)
    assert read.targets[3] == {"multilabel": frozenset(), "question-answering": Answer()}.get(kind)
    assert None not in read.targets[:3]
    if kind == "multilabel":
        look = look_of(kind)
        assert look is not None
        noted = look(table["label"].to_pylist(), str).notes
        assert "1 of 4 texts have no label" in " ".join(noted)


@pytest.mark.parametrize("own", [[1, 20], (1, 20), {1, 20}, [1.0, 20.0], np.array([1, 20]), [np.int64(1), "20"]])
def test_whole_numbers_are_names_of_labels_in_python_as_in_files(own, tmp_path):
    family, name = FAMILIES["multilabel"](), "label number {}".format
    assert family.read([own, ["3"], 3, "3"], name).targets == [{"1", "20"}, {"3"}, {"3"}, {"3"}]
    plain = sorted(map(int, own))
    table = read_table(write(tmp_path / "a.jsonl", [plain, [3]]), cells="several")
    assert targets_of(table, family).targets == [{"1", "20"}, {"3"}]


@pytest.mark.parametrize("own", [[1.5], [True], [None], [math.nan], [""], 1.5, True])
def test_what_is_no_name_is_refused_in_python_and_in_files(own, tmp_path):
    family = FAMILIES["multilabel"]()
    with pytest.raises(MetaglotError, match="label number 2"):
        family.read([["a"], own], lambda row: f"label number {row + 1}")
    rows = [own, own] if not isinstance(own, list) else [["a"], own]
    with pytest.raises(MetaglotError, match="label"):
        targets_of(read_table(write(tmp_path / "a.jsonl", rows), cells="several"), family)


def test_rows_of_zeros_and_ones_are_refused_with_the_way_out(tmp_path):
    family, matrix = FAMILIES["multilabel"](), [[0, 1, 0], [1, 0, 1]]
    for values in (matrix, list(np.array(matrix)), [[False, True, False], [True, False, True]]):
        with pytest.raises(MetaglotError, match=r"label number 1 is .*: zeros and ones, .* give the names"):
            family.read(values, lambda row: f"label number {row + 1}")
    with pytest.raises(MetaglotError, match=r"a\.jsonl, line 1: label is \[0, 1, 0\]: zeros and ones"):
        read_table(write(tmp_path / "a.jsonl", matrix), cells="several")
    assert family.read([[0], [1], [0, 1]], str).targets == [{"0"}, {"1"}, {"0", "1"}]
