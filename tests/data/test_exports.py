"""Exports of annotation tools: texts and answers are read, and what is no answer is counted."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaglot.data.columns import parse_columns
from metaglot.data.form import answered, form_of
from metaglot.data.labels import table_notes
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError

TEXTS = ["The kettle leaks", "My train was late", "The lamp flickers", "We missed the ferry"]
LABELS = ["house", "travel", "house", "travel"]
PAIRS = list(zip(TEXTS, LABELS, strict=True))


def choices(*labels: str, question: str = "topic") -> dict[str, Any]:
    return {"from_name": question, "to_name": "text", "type": "choices", "value": {"choices": list(labels)}}


def task(text: str, *people: Sequence[str], **more: Any) -> dict[str, Any]:
    return {"data": {"text": text}, "annotations": [{"result": [choices(*one)], **more} for one in people]}


def response(*values: Any, status: str = "submitted") -> dict[str, Any]:
    return {"label": [{"value": value, "user_id": str(n), "status": status} for n, value in enumerate(values)]}


def write(path: Path, value: Any) -> Path:
    lines = path.suffix == ".jsonl"
    path.write_text("\n".join(map(json.dumps, value)) if lines else json.dumps(value), encoding="utf-8")
    return path


YAML = """version: "3.1"
nlu:
- intent: house
  examples: |
    - The kettle leaks
    - The [lamp](thing) flickers
- lookup: thing
  examples: |
    - lamp
- intent: travel
  examples: |
    - My train was late
    - We missed the [ferry]{"entity": "ship"}
