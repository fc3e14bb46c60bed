"""A corpus packed into blocks of one length for language modelling, memory-mapped; no block crosses a domain.

    encoders    [CLS] t₁ … t_{T−2} [SEP],  with [SEP] between documents
    decoders    t₁ … t_T,                  with the end-of-text token between documents

The texts of a document follow one another, parted by a line break where the tokenizer has a token for it.  Of every
domain the last tokens that do not fill a block are dropped: fewer than the block holds, so that a domain with too
little text has no block.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from itertools import chain
from typing import Any, NamedTuple, cast

import numpy as np

from metaglot.data.arrays import Put, cached_arrays, parts_of
from metaglot.data.corpus import Corpus, codes_of
from metaglot.data.encode import Encoder
from metaglot.data.fingerprint import fingerprint
from metaglot.data.spool import taken
from metaglot.errors import MetaglotError

FORMAT = 1  # a change of the packing counts it up
CHUNK = 1 << 11  # texts tokenised at a time
BLOCKS = 1 << 12  # blocks of one part of the file

Progress = Callable[[int, int], None] | None


@dataclass(frozen=True)
class Blocks:
    """Packed text."""

    length: int  # tokens of a block
    domain: np.ndarray  # [n] int32, in `domains`; -1 where there is none
    domains: tuple[str, ...]  # sorted, those without a block too
    dropped: int  # tokens at the ends of domains that filled no block
    parts: tuple[np.ndarray, ...]  # [BLOCKS, length] int32 each, the last one shorter

    def __len__(self) -> int:
        return len(self.domain)

    def rows(self, indices: Sequence[int] | np.ndarray) -> list[dict[str, Any]]:
        """Return blocks by position: input_ids [length] int64, copies.  Raises IndexError beyond the end."""
        rows_read: list[dict[str, Any]] = []
        for index in np.asarray(indices, dtype=np.int64).tolist():
            if not 0 <= index < len(self):
                raise IndexError(f"block {index} of {len(self)}")
            rows_read.append({"input_ids": self.parts[index // BLOCKS][index % BLOCKS].astype(np.int64)})
        return rows_read


class _Frame(NamedTuple):
    """The tokens that are put in."""

    first: tuple[int, ...]  # of a block
    last: tuple[int, ...]
    between: int  # two documents
    line: str  # after a text that is not the last of its document


def pack(corpus: Corpus, tokenizer: Any, *, length: int, progress: Progress = None) -> Blocks:
    """Return the corpus as blocks of `length` tokens, domain after domain, within one in the order of the corpus.

    A tokenizer with [CLS] and [SEP] (by whatever name) is an encoder's.  The blocks come from the cache if this
    content was packed before.  `progress(done, total)` counts texts.  Raises MetaglotError where no domain fills a
    block, and for a tokenizer that has no token to part documents with.
    """
    frame = _frame(tokenizer)
    inner = length - len(frame.first) - len(frame.last)
    if inner < 2:
        raise MetaglotError(f"length is {length}; a block needs at least {length - inner + 2} tokens.")
    coded = Encoder(tokenizer, max_length=length, max_chars=1).fingerprint()
    documents = blake2b(corpus.table["document"].to_numpy().tobytes(), digest_size=16).hexdigest()
    key = fingerprint(corpus.table, "blocks", coded, repr(frame), documents, str(length), str(FORMAT))
    domain, domains = codes_of(corpus.table["domain"])

    def make(put: Put) -> None:
        _make(put, _stream(corpus, domain, tokenizer, frame, progress), frame, length)

    arrays = cached_arrays("blocks", key, make)
    if not len(arrays["domain"]):
        raise MetaglotError(f"{corpus.name}: no domain fills a block of {length} tokens. Give more text, or lower it.")
    parts = tuple(parts_of(arrays, "tokens"))
    return Blocks(length, arrays["domain"], domains, int(arrays["dropped"][0]), parts)


def _make(put: Put, stream: Iterator[tuple[int, np.ndarray]], frame: _Frame, length: int) -> None:
    """Write the blocks of a stream of (domain, tokens), in which each domain comes in one stretch."""
    inner = length - len(frame.first) - len(frame.last)
    domains: list[np.ndarray] = [np.zeros(0, np.int32)]
    tokens = 0

    def blocks() -> Iterator[np.ndarray]:
        nonlocal tokens
        now, rest = -2, np.zeros(0, np.int32)
        for domain, more in stream:
            tokens += len(more)
            rest = more if domain != now else np.concatenate([rest, more])
            now, full = domain, len(rest) // inner
            yield _framed(rest[: full * inner].reshape(full, inner), frame)
            domains.append(np.full(full, domain, np.int32))
            rest = rest[full * inner :]

    for part, some in enumerate(_grouped(blocks())):
        put(f"tokens/{part}", some)
    whole = np.concatenate(domains)
    put("domain", whole)
    put("dropped", np.array([tokens - len(whole) * inner]))


def _grouped(blocks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the rows of all arrays BLOCKS at a time."""
    waiting: list[np.ndarray] = []
    count = 0
    for some in blocks:
        waiting.append(some)
        count += len(some)
        while count >= BLOCKS:
            whole = np.concatenate(waiting)
            yield whole[:BLOCKS]
            waiting, count = [whole[BLOCKS:]], count - BLOCKS
    if count:
        yield np.concatenate(waiting)


