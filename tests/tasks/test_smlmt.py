"""SMLMT episodes: balanced, disjoint, and the answer nowhere in the text."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from tests.tasks.synthetic import CLS, MASK, SEP, MadeUpWords, encoded, made_up_text, same, texts_of, tokens_of

from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.tasks import Shape
from metaglot.tasks.clusters import WordClustering
from metaglot.tasks.learning import LearnsFromModel
from metaglot.tasks.masked import MaskedText
from metaglot.tasks.smlmt import MaskedWords
from metaglot.tasks.words import ASSIGNMENT, Clusters, Curriculum, LogFrequency, Uniform

TEXT, INDEX = made_up_text(sentences=600)
SEEDS = st.integers(0, 2**63 - 1)


def masked_words(
    shape=Shape((2, 3), (1, 3), 2), words=Uniform(), text=TEXT, index=INDEX, mask=MASK, **more
) -> MaskedWords:
    return MaskedWords(text, index, Classification(), shape, words, mask, **more)


@st.composite
def shapes(draw) -> Shape:
    least, shots = draw(st.integers(2, 3)), draw(st.integers(1, 3))
    return Shape(
        ways=(least, draw(st.integers(least, 4))),
        shots=(shots, draw(st.integers(shots, 4))),
        queries=draw(st.integers(1, 3)),
        max_support=draw(st.integers(4, 20)),
        max_query=draw(st.integers(4, 20)),
    )


@pytest.mark.parametrize("words", [Uniform(), LogFrequency(), Clusters(np.arange(12) % 3, 0.8)])
@settings(max_examples=40)
@given(seed=SEEDS, n=st.integers(0, 2**40), shape=shapes(), mask=st.sampled_from([MASK, None]))
def test_any_episode_keeps_its_promises(words, seed, n, shape, mask):
    episode = masked_words(shape, words, mask=mask)(seed, n, {})
    ways = len(episode.task.labels)
    support, query = episode.support["labels"].tolist(), episode.query["labels"].tolist()
    shots, queries = len(support) // ways, len(query) // ways
    assert shape.ways[0] <= ways <= shape.ways[1]
    assert len(set(episode.task.classes)) == ways
    assert Counter(support) == dict.fromkeys(range(ways), shots)
    assert Counter(query) == dict.fromkeys(range(ways), queries)
    assert 1 <= shots <= shape.shots[1]
    assert 1 <= queries <= shape.queries
    assert len(support) <= shape.max_support
    assert len(query) <= shape.max_query
    rows = episode.rows["support"] + episode.rows["query"]
    assert len(set(rows)) == len(rows) == len(support) + len(query)
    chosen = set(episode.task.classes)
    texts = texts_of(episode.support) + texts_of(episode.query)
    assert len(set(texts)) == len(texts), "no two examples read the same"
    for row, label, tokens in zip(rows, support + query, texts, strict=True):
        word = episode.task.classes[label]
        assert episode.task.labels[label] == INDEX.words[word]
        # The word alone of those in the episode, and one mask or none wherever it stood: nothing else is changed.
        assert chosen & set(TEXT.texts[row]) == {word}
        hidden = () if mask is None else (mask,)
        parts = [hidden if w == word else tokens_of(w) for w in TEXT.texts[row]]
        assert tokens == (CLS, *(token for part in parts for token in part), SEP)
        assert not set(tokens_of(word)) & set(tokens)


@settings(max_examples=30)
@given(seed=SEEDS, n=st.integers(0, 2**40))
def test_an_episode_is_a_function_of_seed_number_and_snapshot(seed, n):
    tasks = masked_words(words=Curriculum(within=1.0))
    snapshot = {ASSIGNMENT: torch.arange(12) % 3}
    for one in ({}, snapshot):
        episode = tasks(seed, n, one)
        np.random.seed(0)
        torch.manual_seed(0)
        assert same(episode, masked_words(words=Curriculum(within=1.0))(seed, n, dict(one)))
    assert tasks.update(snapshot, [{"loss": 1.0}]) is snapshot


def test_other_numbers_and_seeds_give_other_episodes():
    tasks = masked_words(Shape((3, 3), (2, 2), 2))
    assert len({tasks(seed, n, {}).rows["support"] for seed in range(5) for n in range(20)}) == 100


def test_the_text_is_that_of_its_row():
    assert TEXT.examples.inputs[7] == encoded(TEXT.texts[7])


def test_a_word_of_several_tokens_becomes_one_mask():
    """word0 has two tokens, word1 one: in either case what is left is the other words and a mask for each place."""
    texts = ((0, 4, 0, 5), (1, 4, 1, 5))
    text, _ = made_up_text()
    text = replace(text, examples=replace(text.examples, inputs=tuple(map(encoded, texts))), texts=texts)
    masked = MaskedText(text, MadeUpWords(INDEX.words, texts), MASK)
    (first,) = masked.rows(0, [0])
    (second,) = masked.rows(1, [1])
    assert first["input_ids"].tolist() == second["input_ids"].tolist()
    assert text.examples.rows([0])[0]["input_ids"].tolist() == list(encoded(texts[0])), "the text itself is untouched"


class InOrder:
    """A sampler that always gives the same words in the same order."""

    def choose(self, counts, n, rng, snapshot):
        return 10 + np.arange(n)


def test_labels_are_shuffled_over_words():
    """Whatever the order in which words were drawn, each has each label equally often."""
    tasks = masked_words(Shape((2, 2), (1, 1), 1), InOrder())
    counts = Counter(tasks(0, n, {}).task.classes for n in range(300))
    assert set(counts) == {(10, 11), (11, 10)}
    assert chisquare(list(counts.values())).pvalue > 0.01


def test_words_in_too_few_sentences_are_never_asked_for():
    need = int(np.median(INDEX.counts)) + 1
    tasks = masked_words(Shape((2, 2), (1, need - 2), 2, 1000, 1000))
    enough = {w for w in range(12) if INDEX.counts[w] >= need}
    assert len(enough) == 6
    assert {INDEX.words.index(w) for info in tasks.tasks for w in info.labels} == enough
    assert {w for n in range(40) for w in tasks(0, n, {}).task.classes} <= enough


def test_words_that_always_stand_together():
    """Where the sentences with one word only do not suffice, shots are lowered; without any, the reader is told."""
    texts = ((0, 1), *((0, 4 + i) for i in range(5)), *((4 + i, 1) for i in range(3)))
    text = replace(TEXT, examples=replace(TEXT.examples, inputs=tuple(map(encoded, texts))), texts=texts)
    index = MadeUpWords(INDEX.words, texts)
    fewer = masked_words(Shape((2, 2), (2, 2), 2), text=text, index=index)
    episode = fewer(0, 0, {})
    assert sorted(episode.task.classes) == [0, 1]
    assert len(episode.support["labels"]) == 4
    assert len(episode.query["labels"]) == 2
    texts = ((0, 1, 2), (0, 1, 3), (1, 0, 4), (1, 0, 5))
    text = replace(TEXT, examples=replace(TEXT.examples, inputs=tuple(map(encoded, texts))), texts=texts)
    with pytest.raises(MetaglotError, match=r"no 2 words had two sentences each without the others .*word0"):
        masked_words(Shape((2, 2), (1, 1), 1), text=text, index=MadeUpWords(INDEX.words, texts))(0, 0, {})


def test_too_few_words():
    with pytest.raises(MetaglotError, match="and an episode needs 5"):
        masked_words(Shape((5, 5), (200, 200), 50))(0, 0, {})
    with pytest.raises(MetaglotError, match="episodes need"):
        masked_words(Shape((1, 1)))(0, 0, {})


def test_the_same_sentence_twice_is_used_once():
    texts = ((0, 4, 5),) * 6 + ((0, 6, 7), (0, 7, 6), (1, 4, 6), (1, 5, 7), (1, 6, 4))
    text = replace(TEXT, examples=replace(TEXT.examples, inputs=tuple(map(encoded, texts))), texts=texts)
    tasks = masked_words(
        Shape((2, 2), (2, 2), 1), Clusters(np.array([0, 0] + [-1] * 10)), text, MadeUpWords(INDEX.words, texts)
    )
    for n in range(20):
        episode = tasks(0, n, {})
        found = texts_of(episode.support) + texts_of(episode.query)
        assert len(found) == len(set(found)) == 6


def test_it_reads_the_model_only_for_a_curriculum(bert):
    plain, curriculum = masked_words(), masked_words(words=Curriculum(WordClustering(3, 8, 2), every=5))
    assert isinstance(plain, LearnsFromModel)
    snapshot = {"x": torch.ones(1)}
    assert plain.refresh(snapshot, bert, bert.body(), step=0) is snapshot
    assert (plain.every, curriculum.every) == (1, 5)
    made = curriculum.refresh({}, bert, bert.body(), step=5)
    assert made[ASSIGNMENT].shape == (12,)
    assert int((made[ASSIGNMENT] >= 0).sum()) == 8
    assert torch.equal(made[ASSIGNMENT], curriculum.refresh({}, bert, bert.body(), step=5)[ASSIGNMENT])
    other = {name: value.flip(0) for name, value in bert.body().items()}
    assert not torch.equal(made[ASSIGNMENT], curriculum.refresh({}, bert, other, step=5)[ASSIGNMENT])
    drawn = [[curriculum(0, n, one).task.classes for n in range(20)] for one in ({}, made)]
    assert drawn[0] != drawn[1]
