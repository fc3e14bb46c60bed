"""Corpora: what the filters take, which texts make a document, what is held out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaglot.data.corpus import RUN, Cleaning, Corpus, codes_of, read_corpus, split_corpus
from metaglot.data.folding import folded
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError

ALL = Cleaning(min_chars=1, duplicates="keep")
FOX = "a quick brown fox jumps over the lazy dog near the river bank while seven wizards look on in mild surprise"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes columns as a Parquet file."""

    def write(name: str = "c.parquet", **columns: list[Any]) -> Path:
        pq.write_table(pa.table(columns), tmp_path / name)
        return tmp_path / name

    return write


def made(documents: list[int]) -> Corpus:
    """A corpus of one text for each number of a document."""
    count = len(documents)
    columns = {"text": pa.array([f"text {i}" for i in range(count)]), "domain": pa.nulls(count, pa.string())}
    numbers = {"document": pa.array(documents, pa.int32()), "row": pa.array(np.arange(count))}
    return Corpus("made", pa.table({**columns, "lang": columns["domain"], **numbers}), {})


def test_every_filter_takes_its_texts_and_counts_them(write: Write) -> None:
    rows = [
        ("short", "a", "en"),
        ("x" * 101, "a", "en"),
        (f"  {FOX} one ", "a", "en"),
        (f"{FOX} two", "a", "de"),
        (f"{FOX} three", "b", "en"),
        (f"{FOX} four", None, None),
        (f"{FOX.upper()}, One!", "c", "en"),
    ]
    text, domain, lang = (list(column) for column in zip(*rows, strict=True))
    path = write(text=text, domain=domain, lang=lang)
    length = len(FOX) + 6
    cleaning = Cleaning(languages=("en",), without_domains=("b",), min_chars=10, max_chars=length)
    corpus = read_corpus(path, cleaning)
    assert corpus.table["text"].to_pylist() == ["x" * 101, f"{FOX} one", f"{FOX} four"]
    assert corpus.table["row"].to_pylist() == [1, 2, 5]
    assert corpus.table.schema.types == [pa.string(), pa.string(), pa.string(), pa.int32(), pa.int64()]
    expected = {"short": 1, "long": 0, "language": 1, "domain": 1, "duplicate": 1, "near-duplicate": 0}
    assert corpus.removed == expected
    assert corpus.name == "c"
    kept = read_corpus(path, cleaning._replace(max_chars=100 + len("x"), domains=("a", "c"), languages=()), name="n")
    assert kept.removed["long"] == len([t for t in text if len(t.strip()) > 101])
    assert kept.name == "n"


def test_domains_chosen(write: Write) -> None:
    path = write(text=["one", "two", "three", "four"], domain=["a", "b", None, "a"])
    assert read_corpus(path, ALL._replace(domains=("a",))).table["text"].to_pylist() == ["one", "four"]
    both = read_corpus(path, ALL._replace(without_domains=("a",)))
    assert both.table["text"].to_pylist() == ["two", "three"]
    assert both.removed["domain"] == 2


def test_near_duplicates_go_and_texts_of_one_kind_stay(write: Write) -> None:
    rng = np.random.default_rng(0)
    words = [f"w{i}" for i in range(2000)]
    texts = [" ".join(rng.choice(words, int(n))) for n in rng.integers(12, 80, 200)]
    edited = [" ".join(["changed", *t.split()[1:]]) for t in texts[:50]]
    path = write(text=[*texts, *edited, *texts[50:60], texts[0].upper()])
    near = read_corpus(path, Cleaning(min_chars=1, duplicates="near"))
    assert near.removed["duplicate"] == 11
    assert near.removed["near-duplicate"] == 50
    assert near.table["row"].to_pylist() == list(range(200))
    exact = read_corpus(path, Cleaning(min_chars=1))
    assert (exact.removed["duplicate"], exact.removed["near-duplicate"]) == (11, 0)
    many = write("many.parquet", text=[f"{FOX} number {i}" for i in range(3000)])
    assert read_corpus(many, Cleaning(duplicates="near")).table["row"].to_pylist() == [0]


@given(st.lists(st.sampled_from(["Ab c", "ab  C!", "b c", "ß", "SS", "…", "!", " !"]), min_size=1, max_size=12))
def test_exactly_the_first_of_each_folded_text_stays(
    tmp_path_factory: pytest.TempPathFactory, texts: list[str]
) -> None:
    path = tmp_path_factory.mktemp("c") / "c.jsonl"
    path.write_text("\n".join(json.dumps({"text": t}) for t in texts))
    first: dict[str, int] = {}
    for row, text in enumerate(texts):
        first.setdefault(folded(text.strip()), row)
    assert read_corpus(path, Cleaning(min_chars=1)).table["row"].to_pylist() == list(first.values())


def test_documents_of_a_column_and_of_runs(write: Write) -> None:
    named = write(text=list("abcdef"), domain=["x", "x", "y", "y", "x", "x"], document=[7, 7, 7, 8, 7, None])
    assert read_corpus(named, ALL).table["document"].to_pylist() == [0, 0, 1, 2, 0, 3]
    other = read_corpus(write(text=list("ab"), doc=["q", "p"]), ALL, columns={"document": "doc"})
    assert other.table["document"].to_pylist() == [0, 1]
    sizes = [RUN + 3, 2, 2 * RUN]
    domains = [name for name, size in zip("xyx", sizes, strict=True) for _ in range(size)]
    runs = read_corpus(write(text=[f"t{i}" for i in range(sum(sizes))], domain=domains), ALL)
    assert np.bincount(runs.table["document"].to_numpy()).tolist() == [RUN, 3, 2, RUN, RUN]


