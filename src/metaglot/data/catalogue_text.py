"""The text of a catalogue of gettext: its encoding, lines that are damaged, and translations put into it in place.

Only lines of `msgstr` change, and the flag `fuzzy` comes; order, comments, line ends and all else stay, so that a
review shows what was translated and nothing more.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from metaglot.data.rawfiles import read_bytes
from metaglot.data.textfiles import decode
from metaglot.errors import MetaglotError

BEGINNING = 4096  # bytes in which the header stands
_CHARSET = re.compile(r"charset=([\w.:+-]+)")
_KEYWORD = re.compile(r'\s*(msgctxt|msgid_plural|msgid|msgstr(?:\[(\d+)\])?)(?=[\s"])')
_QUOTED = re.compile(r'\s*(?:(?:msgctxt|msgid_plural|msgid|msgstr(?:\[\d+\])?)\s*)?"(?:[^"\\]|\\.)*"\s*')
_SUBJECT = re.compile(r'\s*(?:msg|")')


_ESCAPE = re.compile(r"\\(?:([0-7]{1,3})|x([0-9A-Fa-f]{1,2})|(.))")
_WRITTEN = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


class Lines(str):
    """A text of which line feeds alone part lines, as in gettext; Python parts them at U+2028, U+0085 and others."""

    __slots__ = ()

    def splitlines(self, keepends: bool = False) -> list[str]:
        """Return the lines."""
        ends = "\n" if keepends else ""
        *lines, last = self.split("\n")
        return [*(line + ends for line in lines), *([last] if last else [])]


class Change(NamedTuple):
    """What is written into an entry."""

    targets: Mapping[int | None, str]  # by the number of the plural form; None where there are none
    fuzzy: bool


def catalogue_text(path: Path, encoding: str | None = None) -> str:
    """Return the text of a catalogue, in the encoding that its header names unless one is given.

    Raises MetaglotError as `decode` does, and for a line whose quotation marks do not fit, of which a parser would
    make another text or none.
    """
    text = decode(path, encoding or _stated(path))
    for number, line in enumerate(text.split("\n"), start=1):
        if _SUBJECT.match(line) and not _QUOTED.fullmatch(line.rstrip("\r")):
            raise MetaglotError(
                f'{path}, line {number}: not a text in quotation marks ("…", with \\" inside it). Mend it, for '
                "example with msgfmt -c."
            )
    return text


def unescaped(text: str) -> Lines:
    """Return the text with characters in place of escapes that polib does not know: those by number, and the bell."""
    lines = text.split("\n")
    return Lines("\n".join(line if line.lstrip().startswith("#") else _ESCAPE.sub(_character, line) for line in lines))


def _character(escape: re.Match[str]) -> str:
    if escape[3]:
        return "\a" if escape[3] == "a" else escape[0]
    number = int(escape[1], 8) if escape[1] else int(escape[2], 16)
    return _WRITTEN.get(chr(number), chr(number)) if 0 < number < 128 else escape[0]  # others are parts of a letter


def changed(text: str, changes: Mapping[int, Change]) -> str:
    """Return the text with changes, by the number of the entry among those that have a msgid and are not obsolete.

    Its header says UTF-8 then, which is what it is to be written in.
    """
    lines = Lines(text).splitlines(keepends=True)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    if lines and not lines[-1].endswith("\n"):
        lines[-1] += end
    entries = _entries(lines)
    put: dict[int, tuple[int, list[str]]] = {}  # by the first line that goes, how many go and what comes
    for number, entry in enumerate(one for one in entries if not one.header):
        if number in changes:
            put |= _put(lines, entry, changes[number], end)
    for header in (one for one in entries if one.header):
        for at in range(header.first, header.last):
            lines[at] = _CHARSET.sub("charset=UTF-8", lines[at])
    written: list[str] = []
    at = 0
    while at < len(lines):
        gone, new = put.get(at, (1, [lines[at]]))
        written += new
        if not gone:  # lines that come before one that stays
            written.append(lines[at])
        at += max(1, gone)
    return "".join(written)


@dataclass
class _Entry:
    """Where the parts of an entry stand, as numbers of lines."""

    first: int  # of its keywords, or of what msgid was before
    last: int = 0  # the line behind it
    flags: int | None = None
    header: bool = False
    forms: dict[int | None, tuple[int, int]] = field(default_factory=dict[int | None, tuple[int, int]])


def _entries(lines: list[str]) -> list[_Entry]:
    """Return the entries that are not obsolete."""
    found: list[_Entry] = []
    flags: int | None = None  # of the comments above the next entry
    earlier: int | None = None  # its line of what msgid was before
    keyword, msgid = "", ""
    for at, line in enumerate(lines):
        if line.lstrip().startswith("#"):
            if keyword.startswith("msgstr"):
                flags = earlier = None
                keyword = ""
            flags = at if line.startswith("#,") else flags
            earlier = at if line.startswith("#|") and earlier is None else earlier
        elif key := _KEYWORD.match(line):
            begins = key[1] == "msgctxt" or (key[1] == "msgid" and keyword != "msgctxt")
            if begins:
                if keyword.startswith("msgstr"):  # no comment stands between
                    flags = earlier = None
                found.append(_Entry(at if earlier is None else earlier, flags=flags))
                flags = earlier = None
            keyword = key[1]
            if keyword == "msgid":
                msgid = line
            if found and keyword.startswith("msgstr"):
                found[-1].forms[None if key[2] is None else int(key[2])] = (at, at + 1)
                found[-1].header = found[-1].header or not _has_text(msgid)
                found[-1].last = at + 1
        elif line.lstrip().startswith('"') and found:
            if keyword == "msgid":
                msgid += line
            if keyword.startswith("msgstr") and found[-1].forms:
                form, (begin, _) = list(found[-1].forms.items())[-1]
                found[-1].forms[form] = (begin, at + 1)
                found[-1].last = at + 1
    return found


def _has_text(lines: str) -> bool:
    return bool(re.sub(r'^\s*(?:msgid)?\s*|["\s]', "", lines, flags=re.MULTILINE))


def _put(lines: list[str], entry: _Entry, change: Change, end: str) -> dict[int, tuple[int, list[str]]]:
    """Return what comes in the place of lines of an entry."""
    put: dict[int, tuple[int, list[str]]] = {}
    for form, target in change.targets.items():
        if form in entry.forms:
            begin, behind = entry.forms[form]
            put[begin] = behind - begin, _lines_of(form, target, end)
    if change.fuzzy and entry.flags is not None and "fuzzy" not in lines[entry.flags]:
        put[entry.flags] = 1, [lines[entry.flags].replace("#,", "#, fuzzy,", 1)]
    elif change.fuzzy and entry.flags is None:
        put[entry.first] = 0, [f"#, fuzzy{end}"]
    return put


def _lines_of(form: int | None, target: str, end: str) -> list[str]:
    keyword = "msgstr" if form is None else f"msgstr[{form}]"
    parts = [part for part in re.split(r"(?<=\n)", target) if part]
    quoted = [f'"{_escaped(part)}"{end}' for part in parts]
    return [f"{keyword} {quoted[0]}"] if len(quoted) == 1 else [f'{keyword} ""{end}', *quoted]


def _escaped(text: str) -> str:
    for letter, written in _WRITTEN.items():
        text = text.replace(letter, written)
    return _UNSEEN.sub(lambda found: f"\\{ord(found.group()):03o}", text)


def _stated(path: Path) -> str | None:
    """Return the encoding that a header names, where it is one of text other than UTF-8 that the file is in."""
    raw = read_bytes(path)
    found = _CHARSET.search(raw[:BEGINNING].decode("latin-1"))
    if found is None or raw.startswith((b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf")):
        return None
    try:
        raw.decode(found[1])
    except (LookupError, UnicodeError):
        return None  # a template says CHARSET; what is neither is told of as UTF-8
    return found[1]
