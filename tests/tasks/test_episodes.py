"""Episodes: balanced, disjoint, within ranges and caps, a pure function of (seed, n)."""

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.seeds import fold, generator
from metaglot.tasks import MixtureOf, Selection, Shape, SupervisedTasks, draw_episode, sources_of
from metaglot.tasks.sources import split_classes, with_names
from metaglot.tasks.supervised import mixture_weights
from metaglot.types import Episode

SEEDS = st.integers(0, 2**63 - 1)


@st.composite
def shapes(draw) -> Shape:
    least, shots = draw(st.integers(2, 6)), draw(st.integers(1, 9))
    return Shape(
        ways=(least, draw(st.integers(least, 9))),
        shots=(shots, draw(st.integers(shots, 12))),
        queries=draw(st.integers(1, 6)),
        max_support=draw(st.integers(2, 40)),
        max_query=draw(st.integers(2, 40)),
    )


@st.composite
def sizes(draw) -> list[int]:
    return draw(st.lists(st.integers(2, 14), min_size=2, max_size=9))


def drawn(make_toy, counts, shape, seed) -> tuple:
    (source,) = sources_of(make_toy(per_class=counts, classes=len(counts)), Selection(min_per_class=2))
    return source, draw_episode(source, Classification(), shape, generator(seed))


