"""Where sentences end, and the corpus as tokenised sentences."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaglot.data import sentences as module
from metaglot.data.corpus import Corpus
from metaglot.data.sentences import Sentences, tokenise_sentences
from metaglot.data.splitting import count_words, split_sentences
from metaglot.errors import MetaglotError

CASES = [
    ("Mr. Smith met Dr. Jones. They left.", ["Mr. Smith met Dr. Jones.", "They left."]),
    ("J. K. Rowling and the U.S. Army. Then H.G. Wells.", ["J. K. Rowling and the U.S. Army.", "Then H.G. Wells."]),
    ("It is 3.14 or 1,000.5 or 1. 5. Yes.", ["It is 3.14 or 1,000.5 or 1. 5.", "Yes."]),
    ('"Really?" he said. "Yes!" He left.', ['"Really?" he said.', '"Yes!"', "He left."]),
    ("He left (quickly.) Then… Well?! What!!", ["He left (quickly.)", "Then…", "Well?!", "What!!"]),
    ("See fig. 3 and no. 5. He said no. Then so.", ["See fig. 3 and no. 5.", "He said no.", "Then so."]),
    ("as, e.g. this, i.e. That. End.", ["as, e.g. this, i.e. That.", "End."]),
    ("at home.She too. Www.a.org is. It", ["at home.She too.", "Www.a.org is.", "It"]),
    ("1. First. 2. Second.", ["1. First.", "2. Second."]),
    ("a title\n\nThen a\nline. so", ["a title", "Then a line. so"]),
    ("他来了。“好！”他说。真的？3.5元。", ["他来了。", "“好！”", "他说。", "真的？", "3.5元。"]),
    ("यह एक वाक्य है। यह दूसरा है।", ["यह एक वाक्य है।", "यह दूसरा है।"]),
    ("هل هذا صحيح؟ نعم. شكرا", ["هل هذا صحيح؟", "نعم.", "شكرا"]),
    ("Das ist z.B. Berlin. Str. 5 ist da.", ["Das ist z.B. Berlin.", "Str. 5 ist da."]),
    ("¿Qué? ¡No! Sí.", ["¿Qué?", "¡No!", "Sí."]),
    ("...", ["..."]),
    (" \n ", []),
]


@pytest.mark.parametrize(("text", "expected"), CASES)
def test_sentences_end_where_they_do(text: str, expected: list[str]) -> None:
    assert split_sentences(text) == expected


@given(st.text(st.sampled_from("aB c.!?…。！।\"')1\n .”"), max_size=80))
def test_nothing_but_white_space_is_lost(text: str) -> None:
    found = split_sentences(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(sentence == " ".join(sentence.split()) != "" for sentence in found)


def test_numbers_are_never_cut() -> None:
    for number in ("3.14", "1.000.000,5", "12. 5", "1 . 5", "10!5", "7?8"):
        assert len(split_sentences(f"The value {number} is given")) == 1


def test_words() -> None:
    counts = {"it's a well-known 5th - 12 -- fact": 5, "他来了。abc": 4, "यह है": 2, "- 1 2": 0, "_emph_ x": 2}
    assert {text: count_words(text) for text in counts} == counts


@pytest.fixture
def corpus() -> Corpus:
    texts = ["The sky is blue. Red is the sea. A!", "grass", "Is the sea a green sea, is it blue? The end is a sea."]
    return Corpus(
        "c",
        pa.table(
            {
                "text": texts,
                "domain": pa.array(["land", None, "air"], pa.string()),
                "lang": pa.nulls(3, pa.string()),
                "document": pa.array([4, 4, 9], pa.int32()),
                "row": pa.array([10, 11, 15]),
            }
        ),
        {},
    )


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path))
    return tmp_path


def ids(sentences: Sentences) -> list[list[int]]:
    return [row["input_ids"].tolist() for row in sentences.examples.rows(range(len(sentences)))]


def test_sentences_of_a_corpus(corpus: Corpus, tokenizer: Any) -> None:
    found = tokenise_sentences(corpus, tokenizer, max_length=8, min_words=4)
    assert len(found) == 4
    assert [row["row"] for row in found.examples.rows(range(4))] == [10, 10, 15, 15]
    assert (found.document.tolist(), found.document.dtype) == ([4, 4, 9, 9], np.int32)
    assert (found.domain.tolist(), found.domain.dtype, found.domains) == ([1, 1, 0, 0], np.int32, ("air", "land"))
    lengths = [len(one) for one in ids(found)]
    assert max(lengths) == 8
    expected = tokenizer(["The sky is blue.", "Red is the sea."])["input_ids"]
    assert ids(found)[:2] == [one[:8] for one in expected]


def test_cut_and_tokenised_once(corpus: Corpus, tokenizer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    first = tokenise_sentences(corpus, tokenizer, max_length=8, min_words=2)

    def never(text: str) -> list[str]:
        raise AssertionError(text)

    monkeypatch.setattr(module, "split_sentences", never)
    again = tokenise_sentences(corpus, tokenizer, max_length=8, min_words=2)
    assert ids(again) == ids(first)
    assert again.examples.path == first.examples.path
    with pytest.raises(AssertionError):
        tokenise_sentences(corpus, tokenizer, max_length=8, min_words=3)


def test_chunks_do_not_show(corpus: Corpus, tokenizer: Any, monkeypatch: pytest.MonkeyPatch, own_cache: Path) -> None:
    whole = tokenise_sentences(corpus, tokenizer, max_length=8, min_words=1)
    monkeypatch.setattr(module, "CHUNK", 1)
    monkeypatch.setenv("METAGLOT_CACHE", str(own_cache / "other"))
    parts = tokenise_sentences(corpus, tokenizer, max_length=8, min_words=1)
    assert ids(parts) == ids(whole)
    assert parts.document.tolist() == whole.document.tolist()


def test_damaged_caches_are_made_anew(corpus: Corpus, tokenizer: Any, own_cache: Path) -> None:
    expected = ids(tokenise_sentences(corpus, tokenizer, max_length=8, min_words=2))
    (path,) = (own_cache / "sentences").iterdir()
    content = path.read_bytes()
    at = content.index(b"The sky")
    damages = [b"", content[:-9], content[: len(content) // 2], content[:at] + b"X" + content[at + 1 :]]
    for damaged in damages:
        path.unlink()
        path.write_bytes(damaged)
        assert ids(tokenise_sentences(corpus, tokenizer, max_length=8, min_words=2)) == expected
        assert path.read_bytes() == content


def test_no_sentence_is_long_enough(corpus: Corpus, tokenizer: Any) -> None:
    with pytest.raises(MetaglotError, match="no sentence has 50 words"):
        tokenise_sentences(corpus, tokenizer, max_length=8, min_words=50)
