"""Corpora larger than memory: tables in a file without a name, Parquet in pieces, and how much memory that takes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaglot.data import blocks, bounds, corpus, spool
from metaglot.data.blocks import pack
from metaglot.data.corpus import Cleaning, Corpus, read_corpus, split_corpus
from metaglot.data.seen import Part, seen_of
from metaglot.data.spool import Strings, kept, spooled, taken
from metaglot.data.vocabulary import train_tokenizer
from metaglot.errors import MetaglotError


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Pieces of a few texts, all of them in files; returns the folder of the cache."""
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(spool, "IN_MEMORY", 0)
    monkeypatch.setattr(bounds, "PIECE", 200)
    monkeypatch.setattr(corpus, "PIECE", 200)
    return tmp_path / "cache"


def test_a_table_in_a_file_is_the_table_and_leaves_no_name(small):
    pieces = [pa.table({"text": pa.array([f"t{i}", None]), "row": [i, i + 1]}) for i in range(5)]
    whole = spooled(iter(pieces))
    assert whole.equals(pa.concat_tables(pieces))
    assert os.listdir(small / "texts") == []
    keep = np.array([True, False] * 5)
    assert kept(whole, keep).equals(whole.filter(pa.array(keep)))
    assert kept(whole, keep & False).num_rows == 0
    assert kept(whole, keep | True) is whole


@given(st.lists(st.lists(st.sampled_from(["a", "b", None]), max_size=4), min_size=1, max_size=5), st.data())
def test_rows_are_taken_as_arrow_takes_them(chunks, data):
    column = pa.chunked_array(chunks, pa.string())
    most = 8 if len(column) else 0
    rows = np.array(data.draw(st.lists(st.integers(0, max(0, len(column) - 1)), max_size=most)), np.int64)
    assert taken(column, rows).to_pylist() == column.take(pa.array(rows)).to_pylist()


def test_strings_are_a_sequence(monkeypatch):
    monkeypatch.setattr(spool, "AT_ONCE", 2)
    strings = Strings(pa.chunked_array([["a", "b"], ["c"], ["d", "e"]]))
    assert (list(strings), len(strings), strings[-1], strings[1:3]) == (list("abcde"), 5, "e", ["b", "c"])


def test_a_full_disk_is_said(small, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(spool.tempfile, "TemporaryFile", full)
    with pytest.raises(MetaglotError, match="No space left on device"):
        spooled(iter([pa.table({"text": ["a"]})]))


def source(folder: Path, kind: str) -> Path:
    """Write texts of two domains with repeats, some of them too short; Parquet files come in several row groups."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["ant", "bee", "cow", "dog", "élan"], int(n))) for n in rng.integers(1, 12, 300)]
    texts = [*texts, *texts[:20], *(text.upper() for text in texts[20:30])]
    domains = ["x" if i % 70 < 40 else "y" for i in range(len(texts))]
    if kind == "txt":
        (folder / "c.txt").write_text("\n\n".join(texts))
        return folder / "c.txt"
    table = pa.table({"text": [f" {t} " for t in texts], "domain": domains, "other": list(range(len(texts)))})
    table = table.set_column(1, "domain", table["domain"].dictionary_encode()) if kind == "dictionary" else table
    for part, size in (("1", 200), ("2", len(texts) - 200)):
        pq.write_table(table.slice(200 * (part == "2"), size), folder / f"{part}.parquet", row_group_size=64)
    return folder


@pytest.mark.parametrize("kind", ["txt", "parquet", "dictionary"])
@pytest.mark.parametrize("duplicates", ["keep", "exact", "near"])
def test_pieces_give_the_corpus_the_tokens_and_the_hashes_of_the_whole(small, monkeypatch, tmp_path, kind, duplicates):
    (tmp_path / "c").mkdir()
    path, cleaning = source(tmp_path / "c", kind), Cleaning(min_chars=8, duplicates=duplicates)

    tokenizer = train_tokenizer(Strings(pa.chunked_array([["ant bee cow", "dog"]])), kind="bpe", size=257)

    def everything() -> tuple[Corpus, list[object]]:
        found = read_corpus(path, cleaning, name="c")
        train, held = split_corpus(found, 0.2, seed=0)
        packed = pack(train, tokenizer, length=8)
        seen = seen_of([Part("c", train.table, np.arange(len(train.table)), ())])
        numbers = [part.tolist() for part in (*packed.parts, packed.domain, *seen.marks[:2], *seen.marks.short)]
        return found, [found.table.to_pylist(), dict(found.removed), held.table.to_pylist(), *numbers]

    monkeypatch.setattr(blocks, "CHUNK", 16)
    pieces, first = everything()
    assert pieces.table["text"].num_chunks > 3
    for module, name in ((spool, "IN_MEMORY"), (bounds, "PIECE"), (corpus, "PIECE")):
        monkeypatch.setattr(module, name, 1 << 30)
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path / "again"))
    monkeypatch.setattr(corpus, "texts_of_parquet", lambda *_: None)  # the reader of whole files
    assert first == everything()[1]


def test_what_a_parquet_file_lacks_is_said_by_its_row(small, tmp_path):
    file = tmp_path / "c.parquet"
    pq.write_table(pa.table({"text": [*"abcdefgh" * 20, None]}), file, row_group_size=8)
    with pytest.raises(MetaglotError, match=r"c\.parquet, row 161: the text is missing"):
        read_corpus(file, Cleaning(min_chars=1))
    pq.write_table(pa.table({"text": [1, 2]}), file)
    with pytest.raises(MetaglotError, match="holds int64, not strings"):
        read_corpus(file)
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(MetaglotError, match="not readable as Parquet"):
        read_corpus(file)


@pytest.mark.parametrize("duplicates", ["keep", "exact", "near"])
def test_pairs_of_which_none_is_left_are_said(small, tmp_path, duplicates):
    file = tmp_path / "c.parquet"
    pq.write_table(pa.table({"text": ["ab", "cd"], "text_pair": ["x", None]}), file)
    with pytest.raises(MetaglotError, match="no text is left: 2 short"):
        read_corpus(file, Cleaning(min_chars=9, duplicates=duplicates))


MEASURE = """
import sys, threading, time
from metaglot.data.corpus import read_corpus, split_corpus
def anonymous():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("RssAnon")) // 1024
def watch():
    global peak
    while True:
        peak = max(peak, anonymous())
        time.sleep(0.003)
begin = peak = anonymous()
threading.Thread(target=watch, daemon=True).start()
split_corpus(read_corpus(sys.argv[1]), 0.05, seed=0)
print(peak - begin)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc says what memory a process has")
@pytest.mark.parametrize("kind", ["txt", "parquet"])
def test_thirty_megabytes_take_no_memory_in_proportion(tmp_path, kind):
    texts = [f"{i} " + "the quick brown fox jumps over the lazy dog " * 20 for i in range(34_000)]
    file = tmp_path / f"c.{kind}"
    file.write_text("\n\n".join(texts)) if kind == "txt" else pq.write_table(pa.table({"text": texts}), file)
    # What is let go is given back to the system at once, so that only what is held is measured.
    settings = {"ARROW_DEFAULT_MEMORY_POOL": "system", "MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536"}
    settings["METAGLOT_CACHE"] = str(tmp_path / "cache")
    command = [sys.executable, "-c", MEASURE, str(file)]
    done = subprocess.run(command, env={**os.environ, **settings}, capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 80, done.stdout  # read whole, 43 MB had taken 339
