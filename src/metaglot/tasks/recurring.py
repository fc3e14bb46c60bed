"""Recurring spans: questions with answers that are made from raw text.

Some words stand twice in a passage, such as a name.  The sentence of one of them is taken out, and the words in it are
hidden behind a gap: it is the question.  The answer is the same words where they stand in the rest of the passage.

    "Ann Lee left. It rained. Later Ann Lee came back."  ->  "Later what came back."  in  "Ann Lee left. It rained."

A span is of at least two words, or of one rare word; it neither begins nor ends with a common word or a mark.  Of spans
within spans that recur together the longest is taken.  Two rules keep the answer clear: the question has the words
nowhere else, and the passage has them once, since other sentences with them are taken out too.  Some questions are put
to a passage that has no answer to them.

Ram et al. 2021 (Splinter), https://arxiv.org/abs/2101.00438
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from metaglot.data.answers import NO_ANSWER, Answer
from metaglot.data.splitting import split_sentences
from metaglot.data.tokens import joined
from metaglot.data.words import words
from metaglot.seeds import generator

INNER = frozenset("-'’.&/")  # marks that may stand within a span


class Passage(NamedTuple):
    """Some sentences of a text, one behind the other."""

    sentences: tuple[str, ...]
    group: int  # texts of one group share a domain
    row: int  # the first text that it is from


class Question(NamedTuple):
    """A question that was made, its passage and its answer."""

    question: str
    passage: str
    answer: Answer
    group: int
    row: int


class Word(NamedTuple):
    """A word of a sentence, and where it stands."""

    text: str
    start: int
    end: int


class Recurring(NamedTuple):
    """Words that recur, and where they begin and end in each sentence that has them."""

    text: str
    places: Mapping[int, tuple[int, int]]


@dataclass(frozen=True)
class RecurringSpans:
    """How questions are made of passages.  Shares are of the passages."""

    gap: str = "what"  # stands where the words are hidden
    longest: int = 8  # words of a span
    each: int = 4  # questions of a passage, at most
    rare: float = 0.002  # a word that no larger share has may be a span alone
    common: float = 0.1  # a word that a larger share has neither begins nor ends a span
    least: int = 5  # words of a question beside the gap
    most: int = 40  # a longer sentence is cut on both sides of the gap
    unanswerable: float = 0.1  # share of the questions that are put to another passage, which has no answer

    def questions(self, passages: Sequence[Passage], *, seed: int) -> Iterator[Question]:
        """Yield the questions of the passages, a function of them and of the seed."""
        share = _shares(passages)
        others = _by_group(passages)
        for number, passage in enumerate(passages):
            rng = generator(seed, "recurring spans", number)
            spans = self.spans(passage.sentences, share)
            for at in rng.permutation(len(spans))[: self.each]:
                made = self._question(spans[int(at)], passage, rng)
                if made is None:
                    continue
                if rng.random() < self.unanswerable:
                    other = passages[int(rng.choice(others[passage.group]))]
                    made = _elsewhere(made, joined(other.sentences).text)
                yield made

    def spans(self, sentences: Sequence[str], share: Mapping[str, float]) -> list[Recurring]:
        """Return the spans that stand in two sentences at least, the longest first."""
        every = [[Word(sentence[a:b], a, b) for a, b in words(sentence)] for sentence in sentences]
        counts = Counter(word.text for own in every for word in own)
        found: dict[tuple[int, str], list[tuple[int, int]]] = {}  # size and text: sentence and first word
        for number, own in enumerate(every):
            for first, size in self._candidates([word.text for word in own], counts, share):
                part = sentences[number][own[first].start : own[first + size - 1].end]
                found.setdefault((size, part), []).append((number, first))
        taken: set[tuple[int, int]] = set()
        spans: list[Recurring] = []
        for (size, text), at in sorted(found.items(), key=lambda one: -one[0][0]):
            free = {n for n, first in at if not {(n, first + i) for i in range(size)} <= taken}
            if len(free) > 1:
                places = {n: (every[n][first].start, every[n][first + size - 1].end) for n, first in at}
                spans.append(Recurring(text, places))
                taken.update((n, first + i) for n, first in at for i in range(size))
        return spans

    def _candidates(
        self, own: Sequence[str], counts: Mapping[str, int], share: Mapping[str, float]
    ) -> Iterator[tuple[int, int]]:
        """Yield the first word and the size of what may be a span of a sentence."""
        for first, word in enumerate(own):
            if counts[word] < 2 or not self._is_edge(word, share):
                continue
            if share.get(word.casefold(), 0.0) <= self.rare and len(word) > 1:
                yield first, 1
            for last in range(first + 1, min(first + self.longest, len(own))):
                if counts[own[last]] < 2 or not (own[last] in INNER or any(map(str.isalnum, own[last]))):
                    break
                if self._is_edge(own[last], share):
                    yield first, last - first + 1

    def _is_edge(self, word: str, share: Mapping[str, float]) -> bool:
        """Whether a span may begin or end with a word."""
        return share.get(word.casefold(), 0.0) <= self.common and any(map(str.isalnum, word))

    def _question(self, span: Recurring, passage: Passage, rng: np.random.Generator) -> Question | None:
        """Return the question that hides a span; None where no sentence, or no passage, is left that has it once."""
        count = [one.casefold().count(span.text.casefold()) for one in passage.sentences]
        once = [n for n in span.places if count[n] == 1]
        if len(once) < 2:
            return None
        hidden, kept = (int(n) for n in rng.choice(once, 2, replace=False))
        rest = [n for n in range(len(count)) if n == kept or not count[n]]
        sentence, (first, last) = passage.sentences[hidden], span.places[hidden]
        before, after = words(sentence[:first]), words(sentence[last:])
        if len(rest) < 2 or len(before) + len(after) < self.least:
            return None
        begin = before[-self.most // 2 :][0][0] if before else 0
        end = last + after[: self.most // 2][-1][1] if after else last
        text, places = joined([passage.sentences[n] for n in rest])
        start = places[rest.index(kept)][0] + span.places[kept][0]
        answer = Answer(span.text, start, start + len(span.text))
        return Question(
            f"{sentence[begin:first]}{self.gap}{sentence[last:end]}", text, answer, passage.group, passage.row
        )


def passages_of(texts: Sequence[str], documents: Sequence[int], groups: Sequence[int], *, length: int) -> list[Passage]:
    """Return texts as passages of whole sentences of about `length` words; a passage is of one document and group."""
    passages: list[Passage] = []
    sentences: list[str] = []
    size, row = 0, 0
    for number, text in enumerate(texts):
        apart = number > 0 and (documents[number], groups[number]) != (documents[number - 1], groups[number - 1])
        for place, sentence in enumerate(split_sentences(text)):
            count = len(words(sentence))
            if sentences and (size + count > length or (apart and not place)):
                passages.append(Passage(tuple(sentences), groups[row], row))
                sentences, size = [], 0
            row = row if sentences else number
            sentences.append(sentence)
            size += count
    return [*passages, Passage(tuple(sentences), groups[row], row)] if sentences else passages


def _shares(passages: Sequence[Passage]) -> Mapping[str, float]:
    """Return the share of the passages that have each word."""
    counts = Counter[str]()
    for passage in passages:
        counts.update({one[start:end].casefold() for one in passage.sentences for start, end in words(one)})
    return {word: count / len(passages) for word, count in counts.items()}


def _by_group(passages: Sequence[Passage]) -> Mapping[int, np.ndarray]:
    groups = np.array([passage.group for passage in passages], np.int64)
    return {int(group): np.flatnonzero(groups == group) for group in np.unique(groups)}


def _elsewhere(made: Question, passage: str) -> Question:
    """Return a question with another passage, which has no answer; the question itself where that one has it."""
    if made.answer.text.casefold() in passage.casefold():
        return made
    return made._replace(passage=passage, answer=NO_ANSWER)
