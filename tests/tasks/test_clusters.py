"""Sources made from text: clusters of sentences and words, documents, domains."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.tasks.synthetic import FIRST, MASK, MadeUpWords, encoded, made_up_text, same

from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.seeds import generator
from metaglot.tasks import Shape, SupervisedTasks
from metaglot.tasks.clusters import (
    SentenceClustering,
    WordClustering,
    cluster_sentences,
    cluster_words,
    features,
    kmeans,
    word_vectors,
)
from metaglot.tasks.documents import document_sources
from metaglot.tasks.domains import domain_source
from metaglot.tasks.masked import MaskedText
from metaglot.tasks.sources import source_by_code

TEXT, INDEX = made_up_text()
FAMILY = Classification()


def test_features_are_those_of_the_model_whatever_the_batch(bert):
    rows = [{**row, "label": 0} for row in TEXT.examples.rows(range(20))]
    found = features(rows, FAMILY, bert, bert.body(), batch=7)
    for row, feature in zip(rows, found, strict=True):
        alone = bert.forward({}, FAMILY.collate([row])).pooled[0]
        assert np.allclose(feature, alone.numpy(), atol=1e-6)
    assert not np.allclose(found[0], found[1])


def test_k_means_finds_what_lies_together():
    rng = generator(0)
    truth = rng.integers(0, 4, 200)
    points = (20 * np.eye(4)[truth] + rng.normal(size=(200, 4))).astype(np.float32)
    found = kmeans(points, 4, seed=3)
    assert len(set(zip(truth.tolist(), found.tolist(), strict=True))) == 4
    assert np.array_equal(found, kmeans(points, 4, seed=3))
    assert set(kmeans(points[:3], 9, seed=0).tolist()) == {0, 1, 2}


def test_many_points_go_in_small_batches():
    truth = np.arange(20_001) % 3
    points = (9 * np.eye(3)[truth]).astype(np.float32) + generator(0).normal(size=(20_001, 3)).astype(np.float32)
    found = kmeans(points, 3, seed=1)
    assert len(Counter(zip(truth.tolist(), found.tolist(), strict=True)).most_common(3)) == 3
    top = sum(n for _, n in Counter(zip(truth.tolist(), found.tolist(), strict=True)).most_common(3))
    assert top > 19_500
    assert np.array_equal(found, kmeans(points, 3, seed=1))


def test_a_word_is_the_mean_of_its_sentences_with_the_word_masked(bert):
    text = MaskedText(TEXT, INDEX, MASK)
    words = np.array([2, 9])
    found = word_vectors(text, words, FAMILY, bert, bert.body(), WordClustering(sentences=3, batch=2))
    for word, vector in zip(words.tolist(), found, strict=True):
        holders = INDEX.sentences(word)
        spread = holders[[0, (len(holders) - 1) // 2, len(holders) - 1]]
        rows = text.rows(word, spread)
        assert all(FIRST + word not in row["input_ids"] for row in rows)
        mean = bert.forward({}, FAMILY.collate(rows)).pooled.mean(0)
        assert np.allclose(vector, mean.numpy(), atol=1e-6)


def test_word_clusters_by_the_company_they_keep(bert):
    """Words 4 and 5 stand only beside 0, words 6 and 7 only beside 1: masked, their sentences are the same."""
    texts = tuple((0, 0, w) if w in (4, 5) else (1, 1, w) for w in (4, 5, 6, 7)) * 3
    text = replace(TEXT, examples=replace(TEXT.examples, inputs=tuple(map(encoded, texts))), texts=texts)
    index = MadeUpWords(INDEX.words, texts)
    masked = MaskedText(text, index, MASK)
    found = cluster_words(masked, FAMILY, bert, bert.body(), WordClustering(4, 6, 3), seed=2)
    assert found.dtype == np.int32
    assert found[4] == found[5] != found[6] == found[7]
    assert found[2] == found[3] == found[8] == -1
    assert np.array_equal(found, cluster_words(masked, FAMILY, bert, bert.body(), WordClustering(4, 6, 3), seed=2))
    with pytest.raises(MetaglotError, match="at least two words"):
        cluster_words(masked, FAMILY, bert, bert.body(), WordClustering(words=1), seed=2)


def test_each_partition_of_the_sentences_is_a_task(bert):
    options = SentenceClustering(clusters=(2, 5), max_sentences=150, min_per_class=10)
    sources = cluster_sentences(TEXT.examples, FAMILY, bert, bert.body(), options, seed=1)
    assert [s.info.name for s in sources] == ["made-up/clusters-1", "made-up/clusters-2"]
    assert len(sources[0].members) == 2
    assert 2 < len(sources[1].members) <= 5
    assert {int(i) for m in sources[0].members for i in m} != set(range(150)), "drawn from all"
    assert len(sources[0]) == 150
    points = features([{**r, "label": 0} for r in TEXT.examples.rows(range(240))], FAMILY, bert, bert.body(), batch=64)
    for source in sources:
        assert all(len(m) >= 10 for m in source.members)
        members = np.concatenate(source.members)
        assert len(np.unique(members)) == len(members)
        within = sum(((points[m] - points[m].mean(0)) ** 2).sum() for m in source.members)
        assert within < 0.9 * ((points[members] - points[members].mean(0)) ** 2).sum()
    again = cluster_sentences(TEXT.examples, FAMILY, bert, bert.body(), options, seed=1)
    assert [[m.tolist() for m in s.members] for s in sources] == [[m.tolist() for m in s.members] for s in again]
    episode = SupervisedTasks(tuple(sources), FAMILY, Shape((2, 3), (1, 2), 2))(0, 0, {})
    assert episode.task.labels[0].startswith("cluster ")


def test_clusters_that_are_too_small(bert):
    options = SentenceClustering((40,), 60, 30)
    with pytest.raises(MetaglotError, match=r"made-up/clusters-1: \d classes have 30 examples"):
        cluster_sentences(TEXT.examples, FAMILY, bert, bert.body(), options, seed=1)


@given(codes=st.lists(st.integers(-1, 5), min_size=1, max_size=60), least=st.integers(1, 6))
def test_codes_as_classes(codes, least):
    counted = Counter(c for c in codes if c >= 0)
    kept = sorted(c for c, size in counted.items() if size >= least)
    if len(kept) < 2:
        with pytest.raises(MetaglotError, match="and a task needs two"):
            source_by_code(TEXT.examples, np.array(codes), "abcdef", name="x", min_per_class=least)
        return
    source = source_by_code(TEXT.examples, np.array(codes), "abcdef", name="x", min_per_class=least)
    assert source.info.classes == tuple(kept)
    assert source.info.labels == tuple("abcdef"[c] for c in kept)
    for c, members in zip(kept, source.members, strict=True):
        assert members.tolist() == [i for i, code in enumerate(codes) if code == c]


def test_documents():
    (source,) = document_sources(TEXT)
    assert source.info.name == source.info.dataset == "made-up/documents"
    assert len(source.members) == 24
    for c, members in zip(source.info.classes, source.members, strict=True):
        assert set(TEXT.document[members]) == {c}
    tasks = SupervisedTasks((source,), FAMILY, Shape((3, 3), (2, 2), 2))
    for n in range(20):
        episode = tasks(0, n, {})
        for part in ("support", "query"):
            labels = getattr(episode, part)["labels"].tolist()
            assert [episode.task.classes[y] for y in labels] == TEXT.document[list(episode.rows[part])].tolist()
        assert same(episode, tasks(0, n, {}))


def test_documents_of_one_domain_each_time():
    document = TEXT.document.copy()
    document[0] = 99  # a document of one sentence
    text = replace(TEXT, document=document, domains=(*TEXT.domains, "empty"))
    sources = document_sources(text, per_domain=True, min_per_class=9)
    assert [s.info.name for s in sources] == [f"made-up/documents/domain {i}" for i in range(3)]
    assert {s.info.dataset for s in sources} == {"made-up/documents"}
    for number, source in enumerate(sources):
        members = np.concatenate(source.members)
        assert set(text.domain[members]) == {number}
        assert 99 not in source.info.classes
    numbers = [c for s in sources for c in s.info.classes]
    assert len(numbers) == len(set(numbers)) == 24
    with pytest.raises(MetaglotError, match="no domain has 2 documents of 11 sentences"):
        document_sources(text, per_domain=True, min_per_class=11)
    with pytest.raises(MetaglotError, match="made-up/documents: 0 classes have 11 examples"):
        document_sources(text, min_per_class=11)


def test_domains():
    domain = TEXT.domain.copy()
    domain[:20] = -1
    source = domain_source(replace(TEXT, domain=domain))
    assert source.info.name == "made-up/domains"
    assert source.info.labels == TEXT.domains
    assert [m.tolist() for m in source.members] == [np.flatnonzero(domain == d).tolist() for d in range(3)]
    with pytest.raises(MetaglotError, match="the texts name 1 domains"):
        domain_source(replace(TEXT, domains=("one",)))
    with pytest.raises(MetaglotError, match="made-up/domains: 1 classes have 10 examples"):
        domain_source(replace(TEXT, domain=np.zeros(240, np.int32)))


def test_drawing_does_not_look_through_every_class():
    """The weights of the sources are worked out once: with 50 000 documents, 200 episodes would else sum 10 M sizes."""
    codes = np.repeat(np.arange(50_000), 3)
    examples = replace(TEXT.examples, inputs=((1, 5, 2),) * len(codes))
    source = source_by_code(examples, codes, [""] * 50_000, name="many", min_per_class=3)
    counted = Counter[str]()

    class Counting(type(source)):
        def __len__(self):
            counted["asked"] += 1
            return super().__len__()

    tasks = SupervisedTasks((Counting(source.info, source.examples, source.members),), FAMILY, Shape((2, 2), (1, 1), 1))
    assert len({tasks(0, n, {}).rows["support"] for n in range(50)}) == 50
    assert counted["asked"] == 1
    assert torch.equal(tasks(0, 3, {}).query["labels"], torch.tensor([0, 1]))
