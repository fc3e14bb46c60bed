r"""How the fields of a csv are written: what separates them, where the header is, blanks after separators.

A separator is one with which the header has the wanted columns and the rows have as many fields as the header.
"""

import csv
import io
import re
from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from metaglot.data.columns import Pick

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
SAMPLE, ROWS = 1 << 17, 50  # characters and rows that are looked at
_SEP = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_ESCAPED = re.compile(r'\\(["\\])')


class Dialect(NamedTuple):
    """How a csv is written."""

    separator: str
    start: int  # where the header begins: the first character
    line: int  # and its line, from 1
    spaces: bool  # blanks after a separator are no part of a field
    comments: int  # lines before the header that are left out

    @property
    def form(self) -> str:
        """What is shown of it."""
        return f"csv with {SEPARATORS.get(self.separator, repr(self.separator))}"


def dialect_of(text: str, pick: Pick, separators: Sequence[str] = tuple(SEPARATORS)) -> Dialect:
    """Return how a text of fields is written; a first line `sep=;` says it, as spreadsheets take it."""
    start, line, comments = 0, 1, 0
    while start < len(text):
        end = text.find("\n", start)
        content = text[start : len(text) if end < 0 else end].rstrip("\r")
        if line == 1 and (directive := _SEP.fullmatch(content)):
            separators = (directive[1],)
        elif content.startswith("#"):
            bare = content if pick.numbered else content.lstrip("# ")
            if any(pick.fits(_fields(bare, one)) for one in separators):
                start += len(content) - len(bare)
                break
            comments += 1
        elif content.strip():
            break
        start, line = (len(text) if end < 0 else end + 1), line + 1
    separator = _separator(text[start : start + SAMPLE], pick, separators)
    header = text[start:].split("\n", 1)[0] if len(text) < SAMPLE else text[start : start + SAMPLE].split("\n", 1)[0]
    after = header.split(separator)[1:]
    spaces = bool(after) and all(one.startswith(" ") for one in after)
    return Dialect(separator, start, line, spaces, comments)


def without_backslashes(text: str) -> str:
    r"""Return a text in which \" is a quote and \\ a backslash as csv has it, where quotes are doubled."""
    return _ESCAPED.sub(lambda found: '""' if found[1] == '"' else "\\", text)


def _fields(line: str, separator: str) -> list[str]:
    return [name.strip() for name in next(csv.reader([line], delimiter=separator), [])]


def _separator(sample: str, pick: Pick, among: Sequence[str]) -> str:
    def rank(separator: str) -> tuple[bool, bool, float]:
        rows = [row for row in islice(csv.reader(io.StringIO(sample, newline=""), delimiter=separator), ROWS) if row]
        rows = rows[:-1] if len(sample) == SAMPLE and len(rows) < ROWS and len(rows) > 1 else rows
        header = [name.strip() for name in rows[0]] if rows else []
        same = sum(len(row) == len(header) for row in rows) / max(1, len(rows))
        return len(header) > 1, pick.fits(header), same

    return max(among, key=rank)