@settings(max_examples=150, deadline=None)
@given(counts=sizes(), shape=shapes(), seed=SEEDS)
def test_any_episode_keeps_its_promises(make_toy, counts, shape, seed):
    source, episode = drawn(make_toy, counts, shape, seed)
    ways = len(episode.task.labels)
    support, query = episode.support["labels"].tolist(), episode.query["labels"].tolist()
    shots, queries = len(support) // ways, len(query) // ways
    # Balanced.
    assert Counter(support) == dict.fromkeys(range(ways), shots)
    assert Counter(query) == dict.fromkeys(range(ways), queries)
    # Disjoint, without repetition.
    rows = episode.rows["support"] + episode.rows["query"]
    assert len(set(rows)) == len(rows) == len(support) + len(query)
    # Within the ranges, or below them only where the source or a cap ends.
    most = min(len(counts), shape.max_support, shape.max_query)
    assert min(shape.ways[0], most) <= ways <= min(shape.ways[1], most)
    smallest = min(counts[c] for c in episode.task.classes)
    limit = min(shape.max_support // ways, smallest - 1)
    assert min(shape.shots[0], limit) <= shots <= min(shape.shots[1], limit)
    assert 1 <= queries <= shape.queries
    assert queries == shape.queries or queries in (shape.max_query // ways, smallest - shots)
    assert len(support) <= shape.max_support
    assert len(query) <= shape.max_query
    # Labels are those of the source.
    assert len(set(episode.task.classes)) == ways
    table = source.examples.table.column("label").to_pylist()
    for row, label in zip(rows, support + query, strict=True):
        assert table[row] == episode.task.classes[label]
    assert episode.task.labels == tuple(source.examples.labels[c] for c in episode.task.classes)
    assert episode.family is episode.objective  # by its name in earlier versions
    # The text is that of the row.
    ids = [*episode.support["input_ids"], *episode.query["input_ids"]]
    masks = [*episode.support["attention_mask"], *episode.query["attention_mask"]]
    for row, tokens, mask in zip(rows, ids, masks, strict=True):
        assert tuple(tokens[mask.bool()].tolist()) == source.examples.inputs[row]


def equal(a: Episode, b: Episode) -> bool:
    return (
        a.task == b.task
        and a.rows == b.rows
        and all(torch.equal(a.support[n], b.support[n]) and torch.equal(a.query[n], b.query[n]) for n in a.support)
    )


@settings(max_examples=60, deadline=None)
@given(seed=SEEDS, n=st.integers(0, 2**40), shape=shapes())
def test_an_episode_is_a_function_of_seed_and_number(toy, seed, n, shape):
    tasks = SupervisedTasks(tuple(sources_of(toy)), Classification(), shape)
    snapshot = {"x": torch.ones(1)}
    episode = tasks(seed, n, {})
    np.random.seed(0)
    torch.manual_seed(0)
    assert equal(episode, tasks(seed, n, snapshot))
    assert tasks.update(snapshot, [{"loss": 1.0}]) is snapshot


def test_other_numbers_and_seeds_give_other_episodes(toy):
    tasks = SupervisedTasks(tuple(sources_of(toy)), Classification(), Shape((3, 3), (2, 2), 2))
    rows = {tasks(seed, n, {}).rows["support"] for seed in range(10) for n in range(20)}
    assert len(rows) == 200


def test_ways_and_shots_are_uniform_over_their_ranges(toy):
    tasks = SupervisedTasks(tuple(sources_of(toy)), Classification(), Shape((2, 5), (1, 4), 1))
    episodes = [tasks(0, n, {}) for n in range(600)]
    ways = Counter(len(e.task.labels) for e in episodes)
    shots = Counter(len(e.support["labels"]) // len(e.task.labels) for e in episodes)
    classes = Counter(c for e in episodes for c in e.task.classes)
    assert set(ways) == {2, 3, 4, 5}
    assert set(shots) == {1, 2, 3, 4}
    assert set(classes) == set(range(6))
    for counts in (ways, shots, classes):
        assert chisquare(list(counts.values())).pvalue > 0.01


def test_a_class_of_one_example_is_an_error(make_toy):
    (source,) = sources_of(make_toy(classes=2, per_class=[1, 9]), Selection(min_per_class=1))
    with pytest.raises(MetaglotError, match="a class with one example"):
        draw_episode(source, Classification(), Shape(), generator(0))


@pytest.mark.parametrize(
    "shape",
    [
        Shape(ways=(1, 1)),
        Shape(ways=(5, 3)),
        Shape(shots=(0, 4)),
        Shape(shots=(4, 2)),
        Shape(queries=0),
        Shape(max_support=1),
        Shape(max_query=1),
    ],
)
def test_a_shape_that_cannot_be_is_an_error(toy, shape):
    tasks = SupervisedTasks(tuple(sources_of(toy)), Classification(), shape)
    with pytest.raises(MetaglotError, match="episodes need"):
        tasks(0, 0, {})


@pytest.fixture(scope="module")
def three(make_toy):
    """Sets of 20, 80 and 320 texts; the last is two tasks of 160."""
    domains = ["x", "y"] * 160
    return [
        *sources_of(make_toy(name="small", classes=2, per_class=10)),
        *sources_of(make_toy(name="middle", classes=2, per_class=40)),
        *sources_of(make_toy(name="large", classes=2, per_class=160, domain=domains), Selection(group_by=("domain",))),
    ]


EXPECTED = {
    "uniform": {"small": 1 / 3, "middle": 1 / 3, "large": 1 / 3},
    "size": {"small": 1 / 21, "middle": 4 / 21, "large": 16 / 21},
    "sqrt": {"small": 1 / 7, "middle": 2 / 7, "large": 4 / 7},
}


@pytest.mark.parametrize("mixture", EXPECTED)
def test_mixtures(three, mixture):
    weights = mixture_weights(three, mixture, {})
    expected = EXPECTED[mixture]
    names = ["small", "middle", "large/x", "large/y"]
    assert [s.info.name for s in three] == names
    shares = np.array([expected["small"], expected["middle"], expected["large"] / 2, expected["large"] / 2])
    assert np.allclose(weights, shares, atol=1e-15)
    tasks = SupervisedTasks(tuple(three), Classification(), Shape((2, 2), (1, 1), 1), mixture)
    counts = Counter(tasks(1, n, {}).task.name for n in range(700))
    assert chisquare([counts[n] for n in names], 700 * shares).pvalue > 0.01
    assert [t.name for t in tasks.tasks] == names
    other = EXPECTED["uniform" if mixture != "uniform" else "size"]
    wrong = [other["small"], other["middle"], other["large"] / 2, other["large"] / 2]
    assert chisquare([counts[n] for n in names], 700 * np.array(wrong)).pvalue < 1e-6, "the test can fail"


@pytest.mark.parametrize("mixture", EXPECTED)
def test_sets_have_weights(three, mixture):
    weights = {"small": 5.0, "large": 0.5}
    factors = np.array([5.0, 1.0, 0.5, 0.5])
    shares = mixture_weights(three, mixture, {}) * factors
    shares /= shares.sum()
    assert np.allclose(mixture_weights(three, mixture, weights), shares, atol=1e-15)
    tasks = SupervisedTasks(tuple(three), Classification(), Shape((2, 2), (1, 1), 1), mixture, weights)
    episodes = [tasks(1, n, {}) for n in range(700)]
    counts = Counter(episode.task.name for episode in episodes)
    assert chisquare([counts[n] for n in ("small", "middle", "large/x", "large/y")], 700 * shares).pvalue > 0.01
    assert all(equal(tasks(1, n, {}), episodes[n]) for n in (699, 3, 350)), "pure in (seed, n)"
    plain = SupervisedTasks(tuple(three), Classification(), Shape((2, 2), (1, 1), 1), mixture)
    ones = SupervisedTasks(tuple(three), Classification(), plain.shape, mixture, {"small": 1.0, "middle": 1.0})
    assert all(equal(plain(1, n, {}), ones(1, n, {})) for n in range(20)), "a weight of 1 changes nothing"


class Learns:
    """A distribution whose snapshot counts the records."""

    def __init__(self, inner: SupervisedTasks) -> None:
        self.inner = inner

    @property
    def tasks(self):
        return self.inner.tasks

    def __call__(self, seed, n, snapshot):
        return self.inner(seed + int(snapshot.get("seen", 0)), n, {})

    def update(self, snapshot, records):
        return {"seen": snapshot.get("seen", torch.tensor(0)) + len(records)}


def test_a_mixture_of_distributions(three):
    shape = Shape((2, 2), (1, 1), 1)
    parts = tuple(SupervisedTasks((s,), Classification(), shape) for s in three[:2])
    both = MixtureOf(parts, (3.0, 1.0))
    assert [t.name for t in both.tasks] == ["small", "middle"]
    episodes = [both(5, n, {}) for n in range(400)]
    counts = Counter(e.task.name for e in episodes)
    assert chisquare([counts["small"], counts["middle"]], [300, 100]).pvalue > 0.01
    for n in (0, 7, 399):
        assert equal(episodes[n], both(5, n, {}))
        name = episodes[n].task.name
        number = sum(e.task.name == name for e in episodes[:n])
        part = [t.name for t in both.tasks].index(name)
        assert equal(episodes[n], parts[part](fold(5, "part", part), number, {})), "each part counts its own episodes"


def test_a_mixture_keeps_a_snapshot_for_each_part(three):
    shape = Shape((2, 2), (1, 1), 1)
    parts = tuple(Learns(SupervisedTasks((s,), Classification(), shape)) for s in three[:2])
    both = MixtureOf(parts, (1.0, 1.0))
    before: dict = {}
    once = both.update(before, [{"loss": 1.0}])
    twice = both.update(once, [{"loss": 1.0}, {"loss": 2.0}])
    assert before == {}
    assert {n: int(v) for n, v in once.items()} == {"0.seen": 1, "1.seen": 1}
    assert {n: int(v) for n, v in twice.items()} == {"0.seen": 3, "1.seen": 3}
    assert equal(both(5, 0, once), both(5, 0, dict(once)))
    assert not equal(both(5, 0, once), both(5, 0, {}))


def spoken(texts) -> list:
    """Return a row for each name: its letters as tokens, all above those of the toy's texts."""
    return [{"input_ids": np.array([1000 + ord(letter) for letter in text])} for text in texts]


def source_with_names(make_toy):
    (source,) = sources_of(make_toy(classes=4, per_class=[6] * 4), Selection(min_per_class=2))
    labels = source.info.labels
    return with_names(source, dict(zip(labels, ("ash", "birch", "cedar", "")[: len(labels)], strict=True)), spoken)


def test_the_names_of_the_classes_stand_in_a_share_of_the_supports(make_toy):
    source = source_with_names(make_toy)
    assert [row is None for row in source.names] == [False, False, False, True]
    tasks = SupervisedTasks((source,), Classification(), Shape((2, 3), (0, 2), 1, named=0.5))
    found = Counter()
    for n in range(400):
        episode = tasks(3, n, {})
        ways, support = len(episode.task.labels), episode.support
        real = len(episode.rows["support"])
        names = support["labels"][real:].tolist()
        found["all" if 3 not in episode.task.classes else "nameless", bool(names), real == 0] += 1
        assert names in ([], list(range(ways)))  # one of each class, or none
        for row, label in zip(range(real, real + len(names)), names, strict=True):
            letters = support["input_ids"][row][support["attention_mask"][row].bool()]
            word = ("ash", "birch", "cedar")[episode.task.classes[label]]
            assert letters.tolist() == [1000 + ord(letter) for letter in word]
        assert len(episode.query["labels"]) == ways
        assert not (episode.query["input_ids"] >= 1000).any()
    # A class without a name leaves its episodes without; without names there is an example at least.
    assert not any(found[key] for key in found if key[0] == "nameless" and (key[1] or key[2]))
    assert not found["all", False, True]
    assert found["all", True, True] > 20
    shares = found["all", True, True] + found["all", True, False], found["all", False, False]
    assert chisquare(shares).pvalue > 0.01


def test_names_follow_their_classes(make_toy):
    source = source_with_names(make_toy)
    for part in split_classes(source, (0.5, 0.5), seed=1):
        assert part.names == tuple(source.names[c] for c in part.info.classes)


def test_episodes_without_names_are_what_they_were(make_toy):
    source = source_with_names(make_toy)
    plain = SupervisedTasks((source,), Classification(), Shape((2, 3), (1, 2), 1))
    (bare,) = sources_of(make_toy(classes=4, per_class=[6] * 4), Selection(min_per_class=2))
    assert all(
        equal(plain(0, n, {}), SupervisedTasks((bare,), Classification(), plain.shape)(0, n, {})) for n in range(20)
    )


def test_words_for_a_label_that_is_not_there_are_an_error(make_toy):
    (source,) = sources_of(make_toy(classes=2, per_class=[6, 6]), Selection(min_per_class=2))
    with pytest.raises(MetaglotError, match="no class 'oak' to be named"):
        with_names(source, {"oak": "a tree"}, spoken)