"""
SPLIT = {"columns": ["text", "label"], "index": [0, 1, 2, 3], "data": [list(pair) for pair in PAIRS]}
RECORDS = [{"text": text, "label": label} for text, label in PAIRS]
COLUMNS = {name: {str(i): one[name] for i, one in enumerate(RECORDS)} for name in ("text", "label")}
WHOLE: list[tuple[str, Any, str]] = [  # name, content, format
    ("studio.json", [task(text, [label]) for text, label in PAIRS], "Label Studio"),
    ("doccano.jsonl", [{"id": 1, "text": t, "label": [y], "Comments": []} for t, y in PAIRS], "doccano"),
    ("older.jsonl", [{"id": 1, "data": t, "label": [y]} for t, y in PAIRS], "doccano"),
    ("argilla.json", [{"fields": {"text": t}, "responses": response(y)} for t, y in PAIRS], "Argilla"),
    ("named.json", [{"fields": {"review": t}, "responses": {"q": response(y)["label"]}} for t, y in PAIRS], "Argilla"),
    ("prodigy.jsonl", [{"text": t, "label": y, "_view_id": "c", "answer": "accept"} for t, y in PAIRS], "Prodigy"),
    ("choice.jsonl", [{"text": t, "options": [], "accept": [y], "answer": "accept"} for t, y in PAIRS], "Prodigy"),
    ("rasa.json", {"rasa_nlu_data": {"common_examples": [{"text": t, "intent": y} for t, y in PAIRS]}}, "Rasa"),
    ("split.json", SPLIT, "json (orient split)"),
    ("records.json", RECORDS, "json"),
    ("columns.json", COLUMNS, "json (orient columns)"),
    ("index.json", {str(i): one for i, one in enumerate(RECORDS)}, "json (orient index)"),
    ("wrapped.json", {"data": RECORDS}, "json (the list 'data' within it)"),
    ("lines.jsonl", RECORDS, "json lines"),
]


@pytest.mark.parametrize(("name", "content", "form"), WHOLE, ids=[one[0] for one in WHOLE])
def test_each_form_gives_the_texts_and_labels(tmp_path: Path, name: str, content: Any, form: str) -> None:
    table = read_table(write(tmp_path / name, content))
    assert table["text"].to_pylist() == TEXTS
    assert table["label"].to_pylist() == LABELS
    assert form_of(table).name == form
    assert table_notes(table) == []


def test_pandas_writes_what_is_read(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(RECORDS)
    for orient in ("columns", "split", "records", "index", "table"):
        frame.to_json(tmp_path / "a.json", orient=orient)
        table = read_table(tmp_path / "a.json")
        assert (table["text"].to_pylist(), table["label"].to_pylist()) == (TEXTS, LABELS), orient
    frame.to_json(tmp_path / "a.json", orient="values")
    table = read_table(tmp_path / "a.json", mapping=parse_columns(["text=1,label=2"]))
    assert (table["text"].to_pylist(), table["label"].to_pylist()) == (TEXTS, LABELS)
    frame.to_json(tmp_path / "a.json", orient="records", lines=True)
    assert read_table(tmp_path / "a.json")["text"].to_pylist() == TEXTS
    frame.T.to_json(tmp_path / "a.json")  # rows and columns exchanged
    assert read_table(tmp_path / "a.json")["label"].to_pylist() == LABELS


def test_argilla_in_parquet(tmp_path: Path) -> None:
    answers = [["house"], ["travel"], ["house", "travel", "house"], ["travel"]]
    status = [["submitted"]] * 2 + [["submitted"] * 3, ["discarded"]]
    columns = {
        "text": TEXTS,
        "label.responses": answers,
        "label.responses.users": answers,
        "label.responses.status": status,
    }
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    for mapping in (None, {"label": "label.responses"}):
        table = read_table(tmp_path / "a.parquet", mapping=mapping)
        assert table["text"].to_pylist() == TEXTS
        assert table["label"].to_pylist() == ["house", "travel", "house", None]
        assert "1 of 4 rows have no label and are not learnt from: 1 without an answer" in table_notes(table)[0]
        assert "disagree about 1 of 4 rows" in table_notes(table)[1]


def test_rasa_yaml(tmp_path: Path) -> None:
    (tmp_path / "nlu.yml").write_text(YAML, encoding="utf-8")
    table = read_table(tmp_path / "nlu.yml")
    assert table["text"].to_pylist() == [TEXTS[0], TEXTS[2], TEXTS[1], TEXTS[3]]
    assert table["label"].to_pylist() == ["house", "house", "travel", "travel"]
    assert form_of(table).name == "Rasa"


def test_fasttext(tmp_path: Path) -> None:
    lines = [*(f"__label__{y} {t}" for t, y in PAIRS), "__label__house __label__travel A lamp on the train"]
    (tmp_path / "a.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    table = read_table(tmp_path / "a.txt")
    assert table["text"].to_pylist() == [*TEXTS, "A lamp on the train"]
    assert table["label"].to_pylist() == [*LABELS, None]
    assert "1 with several labels" in table_notes(table)[0]
    assert answered(table).num_rows == 4


def test_answers_of_prodigy_count(tmp_path: Path) -> None:
    answers = ["accept", "accept", "reject", "ignore"]
    content = [{"text": t, "label": y, "_view_id": "c", "answer": a} for (t, y), a in zip(PAIRS, answers, strict=True)]
    table = read_table(write(tmp_path / "a.jsonl", content))
    assert table["label"].to_pylist() == ["house", "travel", None, None]
    assert "2 of 4 rows have no label and are not learnt from: 1 rejected, 1 ignored" in table_notes(table)[0]
    asked = read_table(tmp_path / "a.jsonl", mapping={"label": "answer"})
    assert (asked["label"].to_pylist(), table_notes(asked)) == (answers, [])


def test_one_label_of_prodigy_and_its_rejection_are_two_classes(tmp_path: Path) -> None:
    answers = ["accept", "reject", "accept", "ignore"]
    content = [{"text": t, "label": "house", "_view_id": "c", "answer": a} for t, a in zip(TEXTS, answers, strict=True)]
    table = read_table(write(tmp_path / "a.jsonl", content))
    assert table["label"].to_pylist() == ["house", "not house", "house", None]
    assert "'not house'" in table_notes(table)[0]


def test_people_who_disagree_and_tasks_without_an_answer(tmp_path: Path) -> None:
    tasks = [
        task(TEXTS[0], ["house"], ["house"], ["travel"]),
        task(TEXTS[1], ["travel"], ["house"]),
        task(TEXTS[2], ["house", "travel"]),
        task(TEXTS[3]),
        task("The bus broke down", ["travel"], was_cancelled=True),
        task("The roof is wet", ["house"]),
    ]
    table = read_table(write(tmp_path / "a.json", tasks))
    assert table["label"].to_pylist() == ["house", None, None, None, None, "house"]
    notes = " ".join(table_notes(table))
    assert "4 of 6 rows" in notes
    for part in ("2 without an answer", "1 with several labels", "1 on which people disagree evenly", "about 1 of 6"):
        assert part in notes


def test_several_questions_are_columns(tmp_path: Path) -> None:
    tasks = [
        {"data": {"body": t}, "annotations": [{"result": [choices(y), choices("low", question="urgency")]}]}
        for t, y in PAIRS
    ]
    path = write(tmp_path / "a.json", tasks)
    table = read_table(path)
    assert "label" not in table.column_names
    assert "several questions ('topic', 'urgency')" in table_notes(table)[0]
    named = read_table(path, mapping={"label": "topic", "text": "body"})
    assert (named["text"].to_pylist(), named["label"].to_pylist()) == (TEXTS, LABELS)


SPAN = {"from_name": "label", "type": "labels", "value": {"start": 0, "end": 2, "labels": ["x"]}}
BAD: list[tuple[str, str, str]] = [  # name, content, what the message says
    ("spans.json", json.dumps([{"data": {"text": "a"}, "annotations": [{"result": [SPAN]}]}]), "marks parts of texts"),
    ("spans.jsonl", '{"id": 1, "text": "a", "label": [[0, 1, "x"]]}', "marks parts of texts"),
    ("ner.jsonl", '{"text": "a", "spans": [], "_view_id": "ner", "answer": "accept"}', "spans"),
    ("many.jsonl", '{"id": 1, "text": "a", "label": ["x", "y"]}', "no text has one label"),
    ("settings.yml", "seed: 1\n", "without a list called nlu"),
    ("empty.yml", "nlu:\n- intent: x\n", "item 1 of nlu"),
    ("broken.yml", "nlu: [\n", "not valid YAML"),
    ("bomb.yml", "a: &a [x, x]\nb: &b {<<: [*b]}\n", "bomb.yml"),
    ("lists.json", '{"train": [{"text": "a"}], "test": [{"text": "b"}]}', "not a JSON file of rows"),
]


@pytest.mark.parametrize(("name", "content", "says"), BAD, ids=[one[0] for one in BAD])
def test_what_holds_no_classes_is_refused(tmp_path: Path, name: str, content: str, says: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with pytest.raises(MetaglotError) as caught:
        read_table(path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_an_empty_text_of_an_export_is_named_by_its_line(tmp_path: Path) -> None:
    content = [{"id": 1, "text": t, "label": [y], "Comments": []} for t, y in PAIRS]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, [*content, {"id": 2, "label": ["house"]}])), encoding="utf-8")
    with pytest.raises(MetaglotError, match="line 5: the text is missing"):
        read_table(path, mapping={"text": "text", "label": "id"})
