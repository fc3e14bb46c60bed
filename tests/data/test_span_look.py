"""Sentences with spans are told from classes and several labels by their look, and `data inspect` tells of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.data.test_span_files import FORMS, GOLD, TAGS, TEXTS, TOKENS, found, rows, write

from metaglot.data.beside import read_whole
from metaglot.data.readers import read_table
from metaglot.data.task_kind import task_of

OTHERWISE = {"marks.txt": "classification", "rasa.yml": "classification", "rasa.json": "classification"}
"""Forms that are something else unasked: a few marks may be links, and Rasa's texts have intents."""


@pytest.mark.parametrize(("name", "content", "form"), FORMS, ids=[one[0] for one in FORMS])
def test_forms_of_spans_are_seen(tmp_path: Path, name: str, content: Any, form: str):
    table = read_table(write(tmp_path / name, content), cells="look")
    kind = OTHERWISE.get(name, "tagging")
    assert task_of(table) == kind
    if kind == "tagging":
        assert (table["text"].to_pylist(), found(table)) == (TEXTS, GOLD)


CLASSES: list[tuple[str, list[dict[str, Any]], str]] = [
    ("tokens and a class", rows(text=TEXTS, label=["a", "b", "a"], tokens=TOKENS, tags=TAGS), "classification"),
    ("spans and a class", rows(text=TEXTS, label=["a", "b", "a"], entities=[[[0, 1, "P"]]] * 3), "classification"),
    ("several labels", rows(text=TEXTS, label=[["a"], ["a", "b"], []], spans=[None] * 3), "multilabel"),
    ("three labels", rows(text=TEXTS, label=[["0", "3", "P"], ["a"], []]), "multilabel"),
    ("numbers", rows(text=TEXTS, label=[0.5, 1.5, 2.25], labels=[[]] * 3), "regression"),
]  # fmt: skip


@pytest.mark.parametrize(("content", "kind"), [one[1:] for one in CLASSES], ids=[one[0] for one in CLASSES])
def test_other_kinds_stay_what_they_are(tmp_path: Path, content: list[dict[str, Any]], kind: str):
    table = read_table(write(tmp_path / "a.jsonl", content), cells="look")
    assert task_of(table) == kind
    assert table["text"].to_pylist() == TEXTS


@pytest.mark.parametrize(
    ("lines", "spans"),
    [
        (["[Ann](PER) left", "[Bo](PER) met [Ida](PER)", "rain", "to [Oslo](LOC)", "in [Rome](LOC)"], 5),
        (["[Ann](PER) left", "rain", "sun", "[Bo](PER)", "[Ida](PER)", "[Eva](PER)", "snow", "fog", "ice"], 0),
        (["[a](x.org) b", "[c](y.org) d", "[e](z.org) f", "[g](w.org) h"], 0),
        (["[a](1) b", "[c](2) d", "[e](1) f", "[g](2) h"], 0),
        (["[a](http://x.org)", "[b](http://x.org)", "[c](http://x.org)", "[d](http://x.org)"], 0),
    ],
)
def test_marks_are_seen_where_they_are_certain(tmp_path: Path, lines: list[str], spans: int):
    table = read_table(write(tmp_path / "a.txt", "\n".join(lines)), cells="look")
    assert not spans or sum(len(own or ()) for own in found(table)) == spans
    assert ("label" in table.column_names) == bool(spans)
    assert spans or table["text"].to_pylist() == lines


def test_a_look_tells_types_and_sentences(metaglot: Any, tmp_path: Path):
    path = write(tmp_path / "a.jsonl", rows(tokens=[*TOKENS, ["Ann", "left"]], tags=[*TAGS, ["I-PER", "O"]]))
    for asked in ((), ("--task", "tagging")):
        told = json.loads(metaglot("data", "inspect", path, "--json", *asked).out)
        assert (told["task"], told["rows"], told["form"]) == ("tagging", 4, "json lines")
        assert told["spans"] == {"n": 4, "mean_words": 1.25, "max_words": 2}
        assert told["sentences"] == {"n": 4, "without_spans": 1, "unknown": 0}
        assert [(one["label"], one["spans"], one["sentences"]) for one in told["types"]] == [
            ("PER", 3, 3),
            ("LOC", 1, 1),
        ]
        assert "1 tags of 1 sentences stand where IOB2 does not allow them" in told["notes"][0]
    shown = metaglot("data", "inspect", path).out
    assert "1.25 words on average, 2 at most" in shown
    assert "Bo Lee" in shown
    wrong = metaglot("data", "inspect", path, "--task", "classification")
    assert wrong.code == 2
    assert "no column 'text'" in wrong.err


def test_the_same_sentence_with_other_spans_is_pointed_out(metaglot: Any, tmp_path: Path):
    path = write(tmp_path / "a.jsonl", rows(text=["Ann left"] * 2, spans=[[[0, 3, "PER"]], [[0, 3, "LOC"]]]))
    assert "with unlike spans" in metaglot("data", "inspect", path).out


def test_a_file_of_tokens_is_kept_whole_beside_its_texts(tmp_path: Path):
    table, own = read_whole(write(tmp_path / "a.jsonl", rows(tokens=TOKENS, tags=TAGS)))
    assert (table["text"].to_pylist(), found(table)) == (TEXTS, GOLD)
    assert list(own) == ["tokens", "tags", "text"]
    assert (list(own["tokens"]), own["text"].to_pylist()) == (TOKENS, TEXTS)  # pyright: ignore
    table, own = read_whole(
        write(tmp_path / "a.conll", next(content for name, content, _ in FORMS if name == "a.conll"))
    )
    assert (table["text"].to_pylist(), list(own)) == (TEXTS, ["text"])


def test_texts_that_stand_beside_predictions_are_without_marks(tmp_path: Path):
    lines = ["id,body", "1,[Ann](PER) left", "2,[Bo](PER) and [Ida](PER)", "3,a \\[b\\] [Eve](PER)"]
    table, own = read_whole(write(tmp_path / "a.csv", "\n".join(lines)), mapping={"text": "body"})
    assert list(own["body"]) == table["text"].to_pylist() == ["Ann left", "Bo and Ida", "a [b] Eve"]
    assert list(own["id"]) == ["1", "2", "3"]
