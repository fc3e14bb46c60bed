"""What kind of task the labels of a file look like, and the cells that hold several labels or a number."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaglot.data.form import answered
from metaglot.data.labels import label_kind, table_notes
from metaglot.data.readers import read_table
from metaglot.data.task_kind import cells_of, task_of
from metaglot.errors import MetaglotError

TEXTS = ["The kettle leaks", "My train was late", "The lamp flickers", "We missed the ferry"]
SETS = [["house", "water"], ["travel"], [], ["travel", "water"]]


def jsonl(path: Path, labels: list[Any]) -> Path:
    rows = [{"text": text, "label": label} for text, label in zip(TEXTS, labels, strict=False)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def csv(path: Path, labels: list[str]) -> Path:
    path.write_text("text,label\n" + "\n".join(f"t{n},{label}" for n, label in enumerate(labels)), encoding="utf-8")
    return path


def labels_of(file: Path, task: str | None = None) -> list[str | None]:
    return read_table(file, cells=cells_of(task))["label"].to_pylist()


def test_lists_are_lists_of_json_in_every_format(tmp_path: Path) -> None:
    expected = [json.dumps(one) for one in SETS]
    files = [jsonl(tmp_path / "a.jsonl", SETS), tmp_path / "a.json", tmp_path / "a.parquet", tmp_path / "saved"]
    files[1].write_text(json.dumps([{"text": t, "label": y} for t, y in zip(TEXTS, SETS, strict=True)]))
    pq.write_table(pa.table({"text": TEXTS, "label": SETS}), files[2])
    datasets = pytest.importorskip("datasets")
    names = datasets.ClassLabel(names=["house", "water", "travel"])
    numbers = [[names.str2int(label) for label in one] for one in SETS]
    features = datasets.Features({"text": datasets.Value("string"), "label": datasets.Sequence(names)})
    datasets.Dataset.from_dict({"text": TEXTS, "label": numbers}, features=features).save_to_disk(str(files[3]))
    for file in files:
        for task in (None, "multilabel"):
            table = read_table(file, cells=cells_of(task))
            assert table["label"].to_pylist() == expected, file
            assert task_of(table) == "multilabel"
        with pytest.raises(MetaglotError, match="task multilabel"):
            read_table(file)


def test_a_label_beside_lists_is_a_list_of_one(tmp_path: Path) -> None:
    file = jsonl(tmp_path / "a.jsonl", [["house"], "travel", None, ""])
    assert labels_of(file) == ['["house"]', '["travel"]', None, None]


@pytest.mark.parametrize("wrong", [["a", None], ["a", 1.5], ["a", ["b"]], ["a", ""], [{"b": 1}]])
def test_what_is_no_label_in_a_list_is_refused_with_its_line(tmp_path: Path, wrong: list[Any]) -> None:
    with pytest.raises(MetaglotError, match=r"a\.jsonl, line 2: label has .*among its labels"):
        labels_of(jsonl(tmp_path / "a.jsonl", [["a"], wrong]))


LOOKS: dict[str, tuple[list[Any], str]] = {
    "words": (["a", "b", "a"], "classification"),
    "whole numbers": ([1, 5, 3], "classification"),
    "truth values": ([True, False, True], "classification"),
    "numbers with fractions": ([1.5, 2, 3], "regression"),
    "two of them": ([0.5, 1.5, 0.5], "regression"),
    "absent": ([None, None], "classification"),
    "lists": ([["a"], [], ["b"]], "multilabel"),
}


@pytest.mark.parametrize(("labels", "task"), LOOKS.values(), ids=LOOKS)
def test_the_look_of_typed_labels(tmp_path: Path, labels: list[Any], task: str) -> None:
    assert task_of(read_table(jsonl(tmp_path / "a.jsonl", labels), cells="look")) == task


TEXTUAL: dict[str, tuple[list[str], str]] = {
    "words": (["a", "b"], "classification"),
    "joined": (["a|b", "b", "a|b"], "classification"),  # a note names the task
    "whole numbers": (["1", "2", "3"], "classification"),
    "versions": (["1.0", "1.5"], "classification"),
    "fractions": (["1.5", "2", "4.25"], "regression"),
    "no numbers": (["1.5", "2", "4.25", "many"], "classification"),
    "lists": (['"[""a"", ""b""]"', "[]"], "multilabel"),
    "lists of Python": (["\"['a', 'b']\"", "[]"], "multilabel"),  # as pandas writes them
    "no lists": (["[a]", "[b]"], "classification"),
}


@pytest.mark.parametrize(("labels", "task"), TEXTUAL.values(), ids=TEXTUAL)
def test_the_look_of_a_csv(tmp_path: Path, labels: list[str], task: str) -> None:
    assert task_of(read_table(csv(tmp_path / "a.csv", labels), cells="look")) == task


def test_every_kind_is_a_family() -> None:
    known = {None: "look", "classification": "one", "multilabel": "several", "regression": "number", "ordinal": "one"}
    assert {task: cells_of(task) for task in known} == known
    with pytest.raises(MetaglotError, match=r"unknown task 'ordnal'.*did you mean 'ordinal'"):
        cells_of("ordnal")


def test_numbers_keep_all_their_digits(tmp_path: Path) -> None:
    numbers = [0.1 + 0.2, 1e-300, 123456789.123456789, -2.0]
    file = jsonl(tmp_path / "a.jsonl", numbers)
    assert [float(one or "nan") for one in labels_of(file, "regression")] == numbers


def test_a_folder_with_lists_in_one_file_holds_lists(tmp_path: Path) -> None:
    jsonl(tmp_path / "train.jsonl", SETS)
    jsonl(tmp_path / "test.jsonl", ["house", "water"])
    table = read_table(tmp_path, cells="look")
    assert (task_of(table), label_kind(table)) == ("multilabel", "list of labels")


# Exports of annotation tools


def studio(*people: list[list[str]]) -> dict[str, Any]:
    """A task of Label Studio: for each text, what each person chose."""
    results = [[{"from_name": "q", "type": "choices", "value": {"choices": one}}] if one else [] for one in people[0]]
    return {"data": {"text": "t"}, "annotations": [{"result": result} for result in results]}


def rated(*people: float) -> dict[str, Any]:
    results = [[{"from_name": "q", "type": "rating", "value": {"rating": one}}] for one in people]
    return {"data": {"text": "t"}, "annotations": [{"result": result} for result in results]}


def test_an_export_gives_the_labels_that_most_people_chose(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    chosen = [[["a", "b"]], [["a"]], [[]], [["a", "b"], ["a"], ["a", "c"]], []]
    file.write_text(json.dumps([studio(one) for one in chosen]))
    table = read_table(file, cells="several")
    assert table["label"].to_pylist() == ['["a", "b"]', '["a"]', "[]", '["a"]', None]
    assert answered(table).num_rows == 4
    assert "1 of 5 rows have no label" in table_notes(table)[0]
    assert "disagree about 1 of 5 rows, which have the labels of the majority" in table_notes(table)[1]
    assert labels_of(file) == read_table(file)["label"].to_pylist() == [None, "a", None, None, None]


def test_an_export_without_any_single_label_is_one_of_several(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps([studio([["a", "b"]]), studio([["a", "c"]]), studio([[]])]))
    table = read_table(file, cells="look")
    assert (table["label"].to_pylist(), task_of(table)) == (['["a", "b"]', '["a", "c"]', "[]"], "multilabel")
    with pytest.raises(MetaglotError, match="task multilabel"):
        read_table(file)


def test_the_ratings_of_people_are_averaged(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text(json.dumps([rated(3, 4), rated(5), rated(1, 1, 2), rated()]))
    table = read_table(file, cells="number")
    assert table["label"].to_pylist() == ["3.5", "5.0", str(4 / 3), None]
    assert "disagree about 2 of 4 rows, which have the mean" in table_notes(table)[1]
    assert labels_of(file) == [None, "5", "1", None]  # by the look they are whole numbers: classes


CHOSEN = (["a", "b"], ["a"], [])
TOOLS: dict[str, list[Any]] = {
    "doccano.jsonl": [{"id": 1, "text": "t", "label": one} for one in CHOSEN],
    "prodigy.jsonl": [{"text": "t", "options": [], "accept": one, "answer": "accept"} for one in CHOSEN],
    "argilla.jsonl": [{"fields": {"text": "t"}, "responses": {"q": [{"value": one}]}} for one in CHOSEN],
}


@pytest.mark.parametrize("name", TOOLS)
def test_each_tool_gives_several_labels(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_text("\n".join(map(json.dumps, TOOLS[name])))
    none = None if name.startswith("doccano") else "[]"  # doccano writes [] of texts that nobody looked at too
    assert labels_of(file, "multilabel") == ['["a", "b"]', '["a"]', none]
    assert labels_of(file) == [None, "a", None]


def test_lines_of_fasttext_give_several_labels(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_text("__label__a __label__b one\n__label__a two\n")
    assert labels_of(file, "multilabel") == ['["a", "b"]', '["a"]']
