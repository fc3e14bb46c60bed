"""Files of every wrong kind: a table or a message that names the file; thousands of them in `make test-all`."""

import gzip
import json
import os
from functools import partial

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.data import rawfiles, readers
from metaglot.data.readers import FORMATS, read_table
from metaglot.errors import MetaglotError

pytestmark = pytest.mark.timeout(900)  # a thousand inputs, on a machine that may be busy
MANY = pytest.mark.parametrize("cases", [30, pytest.param(300, marks=pytest.mark.slow)])
ROWS = [("refund the invoice", "billing"), ("the parcel is late", "delivery"), ('"quoted", with, commas', "billing")]
SUFFIXES = sorted(set(FORMATS) - {".parquet"})
CELL = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUE = st.none() | st.booleans() | st.integers() | st.floats() | CELL | st.lists(CELL, max_size=2)


def good(suffix: str) -> bytes:
    objects = [{"text": text, "label": label} for text, label in ROWS]
    quoted = [(text.replace('"', '""'), label) for text, label in ROWS]
    return {
        ".csv": "text,label\n" + "".join(f'"{text}",{label}\n' for text, label in quoted),
        ".tsv": "text\tlabel\n" + "".join(f"{text}\t{label}\n" for text, label in ROWS),
        ".json": json.dumps(objects, indent=1),
        ".jsonl": "\n".join(json.dumps(one) for one in objects),
        ".txt": "\n".join(text for text, _ in ROWS),
        ".po": "\n\n".join(f"msgid {json.dumps(text)}\nmsgstr {json.dumps(label)}" for text, label in ROWS),
        ".tmx": f"<tmx><body>{''.join(_unit(*row) for row in ROWS)}</body></tmx>",
        ".conll": "\n\n".join("\n".join(f"{word} B-X" for word in text.split()) for text, _ in ROWS),
    }[suffix].encode()


def _unit(text: str, label: str) -> str:
    return f'<tu><tuv lang="en"><seg>{text}</seg></tuv><tuv lang="de"><seg>{label}</seg></tuv></tu>'


def of_kind(path) -> tuple[str, ...]:
    """The options that say what a file is of, where its format is of one kind of task alone."""
    return ("--task", "generation") if {".po", ".tmx"} & set(path.suffixes) else ()


def inspected(handled, path, content: bytes):
    path.write_bytes(content)
    return handled("data", "inspect", path, *of_kind(path), naming=(path.name,), keeps=path.parent)


@MANY
def test_any_bytes(cases, handled, tmp_path):
    @settings(max_examples=cases)
    @given(st.binary(max_size=200), st.sampled_from([*SUFFIXES, ".parquet", ".csv.gz", ".jsonl.gz", ".xlsx", ""]))
    def run(content, suffix):
        inspected(handled, tmp_path / f"a{suffix}", content)

    run()


@MANY
def test_good_files_that_were_damaged(cases, handled, tmp_path):
    """Cut short, bytes put in, a stretch doubled or lost, packed and then damaged."""

    @settings(max_examples=cases)
    @given(st.sampled_from(SUFFIXES), st.integers(0, 120), st.integers(0, 30), st.binary(max_size=6), st.booleans())
    def run(suffix, at, length, put, packed):
        content = gzip.compress(good(suffix), mtime=0) if packed else good(suffix)
        damaged = content[:at] + put + content[at + length :]
        inspected(handled, tmp_path / f"a{suffix}{'.gz' if packed else ''}", damaged)

    run()


@MANY
def test_grids_of_any_cells(cases, handled, tmp_path):
    """Ragged rows, doubled and missing columns, cells of any characters."""
    header = st.lists(st.sampled_from(["text", "label", "text_pair", "shot", "split", "x", ""]), max_size=4)

    @settings(max_examples=cases)
    @given(header, st.lists(st.lists(CELL, max_size=4), max_size=4), st.sampled_from([",", "\t", ";"]))
    def run(names, rows, separator):
        content = "\n".join(separator.join(row) for row in [names, *rows])
        inspected(handled, tmp_path / ("a.tsv" if separator == "\t" else "a.csv"), content.encode())

    run()


@MANY
def test_objects_of_any_values(cases, handled, tmp_path):
    """Labels of mixed kinds, nested values, numbers for texts, NaN."""
    one = st.dictionaries(st.sampled_from(["text", "label", "text_pair", "draw", "lang"]), VALUE)

    @settings(max_examples=cases)
    @given(st.lists(one | VALUE, max_size=4), st.sampled_from([".json", ".jsonl"]))
    def run(values, suffix):
        content = json.dumps(values) if suffix == ".json" else "\n".join(map(json.dumps, values))
        inspected(handled, tmp_path / f"a{suffix}", content.encode())

    run()


ODD_LABELS = {
    "a number and a string": ([1, "1"], "line 2: label is '1', a string, and .*line 1: label is 1, a number"),
    "a truth value and a number": (
        [True, 1],
        "line 2: label is 1, a number, and .*line 1: label is True, a truth",
    ),
    "a string and a truth value": (["x", None, False], "line 3: label is False"),
}


