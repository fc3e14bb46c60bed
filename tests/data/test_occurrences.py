"""The index of words against a search by hand, for the three ways that tokenizers mark where words begin."""

import time
import unicodedata
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.data import places, store, units
from metaglot.data.occurrences import WordIndex, continuations, index_words
from metaglot.data.sentences import Sentences
from metaglot.errors import MetaglotError

KINDS = ["wordpiece", "cased", "bytes", "space", "space-bytes", "left"]


class Found(NamedTuple):
    """A word found by hand in the text of a sentence."""

    word: str
    last: bool  # nothing follows it
    begins: bool  # nothing stands before it


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAGLOT_CACHE", str(folder))
        yield folder


def made_of(texts: list[str], tokenizer: Any, max_length: int) -> Sentences:
    table = pa.table({"text": pa.array(texts, pa.string()), "row": pa.array(np.arange(len(texts)))})
    examples = store.tokenise(table, tokenizer, name="made", max_length=max_length)
    none = np.full(len(texts), -1, np.int32)
    return Sentences(examples, none, none, (), max_length)


def text_of(ids: list[int], tokenizer: Any) -> str:
    """The text that tokens stand for; an unknown character is \ufffd, an unknown word a dot."""
    whole = tokenizer.mask_token_id is not None  # WordPiece
    special = set(tokenizer.all_special_ids) - (set() if whole else {tokenizer.unk_token_id})
    kept = [i for i in ids if i not in special or (whole and i == tokenizer.unk_token_id)]
    tokens = tokenizer.convert_ids_to_tokens(kept)
    if whole:
        return " ".join(tokens).replace("[UNK]", ".").replace(" ##", "").removeprefix("##")
    return tokenizer.backend_tokenizer.decoder.decode(tokens).replace("<unk>", "\ufffd")


def by_hand(text: str) -> list[Found]:
    """Words as the module defines them, character by character."""
    found: list[Found] = []
    run = ""
    for at, char in enumerate([*text, " "]):
        if char == "\ufffd" or unicodedata.category(char)[0] in ("L", "M", "N"):
            run += char
            continue
        letters = all(unicodedata.category(c)[0] in ("L", "M") for c in run)
        if run and letters and unicodedata.category(run[0])[0] == "L":
            found.append(Found(run, at == len(text), text[: at - len(run)].strip() == ""))
        run = ""
    return found


def expected_of(sentences: Sentences, tokenizer: Any) -> tuple[dict[str, list[int]], list[Counter[str]]]:
    """For each word the sentences where it can be told; for each sentence how often each word stands."""
    rows = [row["input_ids"].tolist() for row in sentences.examples.rows(range(len(sentences)))]
    words: dict[str, list[int]] = {}
    counts: list[Counter[str]] = []
    for number, ids in enumerate(rows):
        found = by_hand(text_of(ids, tokenizer))
        left = tokenizer.truncation_side == "left"
        cut = {f.word for f in found if len(ids) == sentences.max_length and (f.begins if left else f.last)}
        for one in ids:  # byte-level BPE has tokens such as 's
            part = text_of([one], tokenizer).strip()
            cut |= {f.word for f in by_hand(part)} - {part}
        counts.append(Counter(f.word for f in found))
        for word in counts[-1].keys() - cut:
            words.setdefault(word, []).append(number)
    return words, counts


def indexed(sentences: Sentences, tokenizer: Any, min_count: int) -> WordIndex | None:
    """The index, or None where no word is common enough."""
    try:
        return index_words(sentences, tokenizer, min_count=min_count)
    except MetaglotError as error:
        if "no word stands" in str(error):
            return None
        raise


def check_spans(index: WordIndex, sentences: Sentences, tokenizer: Any, counts: list[Counter[str]]) -> int:
    """Every span decodes to its word, and there are as many as the word stands; return how many there were."""
    checked = 0
    for word, text in enumerate(index.words):
        for sentence in index.sentences(word).tolist():
            ids = sentences.examples.rows([sentence])[0]["input_ids"].tolist()
            spans = index.spans(word, sentence)
            assert [text_of(ids[a:b], tokenizer).strip() for a, b in spans] == [text] * len(spans)
            assert len(spans) == counts[sentence][text] > 0
            assert all(b <= c for (_, b), (c, _) in pairwise(spans))
            checked += len(spans)
    return checked


