"""Files of questions and passages: each form gives the same answers, and what is wrong is named with its line."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaglot.choices import FAMILIES
from metaglot.data.answer_columns import ANSWERING
from metaglot.data.answer_facts import answer_facts
from metaglot.data.answers import NO_ANSWER, Answer, answer_in
from metaglot.data.form import form_of
from metaglot.data.inspect import inspect_table
from metaglot.data.labels import ANSWERS, label_kind, table_notes
from metaglot.data.readers import read_table
from metaglot.data.task_kind import task_of
from metaglot.errors import MetaglotError

PASSAGES = ["Ann is in Oslo, said Bob", "It rains"]
QUESTIONS = ["Where is Ann?", "Who said so?", "Who is in Rome?"]
OWN = [0, 0, 1]  # the passage of each question
GOLD = [Answer("Oslo", 10, 14, also=("in Oslo",)), Answer("Bob", 21, 24), NO_ANSWER]
SINGLE = [Answer("Oslo", 10, 14), *GOLD[1:]]
LISTS = [([one.text, *one.also], [one.start, *[7] * len(one.also)]) if one else ([], []) for one in GOLD]
NESTED = [{"text": texts, "answer_start": starts} for texts, starts in LISTS]
OBJECTS = [[{"text": t, "answer_start": s} for t, s in zip(*one, strict=True)] for one in LISTS]


def qas(version: str) -> list[dict[str, Any]]:
    items = [{"id": f"q{i}", "question": q, "answers": OBJECTS[i]} for i, q in enumerate(QUESTIONS)]
    if version == "v2.0":
        items = [one | {"is_impossible": not one["answers"]} for one in items]
        items[2]["plausible_answers"] = [{"text": "It", "answer_start": 0}]
    return items


def squad(version: str, items: list[dict[str, Any]] | None = None) -> str:
    items = items or qas(version)
    paragraphs = [{"context": PASSAGES[0], "qas": items[:2]}, {"qas": items[2:], "context": PASSAGES[1]}]
    return json.dumps({"version": version, "data": [{"title": "Oslo", "paragraphs": paragraphs}]}, indent=1)


def rows(**columns: Any) -> list[dict[str, Any]]:
    columns = {"question": QUESTIONS, "context": [PASSAGES[own] for own in OWN], **columns}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def lines(items: list[dict[str, Any]]) -> str:
    return "\n".join(map(json.dumps, items))


def table(items: list[dict[str, Any]]) -> str:
    cells = ['","'.join(str("" if v is None else v).replace('"', '""') for v in row.values()) for row in items]
    return "\n".join([",".join(items[0]), *(f'"{row}"' for row in cells)])


TEXTS, STARTS = [one.text for one in GOLD], [one.start for one in GOLD]


def studio(marks: str = "labels") -> str:
    """Return the questions as Label Studio exports them: marked by two people who agree; nobody looked at the last."""
    tasks: list[dict[str, Any]] = []
    for question, own, one in zip(QUESTIONS, OWN, SINGLE, strict=True):
        value = {"start": one.start, "end": one.end, "text": one.text, "labels": ["Answer"]}
        result = [{"type": marks, "from_name": "answer", "to_name": "text", "value": value}] if one else []
        data = {"question": question, "text": PASSAGES[own]}
        tasks.append({"id": len(tasks), "data": data, "annotations": [{"result": result}] * 2})
    return json.dumps([*tasks, {"id": 9, "data": {"question": "Why?", "text": PASSAGES[0]}, "annotations": []}])


FORMS: list[tuple[str, Any, list[Answer], str]] = [  # name, content, answers, what it is recognised as
    ("one.json", squad("1.1"), GOLD, "SQuAD 1.1"),
    ("two.json", squad("v2.0"), GOLD, "SQuAD 2.0"),
    ("flat.jsonl", lines(rows(answers=NESTED, title=["Oslo"] * 3)), GOLD, "json lines"),
    ("objects.json", json.dumps(rows(answers=OBJECTS)), GOLD, "json"),
    ("flat.parquet", rows(answers=NESTED), GOLD, "parquet"),
    ("own.parquet", rows(answer=TEXTS, answer_start=STARTS, domain=["news"] * 3), SINGLE, "parquet"),
    ("own.csv", table(rows(answer=TEXTS, answer_start=STARTS)), SINGLE, "csv with commas"),
    ("gaps.csv", table(rows(answer=TEXTS, answer_start=["10.0", "21.0", ""])), SINGLE, "csv with commas"),
    ("cells.csv", table(rows(answers=NESTED)), GOLD, "csv with commas"),
    ("plain.csv", table(rows(answer=TEXTS)), SINGLE, "csv with commas"),
    ("label.jsonl", lines(rows(label=TEXTS)), SINGLE, "json lines"),
    ("studio.json", studio(), SINGLE, "Label Studio"),
    ("lists.jsonl", lines(rows(answers=[one[0] for one in LISTS])), GOLD, "json lines"),
    (
        "marked.csv",
        table(rows(answer=["Oslo", "Bob", "rains"], is_impossible=[False, "no", True])),
        SINGLE,
        "csv with commas",
    ),
]


def write(path: Path, content: Any) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(content), path)
    else:
        path.write_text(content, "utf-8")
    return path


def answers_of(path: Path, **options: Any) -> list[Answer | None]:
    found = read_table(path, cells="answers", **options)
    assert label_kind(found) == ANSWERS
    assert found["text"].to_pylist() == QUESTIONS
    assert found["text_pair"].to_pylist() == [PASSAGES[own] for own in OWN]
    return [answer_in(cell, "row", PASSAGES[own]) for cell, own in zip(found["label"].to_pylist(), OWN, strict=True)]


@pytest.mark.parametrize(("name", "content", "gold", "form"), FORMS, ids=[one[0] for one in FORMS])
def test_each_form_gives_the_same_answers(tmp_path: Path, name: str, content: Any, gold: list[Answer], form: str):
    path = write(tmp_path / name, content)
    assert answers_of(path) == gold
    assert form_of(read_table(path, cells="answers")).name == form


def test_tasks_that_nobody_looked_at_are_left_out_and_odd_places_are_refused(tmp_path: Path):
    (note,) = table_notes(read_table(write(tmp_path / "a.json", studio()), cells="answers"))
    assert "1 of 4 rows are left out" in note
    with pytest.raises(MetaglotError, match="the place None to"):
        read_table(write(tmp_path / "b.json", studio().replace('"start"', '"begin"')), cells="answers")


def test_titles_are_domains_and_named_columns_win(tmp_path: Path):
    path = write(tmp_path / "a.json", squad("1.1"))
    assert read_table(path, cells="answers")["domain"].to_pylist() == ["Oslo"] * 3
    own = write(tmp_path / "b.csv", table(rows(title=["t"] * 3, domain=["d"] * 3, answer=TEXTS, lang=["en"] * 3)))
    found = read_table(own, cells="answers")
    assert (found["domain"].to_pylist(), found["lang"].to_pylist()) == (["d"] * 3, ["en"] * 3)
    assert read_table(own, cells="answers", mapping={"domain": "title"})["domain"].to_pylist() == ["t"] * 3
    odd = [{"q": r["question"], "body": r["context"], "a": r["answer"], "at": s}
           for r, s in zip(rows(answer=TEXTS), STARTS, strict=True)]  # fmt: skip
    names = {"text": "q", "text_pair": "body", "label": "a", "answer_start": "at"}
    assert answers_of(write(tmp_path / "c.csv", table(odd)), mapping=names) == SINGLE
    beside = [{"question": r["question"], "text": r["context"], "answer": r["answer"]} for r in rows(answer=TEXTS)]
    assert answers_of(write(tmp_path / "d.csv", table(beside))) == SINGLE


def test_questions_without_a_column_of_answers_are_read_for_predictions(tmp_path: Path):
    found = read_table(write(tmp_path / "a.jsonl", lines(rows())), cells="answers")
    assert found["text_pair"].to_pylist()[2] == "It rains"
    assert "label" not in found.column_names


def test_what_was_bent_is_noted(tmp_path: Path):
    wide = "𝕏 is in Oslo and in Oslo"
    items = [
        {"question": "a", "context": wide, "answers": {"text": ["Oslo"], "answer_start": [9]}},
        {"question": "b", "context": wide, "answers": {"text": [" Oslo "], "answer_start": [7]}},
        {"question": "c", "context": wide, "answers": {"text": ["Oslo"], "answer_start": [None]}},
        {"question": "d", "context": wide, "answers": None},
    ]
    found = read_table(write(tmp_path / "a.jsonl", lines(items)), cells="answers")
    assert [answer_in(cell, "row", wide) for cell in found["label"].to_pylist()] == [Answer("Oslo", 8, 12)] * 3 + [
        NO_ANSWER
    ]
    notes = table_notes(found)
    assert len(notes) == 4
    for note, words in zip(
        notes, ("1 answers had white", "1 answers count", "1 answers without", "1 questions have an"), strict=True
    ):
        assert note.startswith(words)


@pytest.mark.parametrize(
    ("text", "start"), [("[1]", 4), ("[2, 3]", None), ('["a"]', 22), ("{x}", 18), ("[]", -1), ('["Ann"]', 0)]
)
def test_an_answer_in_brackets_is_a_text_where_the_passage_has_it(tmp_path: Path, text: str, start: int | None):
    passage = 'Ann [1] is [2, 3] {x} ["a"]'
    item = {"question": "a", "context": passage, "answer": text, "answer_start": start}
    (cell,) = read_table(write(tmp_path / "a.jsonl", lines([item])), cells="answers")["label"].to_pylist()
    assert (answer_in(cell, "row", passage) or NO_ANSWER).text == {"[]": "", '["Ann"]': "Ann"}.get(text, text)


BAD: list[tuple[str, Any, list[str]]] = [
    ("a.json", squad("1.1", [*qas("1.1")[:2], {"id": "q9", "question": "x", "answers": [{"text": "Rome"}]}]),
     ['a.json, line 39 (question 3, "q9"): answer', "'Rome' does not stand in the passage 'It rains'"]),
    ("b.csv", table(rows(answer=TEXTS, answer_start=[10, 20, -1])), ["b.csv, line 3: answer: the", "'Bob'", "at 21"]),
    ("c.csv", table(rows(answer=TEXTS, answer_start=[10, "x", -1])), ["c.csv, line 3", "starts at 'x'"]),
    ("d.csv", table(rows(answer=TEXTS, answer_start=[-1, 21, -1])), ["d.csv, line 2", "'Oslo' and the start -1"]),
    ("e.jsonl", lines(rows(answers=[5, 6, 7])), ["e.jsonl, line 1: answer is 5"]),
    ("f.jsonl", lines(rows(answers=[{"text": ["a"], "answer_start": []}] * 3)), ["line 1", "1 texts and 0 starts"]),
    ("g.jsonl", lines(rows(answers=[{"txt": ["a"]}] * 3)), ["line 1", "has no key text"]),
    ("h.csv", table(rows(answer=TEXTS, is_impossible=["", "maybe", ""])), ["line 3", "is_impossible is 'maybe'"]),
    ("i.csv", "question,answer\nWho?,Bob", ["i.csv, line 2: no column has the passages", "--columns text_pair="]),
    ("j.jsonl", lines([{"question": "a", "context": None, "answer": "b"}]), ["line 1: the passage is None"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "content", "words"), BAD, ids=[one[0] for one in BAD])
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, name: str, content: Any, words: list[str]):
    with pytest.raises(MetaglotError) as error:
        read_table(write(tmp_path / name, content), cells="answers")
    assert all(word in str(error.value) for word in words), error.value


def test_columns_of_answers_are_of_their_task(tmp_path: Path):
    path = write(tmp_path / "a.csv", table(rows(answer=TEXTS)))
    with pytest.raises(MetaglotError, match="'answer_start' is read by the task question-answering alone"):
        read_table(path, mapping={"answer_start": "answer"})
    with pytest.raises(MetaglotError, match="no column 'text'"):
        read_table(path)


def test_the_look_at_answers(tmp_path: Path):
    found = read_table(write(tmp_path / "a.json", squad("v2.0")), cells="answers")
    facts = answer_facts(found["label"].to_pylist(), lambda row: f"row {row}")
    assert facts.targets == GOLD
    assert dict(facts.lines)["questions"] == "3, of which 1 have no answer (33.3 %)"
    assert facts.plain["questions"] == {"n": 3, "unanswerable": 1, "unknown": 0}
    assert facts.plain["answers"] == {"mean_words": 1.0, "max_words": 1, "with_several": 1}
    assert facts.notes == ["only 1 question has no answer; a few more tell when a passage has none"]
    seconds = inspect_table(found).to_json()["second_texts"]
    assert seconds == {"different": 2, "words": {"median": 4.0, "p95": pytest.approx(5.8), "max": 6}}
    assert "second_texts" not in inspect_table(found.drop_columns(["text_pair"])).to_json()
    assert task_of(found) == ANSWERING


@pytest.mark.skipif(ANSWERING not in FAMILIES, reason="the family is not there yet")
def test_files_are_recognised_by_their_look(tmp_path: Path):
    for name, content, gold, _ in FORMS[:7]:
        found = read_table(write(tmp_path / name, content), cells="look")
        assert [answer_in(cell, "row") for cell in found["label"].to_pylist()] == gold
        assert task_of(found) == ANSWERING