@pytest.mark.parametrize("kind", ODD_LABELS)
def test_labels_of_mixed_kinds(answered, tmp_path, kind):
    labels, said = ODD_LABELS[kind]
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(json.dumps({"text": "t", "label": label}) for label in labels))
    with pytest.raises(MetaglotError, match=said):
        read_table(path)
    answered(lambda: read_table(path), naming=("a.jsonl",))


def test_a_label_of_white_space_is_none(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\na, \nb,x\n")
    (tmp_path / "a.jsonl").write_text('{"text": "a", "label": "\\t"}\n{"text": "b", "label": "x"}\n')
    pq.write_table(pa.table({"text": ["a", "b"], "label": ["  ", "x"]}), tmp_path / "a.parquet")
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        assert read_table(tmp_path / name)["label"].to_pylist() == [None, "x"]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_packed_files_are_read_as_they_are_unpacked(tmp_path, suffix):
    (tmp_path / f"a{suffix}").write_bytes(good(suffix))
    if suffix == ".po":
        pytest.importorskip("polib", reason="polib comes with the extra generation")
    cells = {".conll": "spans", ".po": "texts", ".tmx": "texts"}
    read = partial(read_table, cells=cells.get(suffix, "one"))
    half = len(good(suffix)) // 2
    members = gzip.compress(good(suffix)[:half]) + gzip.compress(good(suffix)[half:])
    for name, packed in (("one", gzip.compress(good(suffix))), ("two", members)):
        (tmp_path / f"{name}{suffix}.gz").write_bytes(packed)
        assert read(tmp_path / f"{name}{suffix}.gz").equals(read(tmp_path / f"a{suffix}"))


def test_a_bomb_is_refused_at_the_limit(handled, tmp_path, monkeypatch):
    monkeypatch.setattr(rawfiles, "UNPACKED", 4 << 20)
    content = gzip.compress(b"text,label\n" + b"a" * (64 << 20))
    assert len(content) < 100_000
    said = inspected(handled, tmp_path / "bomb.csv.gz", content)
    assert (said.code, "more than 4 MiB" in said.err) == (2, True)


@pytest.mark.slow
def test_a_bomb_as_large_as_they_come(handled, tmp_path):
    with gzip.open(tmp_path / "bomb.csv.gz", "wb", compresslevel=1) as file:
        file.write(b"text,label\n")
        for _ in range(640):
            file.write(bytes(1 << 20))
    said = handled("data", "inspect", tmp_path / "bomb.csv.gz", naming=("bomb.csv.gz",), code=2)
    assert "more than 512 MiB" in said.err


def test_a_line_of_ten_megabytes(handled, tmp_path):
    said = inspected(handled, tmp_path / "long.csv", b"text,label\n" + b"x " * 5_000_000 + b",a\nb,b\n")
    assert (said.code, "5,000,000" in said.out) == (0, True)


def special(kind: str, folder) -> str:
    """Make a path of some kind in the folder, and return its name."""
    makers = {
        "a pipe": lambda: os.mkfifo(folder / "x.csv"),
        "a device": lambda: os.symlink("/dev/zero", folder / "x.csv"),
        "a circle": lambda: os.symlink("x.csv", folder / "x.csv"),
        "a link to nowhere": lambda: os.symlink("gone", folder / "x.csv"),
        "a folder": lambda: os.mkdir(folder / "x.csv"),
        "a name too long": lambda: None,
        "a path too long": lambda: None,
    }
    makers[kind]()
    return {"a name too long": "x" * 300 + ".csv", "a path too long": "x/" * 3000 + "x.csv"}.get(kind, "x.csv")


SAID = {
    "a pipe": "a pipe, not a file",
    "a device": "a device, not a file",
    "a circle": "Too many levels of symbolic links",
    "a link to nowhere": "a link to gone, which is not there",
    "a folder": "a folder without data files",
    "a name too long": "File name too long",
    "a path too long": "File name too long",
}


@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize("command", ["inspect", "adapt", "predict", "evaluate", "against"])
def test_what_is_no_file(handled, tmp_path, monkeypatch, kind, command):
    """It answers at once: a device and a pipe never end."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.csv").write_bytes(good(".csv"))
    name = special(kind, tmp_path)
    arguments = {
        "inspect": ["data", "inspect", name],
        "against": ["data", "inspect", "good.csv", "--against", name],
        "adapt": ["adapt", "builtin:tiny", name, "--out", "out"],
        "predict": ["predict", "nowhere", name],
        "evaluate": ["evaluate", "builtin:tiny", name, "--out", "out"],
    }[command]
    said = handled(*arguments, naming=(SAID[kind],), code=2)
    assert name[:60] in said.err
    assert not (tmp_path / "out").exists()


def test_folders_in_a_circle_and_folders_without_end(handled, tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(good(".csv"))
    os.symlink("..", tmp_path / "up")
    assert handled("data", "inspect", tmp_path).code == 0
    monkeypatch.setattr(readers, "ENTRIES", 1)
    assert "more than 1 files" in handled("data", "inspect", tmp_path, code=2).err
