"""Sets of pairs of texts for `benchmarks.pairs`: how two texts agree, and what they say together.

Some are labelled by people (rte, mrpc, qnli, answerable); others are made: a question and the sentence or passage that
answers it, an abstract and its summary, a dialogue and its next reply, or another of the same kind.  `topic` and
`sentiment` are single texts cut in two, and `conll` is about its second text: there nothing is to be had by how the
texts agree.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow.parquet as pq

from metaglot.seeds import generator

CLOSE = 20  # a wrong partner is one of so many that share the most words with the text
WORD = re.compile(r"\w+")


class PairRow(NamedTuple):
    """A pair of texts with its label."""

    first: str
    second: str
    label: str


def labelled(file: str) -> Callable[[Path, int], list[PairRow]]:
    """Return a reader of a set that people have labelled."""

    def read(root: Path, count: int) -> list[PairRow]:
        rows = [row for row in _rows(root / file) if row.get("part", "query") == "query"]
        return [PairRow(row["text"], row["text_pair"], str(row["label"])) for row in _some(rows, count, file)]

    return read


def partners(
    file: str, first: str, second: str, within: str | None = None, only: Mapping[str, str] | None = None
) -> Callable[[Path, int], list[PairRow]]:
    """Return a reader of pairs that belong together, of which half get a partner of another row.

    The other row is one of those that share the most words with the text; of the same value of the column `within`.
    """

    def read(root: Path, count: int) -> list[PairRow]:
        rows = [row for row in _rows(root / file) if all(row[name] == value for name, value in (only or {}).items())]
        rows = [row for row in rows if row[first].strip() and row[second].strip()]
        rng, every = (
            generator(0, "partners", file),
            sorted({(row[within] if within else "", row[second]) for row in rows}),
        )
        words = [_words(text) for _, text in every]
        found: list[PairRow] = []
        for number, row in enumerate(_some(rows, count, file)):
            if number % 2 == 0:
                found.append(PairRow(row[first], row[second], "yes"))
                continue
            own, group = _words(row[first]), row[within] if within else ""
            rank = [
                (len(own & words[i]) + float(rng.random()), text)
                for i, (of, text) in enumerate(every)
                if of == group and text != row[second]
            ]
            close = sorted(rank, reverse=True)[:CLOSE]
            if close:
                found.append(PairRow(row[first], close[int(rng.integers(len(close)))][1], "no"))
        return found

    return read


def answerable(root: Path, count: int) -> list[PairRow]:
    """Return questions on reviews, and whether the review has an answer."""
    rows = _some(
        [row for row in _rows(root / "qa" / "subjqa.parquet") if row["domain"] == "electronics"],
        count,
        "answerable",
    )
    return [PairRow(row["question"], row["context"], "yes" if row["answer"] else "no") for row in rows]


def halves(file: str) -> Callable[[Path, int], list[PairRow]]:
    """Return a reader of single texts that are cut in two in the middle."""

    def read(root: Path, count: int) -> list[PairRow]:
        found: list[PairRow] = []
        for row in _some([row for row in _rows(root / file) if row["text"].count(" ") > 5], count, file):
            words = row["text"].split(" ")
            middle = len(words) // 2
            found.append(PairRow(" ".join(words[:middle]), " ".join(words[middle:]), str(row["label"])))
        return found

    return read


SETS: Mapping[str, Callable[[Path, int], list[PairRow]]] = {
    "rte": labelled("train/rte.parquet"),
    "mrpc": labelled("train/mrpc.parquet"),
    "qnli": labelled("train/qnli-dev.parquet"),
    "question": partners("qa/qamr.parquet", "question", "context"),
    "answerable": answerable,
    "passage": partners("qa/xquad.parquet", "question", "context", "title", {"lang": "en"}),
    "summary": partners("summarisation/scitldr.parquet", "source", "target"),
    "reply": partners("dialogue/sgd.parquet", "source", "target", "domain", {"split": "dev"}),
    "conll": labelled("leopard/conll.parquet"),
    "topic": halves("dev/agnews-test.parquet"),
    "sentiment": halves("train/sst2-glue.parquet"),
}


def _rows(file: Path) -> list[dict[str, Any]]:
    return pq.read_table(file).to_pylist()


def _some(rows: list[dict[str, Any]], count: int, purpose: str) -> list[dict[str, Any]]:
    return [rows[int(i)] for i in generator(0, "pairs", purpose).permutation(len(rows))[:count]]


def _words(text: str) -> set[str]:
    return set(map(str.lower, WORD.findall(text)))
