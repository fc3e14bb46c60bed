r"""Readers of text formats: csv, tsv, json, jsonl, txt.

A file is UTF-8 (a byte-order mark is allowed), plain or packed by gzip (.csv.gz and so on).  Only "\n" ends a line of
jsonl and txt ("\r\n" too): a text may hold U+2028 and its kin.  An empty cell of csv or tsv outside the text is none.
"""

import csv
import io
import json
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import cast

from metaglot.data.columns import Pick, Raw
from metaglot.data.conll import sentences_in, sentences_of
from metaglot.data.dialect import Dialect, dialect_of, without_backslashes
from metaglot.data.encodings import EncodingError, decoded
from metaglot.data.exports.answers import raw_of
from metaglot.data.exports.fasttext import fasttext
from metaglot.data.exports.orients import objects_of
from metaglot.data.exports.rasa import rasa_json, read_nlu
from metaglot.data.exports.recognise import raw_objects
from metaglot.data.exports.spacy import spacy_row, spacy_rows
from metaglot.data.exports.squad import squad
from metaglot.data.grid import Oddities, filled, header_of, is_header, unnamed_column
from metaglot.data.rawfiles import read_bytes
from metaglot.errors import MetaglotError

MAGIC = (
    (b"PAR1", "Parquet"), (b"ARROW1", "Arrow"), (b"PK\x03\x04", "a zip archive (or a spreadsheet)"),
    (b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ", "xz"),
    (b"%PDF", "PDF"),
)  # fmt: skip
WIDE = (b"\xff\xfe", b"\xfe\xff")  # what UTF-16 begins with, as spreadsheets write it


def read_csv(path: Path, pick: Pick) -> Raw:
    r"""Return the picked columns of a csv file; quoted newlines are part of the text.

    Fields are separated by commas, semicolons, bars or tabs (`dialect.py`), and quotes in a quoted field are doubled,
    or all escaped by backslashes.  The file has a header, unless all columns are given by number.
    """
    text = decode(path, pick.encoding)
    with _long_fields():
        dialect = dialect_of(text, pick)
        return _grid(path, pick, _all_parsed(path, text, dialect), dialect.form, comments=dialect.comments)


def read_tsv(path: Path, pick: Pick) -> Raw:
    """Return the picked columns of a tab-separated file with a header.

    Where every line has as many tabs as the header, a line is a row and a quote within it is a character
    (only a field that is quoted whole loses its quotes); otherwise quotes work as in csv.
    """
    text = decode(path, pick.encoding)
    with _long_fields():
        dialect = dialect_of(text, pick, ("\t",))
        rows = _plain(text[dialect.start :], dialect.line) or _all_parsed(path, text, dialect)
        return _grid(path, pick, rows, "tsv", comments=dialect.comments)


def read_jsonl(path: Path, pick: Pick) -> Raw:
    """Return the picked columns of JSON Lines: one object a line, or what an annotation tool wrote so."""
    return _json_lines(path, pick, decode(path, pick.encoding))


def _json_lines(path: Path, pick: Pick, text: str) -> Raw:
    objects: list[dict[str, object]] = []
    lines: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip(" \t\r"):
            continue
        value = spacy_row(_json(line, path, number))
        if not isinstance(value, dict):
            hint = " The file is a JSON array: name it .json." if line.lstrip().startswith("[") else ""
            raise MetaglotError(f"{path}, line {number}: not a JSON object but {line[:40]!r}.{hint}")
        objects.append(cast("dict[str, object]", value))
        lines.append(number)
    return raw_objects(path, pick, objects, lambda row: f"{path}, line {lines[row]}", form="json lines")


def read_json(path: Path, pick: Pick) -> Raw:
    """Return the picked columns of JSON: an array of objects, what `DataFrame.to_json` writes, lines, or an export."""
    text = decode(path, pick.encoding)
    if _is_lines(text):
        return _json_lines(path, pick, text)
    value = spacy_rows(_json(text, path, 1))
    if (export := rasa_json(path, pick, value) or squad(path, pick, value, text)) is not None:
        return export
    if (rows := objects_of(value, pick)) is not None:
        return raw_objects(path, pick, rows.rows, lambda row: f"{path}, row {row + 1}", form=rows.form)
    if not isinstance(value, list):
        raise MetaglotError(
            f'{path}, line 1: not a JSON file of rows. An array of objects is one, like [{{"text": …}}, …], and '
            "so is what DataFrame.to_json or an annotation tool writes."
        )
    items = cast("list[object]", value)
    for item, one in enumerate(items):
        if not isinstance(one, dict):
            raise MetaglotError(
                f"{path}, line {_item_line(text, item)}: item {item + 1} is not an object: {one!r:.60}."
            )
    objects = cast("list[dict[str, object]]", items)
    return raw_objects(path, pick, objects, partial(_item_place, path, text), form="json")


def _item_place(path: Path, text: str, row: int) -> str:
    return f"{path}, line {_item_line(text, row)} (item {row + 1})"


def _is_lines(text: str) -> bool:
    """Whether a text is several objects, one a line."""
    lines = [line for line in text.lstrip().split("\n", 2) if line.strip()][:2]
    return len(lines) == 2 and all(line.rstrip()[0] == "{" and line.rstrip()[-1] == "}" for line in lines)


def read_yaml(path: Path, pick: Pick) -> Raw:
    """Return the picked columns of YAML that is training data of Rasa."""
    return read_nlu(path, pick, decode(path, pick.encoding))


def read_txt(path: Path, pick: Pick) -> Raw:
    """Return the lines as the column text; a blank line is a row too, so that row n stands on line n + 1."""
    text = decode(path, pick.encoding)
    if (sentences := sentences_in(path, pick, text)) is not None:
        return sentences
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]
    if (export := fasttext(lines)) is not None:
        return raw_of(path, pick, export, lambda row: f"{path}, line {row + 1}")
    columns = dict.fromkeys(pick(["text"]), lines)
    return Raw(columns, lambda row: f"{path}, line {row + 1}", form="txt", file_columns=("text",))


