"""SQuAD, JSON: articles of paragraphs, each a passage with its questions and their answers.

{"data": [{"title": …, "paragraphs": [{"context": …, "qas": [{"id": …, "question": …, "answers": [{"text": …,
"answer_start": …}], "is_impossible": false}]}]}]}.  Plausible answers of questions without an answer are not read.
https://rajpurkar.github.io/SQuAD-explorer/
"""

import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from metaglot.data.columns import Pick, Raw
from metaglot.data.exports.answers import as_list, as_object
from metaglot.data.exports.recognise import raw_objects

_KEPT = ("id", "question", "answers", "is_impossible")


def squad(path: Path, pick: Pick, value: object, text: str) -> Raw | None:
    """Return the picked columns of a file of SQuAD, a row for each question; None for what is none.

    `text` is the file, in which an error finds its line.
    """
    rows = [dict(row) for row in _questions(as_list(as_object(value).get("data")))]
    if not rows:
        return None
    version = str(as_object(value).get("version", "")).removeprefix("v")
    form = f"SQuAD {version}" if version in ("1.1", "2.0") else "SQuAD"
    names = [_name(row, number) for number, row in enumerate(rows, start=1)]
    return raw_objects(path, pick, rows, partial(_where, path, text, names), form=form)


def _questions(articles: list[object]) -> Iterator[Mapping[str, object]]:
    """Yield the questions of all paragraphs, with title and passage."""
    for article in map(as_object, articles):
        title = {"title": article["title"]} if "title" in article else {}
        for paragraph in map(as_object, as_list(article.get("paragraphs"))):
            for question in map(as_object, as_list(paragraph.get("qas"))):
                kept = {name: question[name] for name in _KEPT if name in question}
                yield {**title, "context": paragraph.get("context"), **kept}


def _name(row: Mapping[str, object], number: int) -> tuple[str, int]:
    """Return what names a question within its file, as JSON, and its number."""
    return json.dumps(row.get("id", row.get("question")), ensure_ascii=False), number


def _where(path: Path, text: str, names: list[tuple[str, int]], row: int) -> str:
    name, number = names[row]
    at = text.find(name)
    line = "" if at < 0 else f", line {text.count(chr(10), 0, at) + 1}"
    return f"{path}{line} (question {number}, {name:.60})"
