"""Packing: every token once and in order, no block with two domains, what is dropped and what is said."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaglot.data import blocks as module
from metaglot.data.blocks import Blocks, pack
from metaglot.data.corpus import Corpus
from metaglot.data.vocabulary import train_tokenizer
from metaglot.errors import MetaglotError

WORDS = ["the", "cat", "sat", "upon", "a", "mat", "dogs", "ran", "home"]
TOKENIZERS = {
    kind: train_tokenizer([" ".join(WORDS)] * 3, kind=kind, size=size)  # pyright: ignore
    for kind, size in (("wordpiece", 80), ("bpe", 280))
}
NAMES = ("ann", "bob", "cy")


def corpus_of(texts: list[str], domains: list[str | None], documents: list[int]) -> Corpus:
    columns = {"text": pa.array(texts, pa.string()), "domain": pa.array(domains, pa.string())}
    numbers = {"document": pa.array(documents, pa.int32()), "row": pa.array(np.arange(len(texts)))}
    return Corpus("c", pa.table({**columns, "lang": pa.nulls(len(texts), pa.string()), **numbers}), {})


def expected_stream(corpus: Corpus, tokenizer: Any, domain: str | None) -> list[int]:
    """The tokens of a domain by hand, documents parted."""
    rows = [row for row in corpus.table.to_pylist() if row["domain"] == domain]
    between = tokenizer.eos_token_id if tokenizer.sep_token_id is None else tokenizer.sep_token_id
    line = "\n" if tokenizer.sep_token_id is None else ""
    documents = sorted({row["document"] for row in rows})
    stream: list[int] = []
    for number, document in enumerate(documents):
        texts = [row["text"] for row in rows if row["document"] == document]
        for text in [*(text + line for text in texts[:-1]), texts[-1]]:
            stream += tokenizer(text, add_special_tokens=False)["input_ids"]
        stream += [between] if number < len(documents) - 1 else []
    return stream


def inner(blocks: Blocks, tokenizer: Any, chosen: list[int]) -> list[int]:
    rows = [row["input_ids"].tolist() for row in blocks.rows(chosen)]
    assert all(len(row) == blocks.length for row in rows)
    if tokenizer.cls_token_id is None:
        return [token for row in rows for token in row]
    assert all((row[0], row[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id) for row in rows)
    return [token for row in rows for token in row[1:-1]]


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("METAGLOT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(module, "CHUNK", 3)
        patch.setattr(module, "BLOCKS", 2)
        yield


row = st.tuples(
    st.lists(st.sampled_from(WORDS), max_size=9).map(" ".join), st.sampled_from([*NAMES, None]), st.integers(0, 2)
)


@pytest.mark.parametrize("kind", list(TOKENIZERS))
@given(rows=st.lists(row, min_size=1, max_size=14), length=st.integers(4, 12))
def test_no_token_is_lost_or_made(kind: str, rows: list[tuple[str, str | None, int]], length: int) -> None:
    tokenizer = TOKENIZERS[kind]
    texts, domains, numbers = (list(column) for column in zip(*rows, strict=True))
    documents = [3 * (0 if d is None else 1 + NAMES.index(d)) + n for d, n in zip(domains, numbers, strict=True)]
    corpus = corpus_of(texts, domains, documents)
    streams = {d: expected_stream(corpus, tokenizer, d) for d in set(domains)}
    room = length - 2 * (kind == "wordpiece")
    if room < 2 or all(len(stream) < room for stream in streams.values()):
        with pytest.raises(MetaglotError, match="needs at least" if room < 2 else "no domain fills"):
            pack(corpus, tokenizer, length=length)
        return
    blocks = pack(corpus, tokenizer, length=length)
    assert blocks.domains == tuple(sorted(d for d in streams if d is not None))
    assert len(blocks) == sum(len(stream) // room for stream in streams.values())
    for domain, stream in streams.items():
        code = -1 if domain is None else blocks.domains.index(domain)
        chosen = np.flatnonzero(blocks.domain == code).tolist()
        assert inner(blocks, tokenizer, chosen) == stream[: len(stream) // room * room]
    assert blocks.dropped == sum(len(stream) % room for stream in streams.values())


def small() -> Corpus:
    texts = ["the cat sat upon a mat", "dogs ran home", "the cat ran"] * 4
    return corpus_of(texts, [NAMES[i // 6] for i in range(12)], [i // 3 for i in range(12)])


def test_what_separates_documents_and_texts() -> None:
    gpt, bert = TOKENIZERS["bpe"], TOKENIZERS["wordpiece"]
    two = corpus_of(["a", "a", "a"], [None] * 3, [0, 0, 1])
    (block,) = pack(two, gpt, length=5).rows([0])
    assert gpt.decode(block["input_ids"]) == "a\na<|endoftext|>a"
    (block,) = pack(two, bert, length=6).rows([0])
    assert bert.decode(block["input_ids"]) == "[CLS] a a [SEP] a [SEP]"


def test_rows_are_copies_in_any_order() -> None:
    blocks = pack(small(), TOKENIZERS["bpe"], length=6)
    first, last = blocks.rows([0, len(blocks) - 1])
    assert first["input_ids"].dtype == np.int64
    first["input_ids"][:] = 0
    again = blocks.rows(np.array([len(blocks) - 1, 0]))
    assert again[0]["input_ids"].tolist() == last["input_ids"].tolist()
    assert again[1]["input_ids"].any()
    for wrong in (-1, len(blocks)):
        with pytest.raises(IndexError):
            blocks.rows([wrong])


def test_packed_once_and_anew_when_damaged_or_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path))
    said: list[tuple[int, int]] = []

    def make(corpus: Corpus, length: int = 6) -> list[list[int]]:
        packed = pack(corpus, TOKENIZERS["bpe"], length=length, progress=lambda done, total: said.append((done, total)))
        return [one["input_ids"].tolist() for one in packed.rows(range(len(packed)))]

    first = make(small())
    assert said == [(3, 12), (6, 12), (9, 12), (12, 12)]
    assert make(small()) == first
    assert len(said) == 4
    (path,) = (tmp_path / "blocks").iterdir()
    content = path.read_bytes()
    at = content.index(np.array(first[:2], np.int32).tobytes())
    for damaged in (b"", content[:-9], content[: len(content) // 2], content[:at] + b"\xff" + content[at + 1 :]):
        path.unlink()
        path.write_bytes(damaged)
        assert make(small()) == first
        assert path.read_bytes() == content
    moved = small().table.set_column(3, "document", pa.array([0] * 12, pa.int32()))
    assert make(Corpus("c", moved, {})) != first
    assert make(small(), length=7) != first
    assert len(list((tmp_path / "blocks").iterdir())) == 3


def test_errors() -> None:
    with pytest.raises(MetaglotError, match="no domain fills a block of 500 tokens"):
        pack(small(), TOKENIZERS["bpe"], length=500)
    with pytest.raises(MetaglotError, match="needs at least 4 tokens"):
        pack(small(), TOKENIZERS["wordpiece"], length=3)


def test_a_tokenizer_without_an_end_is_refused() -> None:
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_object=TOKENIZERS["bpe"].backend_tokenizer)
    with pytest.raises(MetaglotError, match="eos_token"):
        pack(small(), bare, length=6)
