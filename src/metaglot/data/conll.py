"""CoNLL columns: a token a line with its tag in the last column, and a blank line between sentences.

Columns are parted by tabs, or by white space.  `-DOCSTART-` begins a document and is left out, as are lines that begin
with # and have other columns than tokens have.  https://aclanthology.org/W03-0419
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from metaglot.data.columns import Pick, Raw
from metaglot.data.span_columns import may_be_spans
from metaglot.data.tags import in_capitals
from metaglot.errors import MetaglotError

START = "-DOCSTART-"
_TAG = re.compile(r"O|[BIELSUMW]-\S+")
SAMPLE = 200  # lines that are looked at
LEAST = 3  # tokens of a file that is recognised unasked


class Line(NamedTuple):
    """A line with something in it."""

    number: int  # from 1
    fields: list[str]


def looks_like_conll(text: str) -> bool:
    """Whether lines have columns, all as many, of which the last holds tags such as O and B-PER."""
    head = text.split("\n", SAMPLE)[:SAMPLE]
    tabs = _have_tabs(head)
    rows = [fields for line in head if (fields := _fields(line, tabs)) and fields[0] != START]
    rows = [fields for fields in rows if not fields[0].startswith("#")]
    tags = set(in_capitals([[fields[-1] for fields in rows]])[0])
    same = len({len(fields) for fields in rows}) == 1 and len(rows) >= LEAST and len(rows[0]) > 1
    return same and len(tags) > 1 and all(map(_TAG.fullmatch, tags)) and any("-" in tag for tag in tags)


def sentences_in(path: Path, pick: Pick, text: str) -> Raw | None:
    """Return what `sentences_of` does of a text that looks so, where spans may be read; None otherwise."""
    return sentences_of(path, pick, text) if may_be_spans(pick.cells) and looks_like_conll(text) else None


def sentences_of(path: Path, pick: Pick, text: str) -> Raw:
    """Return the tokens and tags of each sentence; the numbers of their columns, from 1, may be asked for.

    Raises MetaglotError that names the line for other columns than most lines have, and for a column that is not there.
    """
    if not may_be_spans(pick.cells):
        raise MetaglotError(f"{path}: a file of tokens and tags, which the task tagging learns: --task tagging.")
    whole = text.split("\n")
    tabs = _have_tabs(whole)
    lines = [Line(number, _fields(line, tabs)) for number, line in enumerate(whole, start=1)]
    widths = Counter(len(line.fields) for line in lines if line.fields and not _is_apart(line))
    if not widths:
        raise MetaglotError(f"{path}, line 1: no tokens. Give a file with a token and its tag on each line.")
    width = widths.most_common(1)[0][0]
    comments = {line.number for line in lines if line.fields and _is_comment(line, width)}
    groups = _groups(path, [line for line in lines if line.number not in comments], width)
    places = _chosen(path, groups, width, pick.mapping)
    return Raw(
        {name: [[line.fields[at] for line in group] for group in groups] for name, at in places.items()},
        lambda row: f"{path}, line {groups[row][0].number}",
        typed=False,
        notes=_notes(path, len(comments), width, places),
        form="CoNLL columns",
        file_columns=tuple(str(place) for place in range(1, width + 1)),
    )


def _have_tabs(lines: Sequence[str]) -> bool:
    """Whether tabs part the columns of most lines."""
    some = [line for line in lines if line.strip()]
    return 2 * sum("\t" in line for line in some) > len(some)


def _fields(line: str, tabs: bool) -> list[str]:
    """Return the fields of a line; none of a blank one.

    Spaces and tabs part them, and no other white space, which may be a token or stand in one.  A remark without a tab,
    among lines that have some, is one field.
    """
    if not line.strip():
        return []
    line = line.strip("\r\n")
    if "\t" in line or (tabs and line.startswith("#")):
        return [field.strip() for field in line.split("\t")]
    return [field for field in re.split("[ \t]+", line) if field]


def _is_apart(line: Line) -> bool:
    """Whether a line may be none of a token."""
    return line.fields[0] == START or line.fields[0].startswith("#")


def _is_comment(line: Line, width: int) -> bool:
    return line.fields[0].startswith("#") and len(line.fields) != width


def _groups(path: Path, lines: Sequence[Line], width: int) -> list[list[Line]]:
    """Return the lines of each sentence."""
    groups: list[list[Line]] = [[]]
    for line in lines:
        if not line.fields or line.fields[0] == START:
            groups.append([])
            continue
        if len(line.fields) != width:
            raise MetaglotError(
                f"{path}, line {line.number}: {len(line.fields)} columns where most lines have {width}. A line has a "
                "token and its tag, and a blank line ends a sentence."
            )
        groups[-1].append(line)
    return [group for group in groups if group]


def _chosen(path: Path, groups: Sequence[Sequence[Line]], width: int, mapping: Mapping[str, str]) -> dict[str, int]:
    """Return the columns of tokens and of tags, from 0: the first that is no count of tokens, and the last."""
    counted = width > 2 and all(
        [line.fields[0] for line in group] == [str(place) for place in range(1, len(group) + 1)] for group in groups
    )
    token = _column(path, mapping.get("tokens") or mapping.get("text"), width)
    tag = _column(path, mapping.get("tags") or mapping.get("label"), width)
    tags = tag if tag is not None else width - 1
    return {"tokens": int(counted) if token is None else token, **({"tags": tags} if width > 1 else {})}


def _column(path: Path, column: str | None, width: int) -> int | None:
    if column is None:
        return None
    if not column.isdecimal() or not 1 <= int(column) <= width:
        raise MetaglotError(
            f"{path}, line 1: no column {column!r}; it has {width} that go by number: --columns tokens=1,tags=2"
        )
    return int(column) - 1


def _notes(path: Path, comments: int, width: int, places: Mapping[str, int]) -> tuple[str, ...]:
    named = " and ".join(f"number {at + 1} the {name}" for name, at in places.items())
    which = f"{path}: of {width} columns, {named}; --columns tokens=1,tags={width} names others"
    left_out = f"{path}: {comments} lines that begin with # are comments and left out"
    return (*([which] if width > 2 else []), *([left_out] if comments else []))
