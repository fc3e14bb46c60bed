"""Word samplers follow the laws they state."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from metaglot.errors import MetaglotError
from metaglot.seeds import generator
from metaglot.tasks.clusters import WordClustering
from metaglot.tasks.words import ASSIGNMENT, Clusters, Curriculum, LearningSampler, LogFrequency, Uniform

COUNTS = np.array([0, 1, 2, 4, 8, 16, 32, 64, 0, 128])
DRAWS = 4000
ASSIGNED = np.array([0, 0, 0, 0, 1, 1, 1, -1, 2, 2])


def drawn(sampler, counts=COUNTS, n=1, snapshot=None, draws=DRAWS) -> list[np.ndarray]:
    rng = generator(3, "words")
    return [sampler.choose(counts, n, rng, snapshot or {}) for _ in range(draws)]


def frequencies(found: list[np.ndarray]) -> np.ndarray:
    counted = Counter(int(w) for words in found for w in words)
    return np.array([counted[w] for w in range(len(COUNTS))])


SAMPLERS = {
    "uniform": (Uniform(), {}),
    "log-frequency": (LogFrequency(), {}),
    "clusters": (Clusters(ASSIGNED, 0.7), {}),
    "curriculum": (Curriculum(within=0.7), {ASSIGNMENT: torch.from_numpy(ASSIGNED)}),
    "curriculum before it": (Curriculum(), {}),
}


@pytest.mark.parametrize("name", SAMPLERS)
@given(seed=st.integers(0, 2**63 - 1), n=st.integers(1, 6), extra=st.lists(st.integers(0, 50), max_size=9))
def test_a_draw_is_n_distinct_words_that_have_a_count(name, seed, n, extra):
    sampler, snapshot = SAMPLERS[name]
    counts = COUNTS.copy()
    counts[: len(extra)] = extra
    if np.count_nonzero(counts > 1) < n:
        with pytest.raises(MetaglotError, match="have enough sentences"):
            LogFrequency().choose(counts, n, generator(seed), snapshot)
        return
    words = sampler.choose(counts, n, generator(seed), snapshot)
    assert len(set(words.tolist())) == len(words) == n
    assert (counts[words] > 0).all()
    again = sampler.choose(counts.copy(), n, generator(seed), dict(snapshot))
    assert words.tolist() == again.tolist()


def test_uniform():
    found = frequencies(drawn(Uniform()))
    assert found[COUNTS == 0].tolist() == [0, 0]
    assert chisquare(found[COUNTS > 0]).pvalue > 0.01


def test_log_frequency():
    found = frequencies(drawn(LogFrequency()))
    weights = np.log(np.maximum(COUNTS, 1))
    assert found[weights == 0].tolist() == [0, 0, 0]
    expected = DRAWS * weights[weights > 0] / weights.sum()
    assert chisquare(found[weights > 0], expected).pvalue > 0.01
    assert chisquare(found[weights > 0]).pvalue < 1e-6, "the test can fail"


def test_log_frequency_draws_one_word_after_the_other():
    """For two words: p(a, b) = p_a p_b/(1 − p_a) + p_b p_a/(1 − p_b)."""
    counts = np.array([2, 4, 16])
    p = np.log(counts) / np.log(counts).sum()
    pairs = Counter(tuple(sorted(words.tolist())) for words in drawn(LogFrequency(), counts, 2))
    expected = {(a, b): p[a] * p[b] * (1 / (1 - p[a]) + 1 / (1 - p[b])) for a, b in [(0, 1), (0, 2), (1, 2)]}
    assert chisquare([pairs[k] for k in expected], [DRAWS * v for v in expected.values()]).pvalue > 0.01


def test_clusters_are_chosen_by_size_and_words_evenly():
    """Drawable words: 1, 2, 3 of cluster 0; 4, 5, 6 of cluster 1; 9 of cluster 2, which is too small; 7 of none."""
    found = drawn(Clusters(ASSIGNED), n=2)
    assert {c for words in found for c in ASSIGNED[words]} == {0, 1}
    assert all(len(set(ASSIGNED[words])) == 1 for words in found)
    assert chisquare(frequencies(found)[1:7]).pvalue > 0.01
    counts = COUNTS.copy()
    counts[1] = 0  # cluster 0 has two words now, cluster 1 three
    shares = Counter(int(ASSIGNED[words[0]]) for words in drawn(Clusters(ASSIGNED), counts, 2))
    assert chisquare([shares[0], shares[1]], [DRAWS * 2 / 5, DRAWS * 3 / 5]).pvalue > 0.01


def test_a_share_of_the_draws_is_from_all_words():
    """With two clusters of 50, half of the uniform pairs (49 of 99) are of one cluster too."""
    assignment = np.repeat([0, 1], 50)
    for within in (0.0, 0.3, 1.0):
        found = drawn(Clusters(assignment, within), np.full(100, 9), 2)
        alike = sum(assignment[a] == assignment[b] for a, b in found)
        expected = within + (1 - within) * 49 / 99
        assert alike == pytest.approx(DRAWS * expected, abs=4 * np.sqrt(DRAWS / 4)), within


def test_where_no_cluster_is_large_enough_words_come_from_all():
    assert {len(w) for w in drawn(Clusters(ASSIGNED), n=5, draws=50)} == {5}


def test_clusters_of_another_index_are_refused():
    with pytest.raises(MetaglotError, match="clusters have 3 words, the index has 10"):
        Clusters(np.zeros(3, np.int64)).choose(COUNTS, 2, generator(0), {})


def test_a_curriculum_begins_as_log_frequency_and_then_follows_its_snapshot():
    curriculum = Curriculum(within=1.0)
    for n in (1, 3):
        first = [w.tolist() for w in drawn(curriculum, n=n, draws=200)]
        assert first == [w.tolist() for w in drawn(LogFrequency(), n=n, draws=200)]
        snapshot = {ASSIGNMENT: torch.from_numpy(ASSIGNED)}
        later = [w.tolist() for w in drawn(curriculum, n=n, snapshot=snapshot, draws=200)]
        assert later == [w.tolist() for w in drawn(Clusters(ASSIGNED), n=n, draws=200)]
        assert first != later


def test_a_curriculum_is_remade_from_vectors():
    """Words of two groups whose vectors lie far apart; words without a count, and rare ones, belong to none."""
    asked = []

    def vectors(words, options):
        asked.append((words.tolist(), options))
        return np.where(words[:, None] % 2 == 0, 5.0, -5.0) + 0.01 * words[:, None] * np.ones((1, 3))

    counts = np.array([9, 9, 0, 9, 9, 9, 9, 3])
    options = WordClustering(clusters=2, words=6)
    curriculum = Curriculum(options, every=7, seed=4)
    before = {"other": torch.ones(2)}
    after = curriculum.refresh(before, counts, vectors, step=14)
    assert asked == [([0, 1, 3, 4, 5, 6], options)]
    assert before.keys() == {"other"}
    assert torch.equal(after["other"], before["other"])
    found = after[ASSIGNMENT].tolist()
    assert found[2] == found[7] == -1
    assert {found[i] for i in (0, 4, 6)} | {found[i] for i in (1, 3, 5)} == {0, 1}
    assert len({found[i] for i in (0, 4, 6)}) == len({found[i] for i in (1, 3, 5)}) == 1
    again = curriculum.refresh(before, counts, vectors, step=14)
    assert torch.equal(after[ASSIGNMENT], again[ASSIGNMENT])


def test_only_the_curriculum_reads_the_model():
    reading = {name: isinstance(sampler, LearningSampler) for name, (sampler, _) in SAMPLERS.items()}
    assert [name for name, reads in reading.items() if reads] == ["curriculum", "curriculum before it"]
