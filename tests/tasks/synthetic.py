"""Made-up text: sentences of known words, some of them of several tokens, in documents and domains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import torch

from metaglot.seeds import generator
from metaglot.types import Episode, Row

CLS, SEP, MASK = 1, 2, 3
FIRST = 4  # token of the first word
PIECES = 3  # words whose number divides by it have two tokens, the second of them PIECE + number
PIECE = 30


@dataclass(frozen=True)
class MadeUp:
    """Rows of tokens (`tasks.sources.TokenisedSet`)."""

    name: str
    inputs: tuple[tuple[int, ...], ...]
    labels: tuple[str, ...] = ()

    @property
    def table(self) -> pa.Table:
        return pa.table({"row": pa.array(range(len(self.inputs)))})

    def rows(self, indices: Sequence[int] | np.ndarray) -> list[Row]:
        return [{"input_ids": np.array(self.inputs[i], np.int64), "label": -1, "row": int(i)} for i in indices]


@dataclass(frozen=True)
class MadeUpSentences:
    """Sentences (`tasks.text.Sentences`) that still know their words."""

    examples: MadeUp
    document: np.ndarray
    domain: np.ndarray
    domains: tuple[str, ...]
    texts: tuple[tuple[int, ...], ...]  # word numbers


@dataclass(frozen=True)
class MadeUpWords:
    """A brute-force index (`tasks.text.Words`)."""

    words: tuple[str, ...]
    texts: tuple[tuple[int, ...], ...]

    @property
    def counts(self) -> np.ndarray:
        return np.array([len(self.sentences(w)) for w in range(len(self.words))])

    def sentences(self, word: int) -> np.ndarray:
        return np.array([i for i, text in enumerate(self.texts) if word in text], dtype=np.int64)

    def spans(self, word: int, sentence: int) -> list[tuple[int, int]]:
        found, at = [], 1  # after CLS
        for other in self.texts[sentence]:
            size = len(tokens_of(other))
            if other == word:
                found.append((at, at + size))
            at += size
        return found


def tokens_of(word: int) -> tuple[int, ...]:
    return (FIRST + word, PIECE + word) if word % PIECES == 0 else (FIRST + word,)


def encoded(text: Sequence[int]) -> tuple[int, ...]:
    return (CLS, *(token for word in text for token in tokens_of(word)), SEP)


def made_up_text(
    *, words: int = 12, sentences: int = 240, domains: int = 3, per_document: int = 10, seed: int = 0
) -> tuple[MadeUpSentences, MadeUpWords]:
    """Return sentences of 4 to 8 words, words of low number more often, and their index."""
    rng = generator(seed, "made up")
    p = 1 / np.arange(2, words + 2)
    texts = tuple(
        tuple(int(w) for w in rng.choice(words, int(rng.integers(4, 9)), p=p / p.sum())) for _ in range(sentences)
    )
    document = np.arange(sentences) // per_document
    found = MadeUpSentences(
        examples=MadeUp("made-up", tuple(encoded(text) for text in texts)),
        document=document.astype(np.int32),
        domain=(document * domains // (document.max() + 1)).astype(np.int32),
        domains=tuple(f"domain {i}" for i in range(domains)),
        texts=texts,
    )
    return found, MadeUpWords(tuple(f"word{i}" for i in range(words)), texts)


def same(a: Episode, b: Episode) -> bool:
    return (
        a.task == b.task
        and a.rows == b.rows
        and a.support.keys() == b.support.keys()
        and a.query.keys() == b.query.keys()
        and all(torch.equal(a.support[n], b.support[n]) for n in a.support)
        and all(torch.equal(a.query[n], b.query[n]) for n in a.query)
    )


def texts_of(batch) -> list[tuple[int, ...]]:
    """The rows of a batch without padding."""
    return [
        tuple(ids[mask.bool()].tolist()) for ids, mask in zip(batch["input_ids"], batch["attention_mask"], strict=True)
    ]