def texts_from(words: list[str]) -> st.SearchStrategy[list[str]]:
    sentence = st.lists(st.sampled_from(words), min_size=1, max_size=14).map(" ".join)
    return st.lists(sentence, min_size=1, max_size=20)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(data=st.data())
def test_the_index_is_what_a_search_by_hand_finds(
    kind: str, data: st.DataObject, tokenizers: dict[str, Any], odd_words: list[str]
) -> None:
    tokenizer = tokenizers[kind]
    texts = data.draw(texts_from(odd_words))
    max_length, min_count = data.draw(st.sampled_from([8, 20, 80])), data.draw(st.integers(1, 3))
    sentences = made_of(texts, tokenizer, max_length)
    expected, counts = expected_of(sentences, tokenizer)
    index = indexed(sentences, tokenizer, min_count)
    found = {} if index is None else {text: index.sentences(w).tolist() for w, text in enumerate(index.words)}
    common = {word: rows for word, rows in expected.items() if len(rows) >= min_count}
    assert found.items() <= common.items()
    for word in common.keys() - found.keys():  # words of many tokens
        assert min(len(tokenizer.tokenize(form)) for form in (word, f" {word}")) > 4
    if index is not None:
        assert check_spans(index, sentences, tokenizer, counts) > 0
        assert index.counts.tolist() == [len(found[word]) for word in index.words]
        assert index.length.max() <= 4


@settings(max_examples=25)
@given(data=st.data())
def test_a_word_within_a_token_of_more_spoils_the_sentence(
    data: st.DataObject, tokenizers: dict[str, Any], odd_words: list[str]
) -> None:
    tokenizer = tokenizers["mixed"]
    sentences = made_of(data.draw(texts_from(odd_words)), tokenizer, 200)
    expected, counts = expected_of(sentences, tokenizer)
    index = indexed(sentences, tokenizer, 1)
    if index is None:
        return
    check_spans(index, sentences, tokenizer, counts)
    for word, text in enumerate(index.words):
        for sentence in set(expected[text]) - set(index.sentences(word).tolist()):
            ids = sentences.examples.rows([sentence])[0]["input_ids"].tolist()
            tokens = [t.lstrip("▁") for t in tokenizer.convert_ids_to_tokens(ids)]
            assert any(not t.isalpha() and any(c.isalpha() for c in t) for t in tokens)


def test_there_are_tokens_of_more_and_words_of_several(tokenizers: dict[str, Any], odd_texts: list[str]) -> None:
    mixed = [t.lstrip("▁") for t in tokenizers["mixed"].get_vocab()]
    assert any(not t.isalpha() and any(c.isalpha() for c in t) for t in mixed if "<" not in t)
    for kind in KINDS:
        sentences = made_of(odd_texts, tokenizers[kind], 80)
        index = index_words(sentences, tokenizers[kind], min_count=2)
        assert set(index.length.tolist()) >= {1, 2, 3}
        assert {"cat", "dog", "sun"} <= set(index.words)
        assert "cat3" not in index.words