def test_a_filter_does_not_move_the_borders_of_documents(write: Write) -> None:
    texts = ["x" if i < RUN - 2 else f"long enough {i}" for i in range(2 * RUN)]
    documents = read_corpus(write(text=texts), Cleaning(min_chars=5)).table["document"].to_pylist()
    assert documents == [0] * 2 + [1] * RUN


def test_plain_text(tmp_path: Path) -> None:
    folder = tmp_path / "books"
    for name in ("ann", "bob", "train"):
        (folder / name).mkdir(parents=True)
    (folder / "ann" / "1.txt").write_text("One line\nand more.\n\n \t\nTwo.\r\n\r\nThree.\n")
    (folder / "bob" / "2.txt").write_text("Lines\nwithout\nblank ones\n")
    (folder / "train" / "3.text").write_text("Last.")
    (folder / "4.txt").write_text("Here.")
    corpus = read_corpus(folder, ALL)
    rows = {(r["domain"], r["document"]): [] for r in corpus.table.to_pylist()}
    for r in corpus.table.to_pylist():
        rows[r["domain"], r["document"]].append(r["text"])
    assert rows == {
        (None, 0): ["Here."],
        ("ann", 1): ["One line and more.", "Two.", "Three."],
        ("bob", 2): ["Lines", "without", "blank ones"],
        (None, 3): ["Last."],
    }
    alone = tmp_path / "alone.txt"
    alone.write_text("\n\n".join(f"Paragraph {i}." for i in range(RUN + 1)))
    assert read_corpus(alone, ALL).table["document"].to_pylist() == [0] * RUN + [1]


def test_readers_without_more_read_what_they_did(write: Write) -> None:
    path = write(text=["a"], document=["d"], other=["o"])
    assert read_table(path).column_names == ["text", "row"]
    assert read_table(path, more=("document",)).column_names == ["text", "document", "row"]
    with pytest.raises(MetaglotError, match="unknown column 'document'"):
        read_table(path, mapping={"document": "document"})


@given(st.lists(st.integers(0, 9), min_size=2, max_size=60), st.floats(0.01, 0.99), st.integers(0, 99))
def test_a_split_is_disjoint_by_document_and_whole(documents: list[int], share: float, seed: int) -> None:
    corpus = made(documents)
    count = len(set(documents))
    if count < 2:
        with pytest.raises(MetaglotError, match="one document"):
            split_corpus(corpus, share, seed=seed)
        return
    train, held = split_corpus(corpus, share, seed=seed)
    mine, theirs = (set(part.table["document"].to_pylist()) for part in (train, held))
    assert not mine & theirs
    assert mine | theirs == set(documents)
    assert mine
    assert theirs
    assert abs(len(theirs) - share * count) <= 1
    assert sorted([*train.table["row"].to_pylist(), *held.table["row"].to_pylist()]) == list(range(len(documents)))
    again = split_corpus(corpus, share, seed=seed)[1]
    assert again.table.equals(held.table)


def test_a_split_depends_on_the_seed() -> None:
    parts = {tuple(split_corpus(made(list(range(50))), 0.2, seed=s)[1].table["row"].to_pylist()) for s in range(5)}
    assert len(parts) == 5


def test_codes() -> None:
    codes, names = codes_of(pa.chunked_array([["b", None], ["a", "b"], []], pa.string()))
    assert (codes.tolist(), codes.dtype, names) == ([1, -1, 0, 1], np.int32, ("a", "b"))


@pytest.mark.parametrize(
    ("cleaning", "message"),
    [
        (ALL._replace(languages=("eng",)), r"no text in the language 'eng' \(did you mean 'en'\?\); it has de, en\."),
        (ALL._replace(domains=("author",)), r"domain 'author' \(did you mean 'authors'\?\); it has authors, news\."),
        (ALL._replace(without_domains=("zzz",)), r"domain 'zzz'; it has authors, news\."),
        (ALL._replace(min_chars=100), r"no text is left: 2 short\. Loosen"),
        (ALL._replace(min_chars=0), "min_chars is 0"),
        (ALL._replace(min_chars=9, max_chars=8), "max_chars is 8"),
        (Cleaning(duplicates="fuzzy"), "'fuzzy'; choose from keep, exact, near"),  # pyright: ignore
    ],
)
def test_errors(write: Write, cleaning: Cleaning, message: str) -> None:
    path = write(text=["one", "two"], domain=["authors", "news"], lang=["en", "de"])
    with pytest.raises(MetaglotError, match=message):
        read_corpus(path, cleaning)


def test_errors_of_sources(tmp_path: Path, write: Write) -> None:
    (tmp_path / "some.txt").write_text("text")
    with pytest.raises(MetaglotError, match=r"did you mean 'some\.txt'"):
        read_corpus(tmp_path / "same.txt")
    with pytest.raises(MetaglotError, match="none is stated"):
        read_corpus(write(text=["one"]), ALL._replace(languages=("en",)))
    for share in (0, 1, -0.5):
        with pytest.raises(MetaglotError, match="between 0 and 1"):
            split_corpus(made([0, 1]), share, seed=0)
