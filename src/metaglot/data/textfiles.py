r"""Readers of text formats: csv, tsv, json, jsonl, txt.

A file is UTF-8 (a byte-order mark is allowed), plain or packed by gzip (named .csv.gz and so on).  Only "\n" ends a
line of jsonl and txt ("\r\n" too): a text may hold U+2028, U+0085 and their kin.  An empty cell of csv or tsv
outside the text is no value.
"""

import csv
import io
import json
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from metaglot.data.columns import Pick, Raw
from metaglot.data.rawfiles import read_bytes
from metaglot.errors import MetaglotError

MAGIC = (
    (b"PAR1", "Parquet"), (b"ARROW1", "Arrow"), (b"PK\x03\x04", "a zip archive (or a spreadsheet)"),
    (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"),
    (b"%PDF", "PDF"),
)  # fmt: skip
WIDE = (b"\xff\xfe", b"\xfe\xff")  # what UTF-16 begins with, as spreadsheets write it


def read_csv(path: Path, pick: Pick) -> Raw:
    """Return the picked columns of a csv file with a header; quoted newlines are part of the text.

    A header with semicolons and without a comma is one of fields parted by semicolons, as spreadsheets write them where
    a comma parts decimals.
    """
    text = decode(path)
    header = text.lstrip("\r\n").split("\n", 1)[0]
    with _long_fields():
        return _grid(path, pick, _parsed(path, text, ";" if ";" in header and "," not in header else ","))


def read_tsv(path: Path, pick: Pick) -> Raw:
    """Return the picked columns of a tab-separated file with a header.

    Where every line has as many tabs as the header, a line is a row and a quote within it is a character
    (only a field that is quoted whole loses its quotes); otherwise quotes work as in csv.
    """
    text = decode(path)
    with _long_fields():
        return _grid(path, pick, _plain(text) or _parsed(path, text, "\t"))


def read_jsonl(path: Path, pick: Pick) -> Raw:
    """Return the picked columns of JSON Lines: one object a line."""
    objects: list[dict[str, object]] = []
    lines: list[int] = []
    for number, line in enumerate(decode(path).split("\n"), start=1):
        if not line.strip(" \t\r"):
            continue
        value = _json(line, path, number)
        if not isinstance(value, dict):
            hint = " The file is a JSON array: name it .json." if line.lstrip().startswith("[") else ""
            raise MetaglotError(f"{path}, line {number}: not a JSON object but {line[:40]!r}.{hint}")
        objects.append(cast("dict[str, object]", value))
        lines.append(number)
    return _records(path, pick, objects, lambda row: f"{path}, line {lines[row]}")


def read_json(path: Path, pick: Pick) -> Raw:
    """Return the picked columns of one JSON array of objects."""
    text = decode(path)
    value = _json(text, path, 1)
    if not isinstance(value, list):
        raise MetaglotError(f'{path}, line 1: a .json file holds an array of objects, like [{{"text": …}}, …].')
    items = cast("list[object]", value)
    for item, one in enumerate(items):
        if not isinstance(one, dict):
            raise MetaglotError(
                f"{path}, line {_item_line(text, item)}: item {item + 1} is not an object: {one!r:.60}."
            )
    objects = cast("list[dict[str, object]]", items)
    return _records(path, pick, objects, lambda row: f"{path}, line {_item_line(text, row)} (item {row + 1})")


def read_txt(path: Path, pick: Pick) -> Raw:
    """Return the lines as the column text; a blank line is a row too, so that row n stands on line n + 1."""
    lines = [line.removesuffix("\r") for line in decode(path).removesuffix("\n").split("\n")]
    pick(["text"])
    return Raw({"text": lines}, lambda row: f"{path}, line {row + 1}")


def decode(path: Path) -> str:
    """Return the file as text; raises if it is empty, not UTF-8 or UTF-16, of another format, or has NUL bytes."""
    raw = read_bytes(path)
    for magic, kind in MAGIC:
        if raw.startswith(magic):
            named = "".join(path.suffixes[-2:])
            raise MetaglotError(f"{path}, line 1: named {named} but holds {kind}. Convert it or mend its name.")
    if raw.startswith(WIDE):
        raw = _narrowed(path, raw)
    if (nul := raw.find(b"\0")) >= 0:
        raise MetaglotError(f"{path}, line {raw.count(10, 0, nul) + 1}: a NUL byte; this is not a text file.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(10, 0, error.start) + 1
        raise MetaglotError(
            f"{path}, line {line}: not UTF-8 (byte 0x{raw[error.start]:02x})."
            f" Save it as UTF-8, for example: iconv -f WINDOWS-1252 -t UTF-8 {path.name}"
        ) from error
    if not text.strip():
        raise MetaglotError(f"{path}, line 1: the file is empty.")
    return text


def _narrowed(path: Path, raw: bytes) -> bytes:
    """Return UTF-16 as UTF-8."""
    try:
        return raw.decode("utf-16").encode()
    except UnicodeError as error:
        raise MetaglotError(f"{path}, line 1: begins as UTF-16 and is none: {error}. Save it as UTF-8.") from error


def _parsed(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line where the row begins, its fields); blank lines are left out."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for fields in reader:
            if fields:
                yield start, fields
            start = reader.line_num + 1
    except csv.Error as error:
        raise MetaglotError(f'{path}, line {start}: {error}. A text with quotes is written "like ""this""".') from error


def _plain(text: str) -> list[tuple[int, list[str]]] | None:
    lines = [(n, line.removesuffix("\r").split("\t")) for n, line in enumerate(text.split("\n"), start=1)]
    lines = [(n, fields) for n, fields in lines if fields != [""]]
    width = len(lines[0][1])
    if width < 2 or any(len(fields) != width for _, fields in lines):
        return None
    return [(n, [_unquoted(field) for field in fields]) for n, fields in lines]


def _unquoted(field: str) -> str:
    inner = field[1:-1]
    whole = len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if whole else field


def _grid(path: Path, pick: Pick, rows: Iterator[tuple[int, list[str]]] | list[tuple[int, list[str]]]) -> Raw:
    rows = iter(rows)
    header = [name.strip() for name in next(rows)[1]]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise MetaglotError(
            f"{path}, line 1: the header has {twice[0]!r} more than once. Give each column its own name."
        )
    chosen = {name: header.index(column) for name, column in pick(header).items()}
    columns: dict[str, list[str | None]] = {name: [] for name in chosen}
    lines: list[int] = []
    again: list[int] = []
    for line, fields in rows:
        if _is_header(fields, header):
            again.append(line)
            continue
        if len(fields) != len(header):
            raise MetaglotError(
                f"{path}, line {line}: {len(fields)} fields where the header has {len(header)}."
                " Put a text that holds the separator or a line break in double quotes."
            )
        for name, at in chosen.items():
            columns[name].append(fields[at] if fields[at] or name == "text" else None)
        lines.append(line)
    if not lines:
        raise MetaglotError(f"{path}, line 2: a header but no rows.")
    return Raw(columns, lambda row: f"{path}, line {lines[row]}", typed=False, notes=_headers_note(path, again))


def _is_header(fields: Sequence[str], header: Sequence[str]) -> bool:
    """Whether a row is the header once more, as where files were put one behind the other."""
    return len(header) > 1 and len(fields) == len(header) and all(map(_same, fields, header))


def _same(field: str, name: str) -> bool:
    return len(field) <= len(name) + 9 and field.strip("\ufeff \t") == name.strip("\ufeff")


def _headers_note(path: Path, lines: Sequence[int]) -> tuple[str, ...]:
    where = ", ".join(map(str, lines[:5])) + (f" and {len(lines) - 5} more" if len(lines) > 5 else "")
    return (f"{path}: the header stands again in line {where}, which is left out",) if lines else ()


def _records(path: Path, pick: Pick, objects: Sequence[dict[str, object]], where: Callable[[int], str]) -> Raw:
    if not objects:
        raise MetaglotError(f"{path}, line 1: no rows.")
    found = list(dict.fromkeys(name for one in objects for name in one))
    chosen = pick(found)
    return Raw({name: [one.get(column) for one in objects] for name, column in chosen.items()}, where)


def _json(text: str, path: Path, line: int) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        hint = " Several objects, one a line, are JSON Lines: name it .jsonl." if error.msg == "Extra data" else ""
        at = f"{path}, line {line + error.lineno - 1}"
        raise MetaglotError(f"{at}: not valid JSON: {error.msg}, column {error.colno}.{hint}") from error
    except (ValueError, RecursionError) as error:
        raise MetaglotError(f"{path}, line {line}: JSON that cannot be read: {error}.") from error


def _item_line(text: str, item: int) -> int:
    """Return the line (from 1) on which item number `item` of a JSON array begins."""
    decoder, at = json.JSONDecoder(), text.index("[") + 1
    start = at
    for _ in range(item + 1):
        while text[at] in " \t\r\n,":
            at += 1
        start = at
        _, at = decoder.raw_decode(text, at)
    return text.count("\n", 0, start) + 1


@contextmanager
def _long_fields() -> Generator[None]:
    """Lift the csv module's limit of 131,072 characters a field, and put it back."""
    before = csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    try:
        yield
    finally:
        csv.field_size_limit(before)
