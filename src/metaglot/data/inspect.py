"""What a look at a data set tells: sizes, targets, lengths, scripts, duplicates, conflicts, overlap with others."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, NamedTuple, cast

import numpy as np
import pyarrow as pa

from metaglot.data.folding import again, folded_rows
from metaglot.data.form import form_of
from metaglot.data.label_shape import shape_notes
from metaglot.data.labels import alike_notes, table_notes, typed_labels
from metaglot.data.target_facts import Facts, LookAt, look_of

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORDS = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")
SHOWN = 5  # repeats and clashes, by row
_SCRIPT_LETTERS = 40  # letters of a text that its script is guessed from


class Words(NamedTuple):
    """Lengths of texts in words (a Chinese or Japanese character counts as one)."""

    median: float
    p95: float
    max: int


class Seconds(NamedTuple):
    """The second texts of pairs, such as the passages of questions."""

    different: int
    words: Words


class Overlap(NamedTuple):
    """Rows whose text stands, folded, in another set."""

    name: str
    rows: int  # of this set
    share: float  # of this set, 0 … 1


@dataclass(frozen=True)
class Summary:
    """A data set at a glance."""

    rows: int
    columns: tuple[str, ...]  # those with any value
    classes: Mapping[str, int]  # examples of each, most frequent first
    unlabelled: int
    domains: Mapping[str, int]
    splits: Mapping[str, int]
    words: Words
    languages: Mapping[str, int]
    languages_guessed: bool  # True: no column lang, these are scripts guessed from the letters
    empty: int  # rows whose text is white space
    duplicates: int  # rows that repeat an earlier text, folded
    conflicts: int  # distinct texts (folded) that stand under several labels
    repeats: tuple[tuple[int, int], ...]  # the first few: (row of a repeated text, its first row), rows from 1
    clashes: tuple[tuple[int, int], ...]  # the first few: (row with another label, first row of the text)
    overlaps: tuple[Overlap, ...]
    notes: tuple[
        str, ...
    ] = ()  # what is odd about how rows and labels are written, and labels that look like no classes

    form: str = ""  # what the file was recognised as
    task: str = "classification"  # a key of `choices.FAMILIES`
    second_texts: Seconds | None = None  # None: texts are no pairs
    facts: Facts | None = None  # of the targets of another kind of task, which has no classes

    def to_json(self) -> dict[str, Any]:
        """Return plain dicts, lists, numbers and strings."""
        plain = asdict(replace(self, facts=None))
        del plain["facts"]
        if self.facts is None:
            del plain["task"]
        else:
            del plain["classes"], plain["unlabelled"]
            plain |= self.facts.plain
        plain["words"] = self.words._asdict()
        if self.second_texts is None:
            del plain["second_texts"]
        else:
            plain["second_texts"] = {**self.second_texts._asdict(), "words": self.second_texts.words._asdict()}
        plain["overlaps"] = [one._asdict() for one in self.overlaps]
        plain["columns"] = list(self.columns)
        plain["notes"] = list(self.notes)
        return plain


def inspect_table(
    table: pa.Table, *, against: Sequence[tuple[str, pa.Table]] = (), task: str = "classification"
) -> Summary:
    """Return the summary of a canonical table, with its overlap with each (name, table) of `against`.

    Two texts (or pairs) are the same if they are so after folding case, punctuation and white space.  Raises
    MetaglotError for a label that is no target of the kind of task.
    """
    keys = folded_rows(table)
    rows = cast("list[int]", table["row"].to_pylist()) if "row" in table.column_names else list(range(len(keys)))
    texts = cast("list[str]", table["text"].to_pylist())
    labels = _column(table, "label")
    look_at = look_of(task) if "label" in table.column_names else None
    facts = None if look_at is None else _facts(table, rows, look_at)
    languages = _counts(_column(table, "lang"))
    repeats, clashes = again(keys, labels if facts is None else facts.targets)
    odd = _class_notes(labels) if facts is None else facts.notes
    return Summary(
        rows=table.num_rows,
        columns=tuple(n for n in table.column_names if n != "row" and table[n].null_count < table.num_rows),
        classes=_counts(labels) if facts is None else {},
        unlabelled=sum(label is None for label in labels),
        domains=_counts(_column(table, "domain")),
        splits=_counts(_column(table, "split")),
        words=_words(texts),
        languages=languages or _counts(script(text) for text in texts),
        languages_guessed=not languages,
        empty=sum(not text.strip() for text in texts),
        duplicates=len(repeats),
        conflicts=len({keys[row] for row, _ in clashes}),
        repeats=tuple((rows[row] + 1, rows[first] + 1) for row, first in repeats[:SHOWN]),
        clashes=tuple((rows[row] + 1, rows[first] + 1) for row, first in clashes[:SHOWN]),
        overlaps=tuple(_overlap(keys, name, other) for name, other in against),
        notes=(*table_notes(table), *odd),
        form=form_of(table).name,
        task=task,
        second_texts=_seconds(_column(table, "text_pair")),
        facts=facts,
    )


def _words(texts: Iterable[str]) -> Words:
    lengths = np.array([len(_WORDS.findall(text)) for text in texts] or [0])
    return Words(float(np.median(lengths)), float(np.percentile(lengths, 95)), int(lengths.max()))


def _seconds(texts: Sequence[str | None]) -> Seconds | None:
    """Return what there is to tell of second texts, each counted once; None where there are none."""
    different = {text for text in texts if text is not None}
    return Seconds(len(different), _words(different)) if different else None


def _facts(table: pa.Table, rows: Sequence[int], look_at: LookAt) -> Facts:
    return look_at(typed_labels(table), lambda row: f"the label of row {rows[row] + 1}")


def _class_notes(labels: Sequence[str | None]) -> list[str]:
    return [*shape_notes(labels), *alike_notes({label for label in labels if label})]


def script(text: str) -> str:
    """Return the script that most of the first letters belong to, such as "Latin", or "none"."""
    letters = [char for char in text[:400] if char.isalpha()][:_SCRIPT_LETTERS]
    counts = Counter(_script(char) for char in letters)
    if counts["Hiragana"] + counts["Katakana"]:
        return "Japanese"
    return counts.most_common(1)[0][0] if counts else "none"


@lru_cache(maxsize=1 << 14)
def _script(char: str) -> str:
    word = unicodedata.name(unicodedata.normalize("NFKC", char)[0], "unknown").split(" ")[0]
    return {"CJK": "Chinese"}.get(word, word.capitalize())


def _column(table: pa.Table, name: str) -> list[str | None]:
    if name not in table.column_names:
        return [None] * table.num_rows
    return cast("list[str | None]", table[name].to_pylist())


def _counts(values: Iterable[str | None]) -> dict[str, int]:
    counts = Counter(value for value in values if value is not None)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _overlap(keys: Sequence[str], name: str, other: pa.Table) -> Overlap:
    theirs = set(folded_rows(other))
    rows = sum(key in theirs for key in keys)
    return Overlap(name, rows, rows / max(1, len(keys)))