def test_places_are_read_from_the_file_and_unknown_ones_are_none(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["wordpiece"]
    sentences = made_of(["the cat and the dog", "a dog", "the sun"], tokenizer, 30)
    index = index_words(sentences, tokenizer, min_count=1)
    the = index.words.index("the")
    assert index.sentences(the).tolist() == [0, 2]
    first, second = index.spans(the, 0)
    assert first[0] == 1 < first[1] < second[0]
    assert index.spans(the, 1) == index.spans(the, 77) == index.spans(index.words.index("a"), 2) == []
    assert not index.sentences(the).flags.writeable


def test_commonest_words_only(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["wordpiece"]
    texts = ["dog sun cat", "dog sun", "dog", "dog dog"]
    sentences = made_of(texts, tokenizer, 30)
    index = index_words(sentences, tokenizer, min_count=1, max_words=2)
    assert (index.words, index.counts.tolist(), len(index)) == (("dog", "sun"), [4, 2], 2)
    assert index_words(sentences, tokenizer, min_count=2).words == ("dog", "sun")
    with pytest.raises(MetaglotError, match="no word stands in 5 of its 4 sentences"):
        index_words(sentences, tokenizer, min_count=5)
    for wrong in ({"min_count": 0}, {"max_words": 0}):
        with pytest.raises(MetaglotError, match="at least 1"):
            index_words(sentences, tokenizer, **wrong)


def test_batches_do_not_show(
    tokenizers: dict[str, Any], odd_texts: list[str], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "BATCH", 50)  # rows of a record batch
    texts = odd_texts[:-7]
    tokenizer, said = tokenizers["bytes"], list[tuple[int, int]]()
    sentences = made_of(texts, tokenizer, 200)
    whole = index_words(sentences, tokenizer, min_count=2, progress=lambda done, total: said.append((done, total)))
    assert said == [(len(texts), 2 * len(texts)), (2 * len(texts), 2 * len(texts))]
    monkeypatch.setattr(units, "STEP", 1)
    monkeypatch.setattr(places, "SLICE", 7)
    monkeypatch.setenv("METAGLOT_CACHE", str(own_cache / "other"))
    parts = index_words(sentences, tokenizer, min_count=2)
    for name in ("words", "counts", "length", "first", "sentence", "begin", "start", "size"):
        assert np.array_equal(getattr(parts, name), getattr(whole, name))
    assert all(getattr(whole, name).dtype.kind in "iu" for name in ("counts", "first", "sentence", "begin", "start"))
    expected, _ = expected_of(sentences, tokenizer)
    for word, text in enumerate(whole.words):
        assert whole.sentences(word).tolist() == expected[text]


def test_made_once_and_anew_when_damaged(
    tokenizers: dict[str, Any], odd_texts: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path))
    tokenizer = tokenizers["space"]
    sentences = made_of(odd_texts, tokenizer, 60)
    first, said = index_words(sentences, tokenizer), list[int]()
    index_words(sentences, tokenizer, progress=lambda done, total: said.append(done))
    assert said == []
    (path,) = (tmp_path / "words").iterdir()
    content = path.read_bytes()
    at = content.index(first.sentence.tobytes())
    for damaged in (b"", content[:-9], content[: len(content) // 2], content[:at] + b"\xff" + content[at + 1 :]):
        path.unlink()
        path.write_bytes(damaged)
        assert index_words(sentences, tokenizer).sentences(0).tolist() == first.sentences(0).tolist()
        assert path.read_bytes() == content


def test_an_episode_is_read_in_less_than_a_millisecond(tokenizers: dict[str, Any], odd_words: list[str]) -> None:
    tokenizer = tokenizers["wordpiece"]
    texts = [" ".join(words) for words in np.random.default_rng(0).choice(odd_words[:12], (5000, 9))]
    sentences = made_of(texts, tokenizer, 40)
    index = index_words(sentences, tokenizer)
    rng = np.random.default_rng(0)
    spent: list[float] = []
    for _ in range(30):
        chosen = rng.choice(len(index), 5, replace=False).tolist()
        picks = [rng.choice(index.sentences(word), 10) for word in chosen]
        start = time.process_time()
        for word, pick in zip(chosen, picks, strict=True):
            assert len(sentences.examples.rows(pick)) == 10
            assert all(index.spans(word, sentence) for sentence in pick.tolist())
        spent.append(time.process_time() - start)
    assert min(spent) < 1e-3


def test_whole_words_are_never_continued(tokenizer: Any) -> None:
    assert not continuations(tokenizer).any()
    sentences = made_of(["the sky is blue", "the sea is blue"], tokenizer, 9)
    index = index_words(sentences, tokenizer, min_count=2)
    assert set(index.words) == {"the", "is", "blue"}


def test_the_smallest_sets(tokenizers: dict[str, Any]) -> None:
    tokenizer = tokenizers["left"]
    with pytest.raises(MetaglotError, match="no word"):
        index_words(made_of(["", "", "…"], tokenizer, 9), tokenizer, min_count=1)
    with pytest.raises(MetaglotError, match="another tokenizer"):
        index_words(made_of(["the cat sat"], tokenizers["bytes"], 9), tokenizers["wordpiece"], min_count=1)
