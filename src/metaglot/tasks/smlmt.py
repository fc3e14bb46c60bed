"""SMLMT: which of N words is missing?  Tasks without labels, made from sentences.

An episode has N words, and K + Q sentences for each, in which the word is masked everywhere; the class is the word.
Two rules keep the answer out of the text.  A sentence with two of the episode's words is not used: the visible one
would exclude a class, or two classes would be right.  Each place of the word has one mask, however many tokens the word
has: their number would show the class.  The labels are shuffled over the words, so that only the support set shows
which label means which word.

Without a mask token the word is removed: then a model cannot depend on the mask, which later texts do not have.

Bansal et al. 2020, https://arxiv.org/abs/2009.08445
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.seeds import generator
from metaglot.tasks.clusters import WordClustering, word_vectors
from metaglot.tasks.masked import MaskedText
from metaglot.tasks.shape import Shape, draw_shots, draw_ways
from metaglot.tasks.text import Sentences, Words
from metaglot.tasks.words import LearningSampler, WordSampler
from metaglot.types import Episode, Learner, Objective, Params, Record, Row, Snapshot, TaskInfo

TRIES = 20  # draws of words, until each has enough sentences without the others
SPARE = 6  # sentences that are examined for each that is needed


class _Example(NamedTuple):
    row: Row
    sentence: int
    label: int


@dataclass(frozen=True)
class MaskedWords:
    """A distribution over SMLMT tasks."""

    sentences: Sentences
    index: Words
    objective: Objective
    shape: Shape
    words: WordSampler
    mask_token_id: int | None  # None removes the word, and its place is not marked
    name: str = "smlmt"

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """One task: which of all the words is missing."""
        _ = self._drawable  # raises where there are too few
        return [self._task(np.flatnonzero(self._counts))]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n; raise MetaglotError where there are too few words or sentences."""
        rng = generator(seed, self.name, n)
        ways = draw_ways(self.shape, self._drawable, rng)
        shots, queries = draw_shots(self.shape, ways, self._needed, rng)
        words, sentences = self._choose(ways, shots + queries, rng, snapshot)
        examples_by_word = self._examples(words, sentences, shots + queries)
        smallest = min(len(examples) for examples in examples_by_word)
        if smallest < 2:
            listing = ", ".join(self.index.words[word] for word in words)
            raise MetaglotError(
                f"{self.name}: in {TRIES} draws, no {ways} words had two sentences each without the others (the last: "
                f"{listing}); give more text, or ask for fewer ways"
            )
        shots = min(shots, smallest - 1)
        queries = min(queries, smallest - shots)
        support = [example for examples in examples_by_word for example in examples[:shots]]
        query = [example for examples in examples_by_word for example in examples[shots : shots + queries]]
        return Episode(
            task=self._task(words),
            objective=self.objective,
            support=self.objective.collate([{**example.row, "label": example.label} for example in support]),
            query=self.objective.collate([{**example.row, "label": example.label} for example in query]),
            rows={
                "support": tuple(example.sentence for example in support),
                "query": tuple(example.sentence for example in query),
            },
        )

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler does not use losses."""
        del records
        return snapshot

    @property
    def every(self) -> int:
        """Steps between two readings of the model by the word sampler; 1 for a sampler that does not read it."""
        return self.words.every if isinstance(self.words, LearningSampler) else 1

    def refresh(self, snapshot: Snapshot, learner: Learner, params: Params, *, step: int) -> Snapshot:
        """Return the snapshot that the word sampler makes with the model; unchanged if it does not read the model."""
        if not isinstance(self.words, LearningSampler):
            return snapshot

        def vectors(words: np.ndarray, options: WordClustering) -> np.ndarray:
            return word_vectors(self._text, words, self.objective, learner, params, options)

        return self.words.refresh(snapshot, self._counts, vectors, step=step)

    @cached_property
    def _text(self) -> MaskedText:
        return MaskedText(self.sentences, self.index, self.mask_token_id)

    @property
    def _needed(self) -> int:
        return self.shape.shots[1] + self.shape.queries

    @cached_property
    def _counts(self) -> np.ndarray:  # [W], 0 for words in too few sentences
        return np.where(self.index.counts >= self._needed, self.index.counts, 0)

    @cached_property
    def _drawable(self) -> int:
        count = int(np.count_nonzero(self._counts))
        if count < self.shape.ways[0]:
            raise MetaglotError(
                f"{self.name}: {count} words have {self._needed} sentences (shots + queries), and an episode needs "
                f"{self.shape.ways[0]}; ask for fewer ways, shots or queries, or give more text"
            )
        return count

    def _task(self, words: np.ndarray) -> TaskInfo:
        numbers = tuple(int(word) for word in words)
        labels = tuple(self.index.words[word] for word in numbers)
        return TaskInfo(self.name, self.name, labels, numbers, family=self.objective.name)

    def _choose(
        self, ways: int, need: int, rng: np.random.Generator, snapshot: Snapshot
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return words and, for each, sentences without the others in random order: the best of TRIES draws."""
        best: tuple[int, np.ndarray, list[np.ndarray]] | None = None
        for _ in range(TRIES):
            words = rng.permutation(self.words.choose(self._counts, ways, rng, snapshot))
            sentences_by_word = self._unambiguous_sentences(words, need, rng)
            smallest = min(len(sentences) for sentences in sentences_by_word)
            if best is None or smallest > best[0]:
                best = (smallest, words, sentences_by_word)
            if smallest >= need:
                break
        assert best is not None
        return best[1], best[2]

    def _unambiguous_sentences(self, words: np.ndarray, need: int, rng: np.random.Generator) -> list[np.ndarray]:
        holders = [self.index.sentences(int(word)) for word in words]
        draws = [holder[rng.choice(len(holder), min(len(holder), SPARE * need), replace=False)] for holder in holders]
        joined = np.concatenate(draws)
        counts = np.zeros(len(joined), dtype=np.int64)
        for holder in holders:
            places = np.minimum(np.searchsorted(holder, joined), len(holder) - 1)
            counts += holder[places] == joined
        ends = np.cumsum([len(draw) for draw in draws])
        return [draw[count == 1] for draw, count in zip(draws, np.split(counts, ends[:-1]), strict=True)]

    def _examples(self, words: np.ndarray, sentences_by_word: Sequence[np.ndarray], need: int) -> list[list[_Example]]:
        """Return up to `need` masked sentences a word; of equal ones, only the first in the episode."""
        seen: set[bytes] = set()
        examples_by_word: list[list[_Example]] = []
        for label, (word, sentences) in enumerate(zip(words.tolist(), sentences_by_word, strict=True)):
            examples: list[_Example] = []
            for start in range(0, len(sentences), need):
                chunk = sentences[start : start + need]
                for row, sentence in zip(self._text.rows(word, chunk), chunk.tolist(), strict=True):
                    key = np.asarray(row["input_ids"]).tobytes()
                    if key not in seen and len(examples) < need:
                        examples.append(_Example(row, sentence, label))
                    seen.add(key)
                if len(examples) == need:
                    break
            examples_by_word.append(examples)
        return examples_by_word