def _framed(blocks: np.ndarray, frame: _Frame) -> np.ndarray:
    first, last = (np.tile(np.array(side, np.int32), (len(blocks), 1)) for side in (frame.first, frame.last))
    return np.concatenate([first, blocks, last], axis=1)


def _stream(
    corpus: Corpus, domain: np.ndarray, tokenizer: Any, frame: _Frame, progress: Progress
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (domain, tokens) for stretches of texts of one domain, the documents of a domain one after another."""
    document = corpus.table["document"].to_numpy()
    order = np.lexsort((document, domain))  # stable: the texts of a document stay in order
    domain, document = domain[order], document[order]
    goes_on = np.append(domain[1:] == domain[:-1], False)  # the next text is of the same domain
    same = goes_on & np.append(document[1:] == document[:-1], False)
    for start in range(0, len(order), CHUNK):
        here = slice(start, min(start + CHUNK, len(order)))
        texts = cast("list[str]", taken(corpus.table["text"], order[here]).to_pylist())
        lines = [text + frame.line if more else text for text, more in zip(texts, same[here].tolist(), strict=True)]
        ids = _tokens(tokenizer, lines)
        for one, parted in zip(ids, (goes_on & ~same)[here].tolist(), strict=True):
            if parted:
                one.append(frame.between)
        flat = np.fromiter(chain.from_iterable(ids), np.int32)
        borders = np.flatnonzero(np.diff(domain[here])) + 1
        ends = np.cumsum([len(one) for one in ids])
        yield from zip(domain[here][np.append(0, borders)].tolist(), np.split(flat, ends[borders - 1]), strict=True)
        if progress is not None:
            progress(here.stop, len(order))


def _tokens(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    encoded = tokenizer(
        texts,
        add_special_tokens=False,
        truncation=False,
        padding=False,
        return_attention_mask=False,
        return_token_type_ids=False,
        verbose=False,
    )
    return encoded["input_ids"]


def _frame(tokenizer: Any) -> _Frame:
    (ids,) = _tokens(tokenizer, ["\n"])
    line = "\n" if "\n" in tokenizer.decode(ids) else ""
    cls, sep, end = tokenizer.cls_token_id, tokenizer.sep_token_id, tokenizer.eos_token_id
    if cls is not None and sep is not None:
        return _Frame((int(cls),), (int(sep),), int(sep), line)
    if end is None:
        raise MetaglotError(
            f"{type(tokenizer).__name__}: neither the tokens [CLS] and [SEP] nor an end-of-text token; set eos_token "
            "in its tokenizer_config.json."
        )
    return _Frame((), (), int(end), line)
