"""SMLMT: which of N words is missing?  Tasks without labels, made from sentences.

N words, K + Q sentences that hold each, the word masked everywhere; the class is the word.  Two rules keep the answer
out of the text: a sentence with two of the episode's words is not used (the other word would tell what it is not, and
its class would be a matter of taste), and a place of the word is one mask, however many tokens the word has (their
number would tell the class).  The labels are shuffled over the words, so that only the support set says which is which.

Without a mask token the word is taken out: what is learnt cannot lean on the mask, which no later text has.

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

TRIES = 20  # sets of words, until one leaves enough sentences that hold one of them only
SPARE = 6  # sentences looked at for each that is needed


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
    mask_token_id: int | None  # None takes the word out and leaves no trace of its place
    name: str = "smlmt"

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """One task: which of all the words is missing."""
        _ = self._drawable  # raises where there are too few
        return [self._task(np.flatnonzero(self._counts))]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n; raise MetaglotError where words or sentences do not suffice for one."""
        rng = generator(seed, self.name, n)
        ways = draw_ways(self.shape, self._drawable, rng)
        shots, queries = draw_shots(self.shape, ways, self._need, rng)
        chosen, clean = self._choose(ways, shots + queries, rng, snapshot)
        found = self._examples(chosen, clean, shots + queries)
        smallest = min(len(examples) for examples in found)
        if smallest < 2:
            words = ", ".join(self.index.words[w] for w in chosen)
            raise MetaglotError(
                f"{self.name}: in {TRIES} draws, no {ways} words had two sentences each without the others (the last: "
                f"{words}); give more text, or ask for fewer ways"
            )
        shots = min(shots, smallest - 1)
        queries = min(queries, smallest - shots)
        support = [e for examples in found for e in examples[:shots]]
        query = [e for examples in found for e in examples[shots : shots + queries]]
        return Episode(
            task=self._task(chosen),
            objective=self.objective,
            support=self.objective.collate([{**e.row, "label": e.label} for e in support]),
            query=self.objective.collate([{**e.row, "label": e.label} for e in query]),
            rows={"support": tuple(e.sentence for e in support), "query": tuple(e.sentence for e in query)},
        )

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: nothing is learnt from losses."""
        del records
        return snapshot

    @property
    def every(self) -> int:
        """Steps between two readings of the model by the word sampler; any step does for one that does not read it."""
        return self.words.every if isinstance(self.words, LearningSampler) else 1

    def refresh(self, snapshot: Snapshot, learner: Learner, params: Params, *, step: int) -> Snapshot:
        """Return the snapshot with what the word sampler makes of the model; unchanged if it does not read it."""
        if not isinstance(self.words, LearningSampler):
            return snapshot

        def vectors(words: np.ndarray, options: WordClustering) -> np.ndarray:
            return word_vectors(self._text, words, self.objective, learner, params, options)

        return self.words.refresh(snapshot, self._counts, vectors, step=step)

    @cached_property
    def _text(self) -> MaskedText:
        return MaskedText(self.sentences, self.index, self.mask_token_id)

    @property
    def _need(self) -> int:
        return self.shape.shots[1] + self.shape.queries

    @cached_property
    def _counts(self) -> np.ndarray:  # [W], 0 for words in too few sentences
        return np.where(self.index.counts >= self._need, self.index.counts, 0)

    @cached_property
    def _drawable(self) -> int:
        found = int(np.count_nonzero(self._counts))
        if found < self.shape.ways[0]:
            raise MetaglotError(
                f"{self.name}: {found} words stand in {self._need} sentences (shots + queries), and an episode needs "
                f"{self.shape.ways[0]}; ask for fewer ways, shots or queries, or give more text"
            )
        return found

    def _task(self, words: np.ndarray) -> TaskInfo:
        numbers = tuple(int(w) for w in words)
        labels = tuple(self.index.words[w] for w in numbers)
        return TaskInfo(self.name, self.name, labels, numbers, family=self.objective.name)

    def _choose(
        self, ways: int, need: int, rng: np.random.Generator, snapshot: Snapshot
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return words and, in random order, sentences that hold one only: the best of TRIES."""
        best: tuple[int, np.ndarray, list[np.ndarray]] | None = None
        for _ in range(TRIES):
            chosen = rng.permutation(self.words.choose(self._counts, ways, rng, snapshot))
            clean = self._with_one_only(chosen, need, rng)
            smallest = min(len(sentences) for sentences in clean)
            if best is None or smallest > best[0]:
                best = (smallest, chosen, clean)
            if smallest >= need:
                break
        assert best is not None
        return best[1], best[2]

    def _with_one_only(self, chosen: np.ndarray, need: int, rng: np.random.Generator) -> list[np.ndarray]:
        holders = [self.index.sentences(int(word)) for word in chosen]
        drawn = [h[rng.choice(len(h), min(len(h), SPARE * need), replace=False)] for h in holders]
        joined = np.concatenate(drawn)
        held = np.zeros(len(joined), dtype=np.int64)
        for holder in holders:
            at = np.minimum(np.searchsorted(holder, joined), len(holder) - 1)
            held += holder[at] == joined
        ends = np.cumsum([len(d) for d in drawn])
        return [d[one == 1] for d, one in zip(drawn, np.split(held, ends[:-1]), strict=True)]

    def _examples(self, chosen: np.ndarray, clean: Sequence[np.ndarray], need: int) -> list[list[_Example]]:
        """Return up to `need` masked sentences a word; where several read the same, only the first in the episode."""
        seen: set[bytes] = set()
        found: list[list[_Example]] = []
        for label, (word, sentences) in enumerate(zip(chosen.tolist(), clean, strict=True)):
            examples: list[_Example] = []
            for start in range(0, len(sentences), need):
                some = sentences[start : start + need]
                for row, sentence in zip(self._text.rows(word, some), some.tolist(), strict=True):
                    key = np.asarray(row["input_ids"]).tobytes()
                    if key not in seen and len(examples) < need:
                        examples.append(_Example(row, sentence, label))
                    seen.add(key)
                if len(examples) == need:
                    break
            found.append(examples)
        return found
