"""Four ready-made sets of examples, in English and Chinese; all sentences were written for them."""

from collections.abc import Mapping
from typing import NamedTuple

from metaglot.playground.samples_chinese import CHINESE
from metaglot.playground.samples_english import ENGLISH
from metaglot.playground.table import Table

ORDER = ("tickets", "moods", "names", "answers")
"""The names of the sets; each has a title in `words`."""


class Sample(NamedTuple):
    """A set of examples, and what to ask once they are learnt."""

    table: Table
    questions: tuple[tuple[str, str], ...]  # texts, each with its second text or ""


def sample(name: str, language: str) -> Sample:
    """Return the set of a name in a language, "en" or "zh"."""
    return SAMPLES[language][name]


def _set(headers: tuple[str, ...], rows: str, questions: str) -> Sample:
    """Return a set whose rows and questions are lines, with bars between their cells."""
    asked = [(*_cells(line), "")[:2] for line in rows_of(questions)]
    return Sample(Table(headers, tuple(_cells(line) for line in rows_of(rows))), tuple((a, b) for a, b in asked))


def rows_of(lines: str) -> list[str]:
    """Return the lines that have a text."""
    return [line for line in lines.splitlines() if line.strip()]


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.split("|"))


SAMPLES: Mapping[str, Mapping[str, Sample]] = {
    language: {name: _set(*written[name]) for name in ORDER} for language, written in (("en", ENGLISH), ("zh", CHINESE))
}
"""Each set by its language and its name."""