def read_conll(path: Path, pick: Pick) -> Raw:
    """Return the tokens and tags of CoNLL columns."""
    return sentences_of(path, pick, decode(path, pick.encoding))


def decode(path: Path, encoding: str | None = None) -> str:
    """Return the file as text, in UTF-8 or UTF-16 (with a mark) unless an encoding is given.

    Where a file has no line feed at all, carriage returns end its lines; what ends a file of DOS (0x1a) is left out.
    Raises MetaglotError for a file that is empty, encoded otherwise, of another format, or has NUL bytes.
    """
    raw = read_bytes(path)
    for magic, kind in MAGIC:
        if raw.startswith(magic):
            named = "".join(path.suffixes[-2:])
            raise MetaglotError(f"{path}, line 1: named {named} but holds {kind}. Convert it or mend its name.")
    if encoding is not None:
        raw = decoded(path, raw, encoding).encode("utf-8", "surrogatepass")
    elif raw.startswith(WIDE):
        raw = _narrowed(path, raw)
    if (nul := raw.find(b"\0")) >= 0:
        raise MetaglotError(f"{path}, line {raw.count(10, 0, nul) + 1}: a NUL byte; this is not a text file.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(10, 0, error.start) + 1
        raise EncodingError(
            f"{path}, line {line}: not UTF-8 (byte 0x{raw[error.start]:02x}). Say how it is encoded, such as ",
            f", which is Windows in Western Europe, or save it as UTF-8: iconv -f WINDOWS-1252 -t UTF-8 {path.name}",
            value="cp1252",
        ) from error
    text = _ended(text)
    if not text.strip():
        raise MetaglotError(f"{path}, line 1: the file is empty.")
    return text


def _ended(text: str) -> str:
    """Return a text whose lines end in a line feed, without what ends a file of DOS."""
    if text.rstrip("\r\n ").endswith("\x1a"):
        text = text.rstrip("\r\n \x1a") + "\n"
    return text.replace("\r", "\n") if "\r" in text and "\n" not in text else text


def _narrowed(path: Path, raw: bytes) -> bytes:
    """Return UTF-16 as UTF-8."""
    try:
        return raw.decode("utf-16").encode()
    except UnicodeError as error:
        raise MetaglotError(f"{path}, line 1: begins as UTF-16 and is none: {error}. Save it as UTF-8.") from error


def _all_parsed(path: Path, text: str, dialect: Dialect) -> list[tuple[int, list[str]]]:
    """Return (line where the row begins, its fields) of all rows; blank lines are left out."""
    body = text[dialect.start :]
    try:
        return list(_parsed(path, body, dialect))
    except MetaglotError:
        if '\\"' not in body:
            raise
        try:
            return list(_parsed(path, without_backslashes(body), dialect))
        except MetaglotError:
            pass
        raise


def _parsed(path: Path, text: str, dialect: Dialect) -> Iterator[tuple[int, list[str]]]:
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=dialect.separator, skipinitialspace=dialect.spaces, strict=True)
    start = dialect.line
    try:
        for fields in reader:
            if fields:
                yield start, fields
            start = dialect.line + reader.line_num
    except csv.Error as error:
        raise MetaglotError(f'{path}, line {start}: {error}. A text with quotes is written "like ""this""".') from error


def _plain(text: str, first: int) -> list[tuple[int, list[str]]] | None:
    lines = [(n, line.removesuffix("\r").split("\t")) for n, line in enumerate(text.split("\n"), start=first)]
    lines = [(n, fields) for n, fields in lines if fields != [""]]
    width = len(lines[0][1])
    if width < 2 or any(len(fields) != width for _, fields in lines):
        return None
    return [(n, [_unquoted(field) for field in fields]) for n, fields in lines]


def _unquoted(field: str) -> str:
    inner = field[1:-1]
    whole = len(field) > 1 and field[0] == field[-1] == '"' and '"' not in inner.replace('""', "")
    return inner.replace('""', '"') if whole else field


def _grid(path: Path, pick: Pick, rows: list[tuple[int, list[str]]], form: str, *, comments: int) -> Raw:
    header, bare = header_of(path, pick, rows)
    rows = rows if bare else rows[1:]
    chosen = {name: header.index(column) for name, column in pick(header).items()}
    unnamed = [at for at, name in enumerate(header) if name == unnamed_column(at)]
    columns: dict[str, list[str | None]] = {name: [] for name in chosen}
    lines: list[int] = []
    odd = Oddities(comments=comments, bare=bare)
    for line, fields in rows:
        if not bare and is_header(fields, header):
            odd.headers.append(line)
            continue
        if len(fields) == 1 < len(header) and fields[0].startswith("#"):
            odd.comments += 1
            continue
        full = filled(fields, header)
        if full is None:
            raise MetaglotError(
                f"{path}, line {line}: {len(fields)} fields where the {'first row' if bare else 'header'} has "
                f"{len(header)}. Put a text that holds the separator or a line break in double quotes."
            )
        for name, at in chosen.items():
            columns[name].append(full[at] if full[at] or name == "text" else None)
        odd.unread += any(full[at] for at in unnamed if at and at not in chosen.values())
        lines.append(line)
    if not lines:
        raise MetaglotError(f"{path}, line 2: a header but no rows.")
    form = f"{form}, without a header" if bare else form
    return Raw(
        columns,
        lambda row: f"{path}, line {lines[row]}",
        typed=False,
        notes=odd.notes(path),
        form=form,
        file_columns=tuple(header),
    )


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
