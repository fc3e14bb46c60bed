"""A corpus as tokenised sentences, each with its document and domain; cut once, tokenised once, memory-mapped."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import pyarrow as pa

from metaglot.data.arrays import Put, cached_arrays, parts_of
from metaglot.data.corpus import Corpus, codes_of
from metaglot.data.fingerprint import fingerprint
from metaglot.data.splitting import count_words, split_sentences
from metaglot.data.store import TextSet, tokenise
from metaglot.errors import MetaglotError

FORMAT = 1  # a change of the splitting counts it up
CHUNK = 1 << 14  # texts cut at a time


@dataclass(frozen=True)
class Sentences:
    """The sentences of a corpus in its order, tokenised."""

    examples: TextSet  # one row a sentence; its `row` is that of the text in the source
    document: np.ndarray  # [n] int32
    domain: np.ndarray  # [n] int32, in `domains`; -1 where there is none
    domains: tuple[str, ...]  # sorted
    max_length: int = 0  # tokens that a longer sentence was cut to; 0: it is not known whether any was

    def __len__(self) -> int:
        return len(self.examples)


def tokenise_sentences(
    corpus: Corpus,
    tokenizer: Any,
    *,
    max_length: int,
    min_words: int = 5,
    progress: Callable[[int, int], None] | None = None,
) -> Sentences:
    """Return the sentences (`data.splitting`) of at least `min_words` words, cut to `max_length` tokens.

    What was cut or tokenised before comes from the cache.  `progress(done, total)` counts sentences tokenised.
    Raises MetaglotError where no sentence is long enough.
    """
    table, at = _cut(corpus, min_words)
    if not len(at):
        raise MetaglotError(f"{corpus.name}: no sentence has {min_words} words. Lower min_words, or give other text.")
    examples = tokenise(table, tokenizer, name=corpus.name, max_length=max_length, progress=progress)
    domain, domains = codes_of(corpus.table["domain"])
    return Sentences(examples, corpus.table["document"].to_numpy()[at], domain[at], domains, max_length)


def _cut(corpus: Corpus, min_words: int) -> tuple[pa.Table, np.ndarray]:
    """Return the canonical table of the sentences, and for each the position [n] of its text in the corpus."""
    texts = corpus.table.select(["text"])

    def make(put: Put) -> None:
        for part, start in enumerate(range(0, len(texts), CHUNK)):
            _put_chunk(put, part, cast("list[str]", texts["text"].slice(start, CHUNK).to_pylist()), start, min_words)

    arrays = cached_arrays("sentences", fingerprint(texts, str(min_words), str(FORMAT)), make)
    at = np.concatenate([np.zeros(0, np.int32), *parts_of(arrays, "at")])
    rows = pa.array(at)
    rest = {name: corpus.table[name].take(rows) for name in ("domain", "lang", "row")}
    return pa.table({"text": _strings(arrays), **rest}), at


def _put_chunk(put: Put, part: int, texts: list[str], start: int, min_words: int) -> None:
    sentences: list[str] = []
    at: list[int] = []
    for number, text in enumerate(texts, start):
        some = [sentence for sentence in split_sentences(text) if count_words(sentence) >= min_words]
        sentences += some
        at += [number] * len(some)
    column = pa.array(sentences, pa.string())
    _, offsets, data = column.buffers()
    put(f"at/{part}", np.array(at, np.int32))
    put(f"offsets/{part}", np.frombuffer(offsets, np.int32)[: len(sentences) + 1])
    put(f"text/{part}", np.frombuffer(data or b"", np.uint8))


def _strings(arrays: Mapping[str, np.ndarray]) -> pa.ChunkedArray:
    """Return the sentences as strings that lie in the mapped file."""
    parts = zip(parts_of(arrays, "offsets"), parts_of(arrays, "text"), strict=True)
    chunks = [
        pa.Array.from_buffers(pa.string(), len(offsets) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(text)])
        for offsets, text in parts
    ]
    return pa.chunked_array(chunks, pa.string())
