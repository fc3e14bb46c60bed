"""Episodes of labels and numbers: what is drawn, what is judged, and what is known of it."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
import torch
from tests.learners import Toy

from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.families.multilabel import MultiLabelFamily
from metaglot.families.regression import Regression, RegressionFamily
from metaglot.seeds import generator
from metaglot.tasks import Selection, Shape, SupervisedTasks, draw_episode, sources_of, targets_by
from metaglot.tasks.sources import with_names
from metaglot.types import Episode

LABELS = "abcdef"
BARE = 0.2


def the_set(targets: list, domain: list | None = None) -> Toy:
    """A set in memory, the text of a row being its number."""
    none = [None] * len(targets)
    table = pa.table(
        {
            "label": pa.array(range(len(targets)), pa.int32()),
            "domain": pa.array(domain or none, pa.string()),
            **{name: pa.array(none, pa.string()) for name in ("lang", "split")},
        }
    )
    return Toy("toy", (), table, tuple((i + 1, 7) for i in range(len(targets))))


def many_labels(count: int = 400) -> list[frozenset[str]]:
    rng = generator(0, "labels")
    return [
        frozenset()
        if rng.random() < BARE
        else frozenset(rng.choice(list(LABELS), int(rng.integers(1, 3)), replace=False))
        for _ in range(count)
    ]


def drawn(targets: list, family, shape: Shape, count: int = 40, select: Selection = Selection(), domain=None):
    found = sources_of(the_set(targets, domain), select, targets_by(family, targets))
    tasks = SupervisedTasks(tuple(found), Classification(), shape)
    return [tasks(3, n, {}) for n in range(count)]


def rows_of(episode: Episode) -> list[int]:
    return [*episode.rows["support"], *episode.rows["query"]]


def test_an_episode_of_labels_judges_those_it_chose():
    targets = many_labels()
    episodes = drawn(targets, MultiLabelFamily(), Shape((2, 4), (2, 4), 3, max_support=24, max_query=24))
    bare = 0
    for episode in episodes:
        labels = episode.task.labels
        assert episode.task.family == "multilabel"
        assert 2 <= len(labels) <= 4
        assert [LABELS[c] for c in episode.task.classes] == list(labels)
        assert not set(episode.rows["support"]) & set(episode.rows["query"])
        assert len(set(rows_of(episode))) == len(rows_of(episode))
        for part, batch in (("support", episode.support), ("query", episode.query)):
            expected = [[float(label in targets[i]) for label in labels] for i in episode.rows[part]]
            assert batch["targets"].tolist() == expected
            own = [targets[i] for i in episode.rows[part]]
            assert all(not one or one & set(labels) for one in own), "a text with other labels alone says nothing"
            bare += sum(not one for one in own)
            assert 1 <= len(own) <= 24
        assert episode.support["targets"].sum(0).min() >= 2
        assert episode.support["input_ids"][:, 0].tolist() == [i + 1 for i in episode.rows["support"]]
    share = bare / sum(len(rows_of(episode)) for episode in episodes)
    assert share == pytest.approx(BARE, abs=0.08)
    assert len({episode.task.labels for episode in episodes}) > 20


def test_every_label_is_chosen_about_as_often():
    chosen = Counter(
        label
        for episode in drawn(many_labels(), MultiLabelFamily(), Shape((2, 2), (1, 2), 1), 300)
        for label in episode.task.labels
    )
    assert set(chosen) == set(LABELS)
    assert max(chosen.values()) < 1.6 * min(chosen.values())


def test_an_episode_of_numbers_knows_the_scale_of_its_support_alone():
    numbers = generator(0, "numbers").normal(3.0, 1.0, 120).tolist()
    domain = [f"user {i % 4}" for i in range(120)]
    select = Selection(group_by=("domain",))
    episodes = drawn(numbers, RegressionFamily(), Shape((2, 8), (4, 10), 6), 40, select, domain)
    assert {len(episode.rows["support"]) for episode in episodes} == set(range(4, 11))
    for episode in episodes:
        assert episode.task.labels == ("number",)
        assert len({i % 4 for i in rows_of(episode)}) == 1, "a user is a task"
        assert len(episode.rows["query"]) == 6
        assert not set(episode.rows["support"]) & set(episode.rows["query"])
        own = np.array([numbers[i] for i in episode.rows["support"]])
        objective = episode.objective
        assert isinstance(objective, Regression)
        assert (objective.mean, objective.spread) == pytest.approx((own.mean(), own.std()))
        assert torch.allclose(objective.predict(episode.query["targets"]).double(), torch.tensor(
            [numbers[i] for i in episode.rows["query"]], dtype=torch.float64), atol=1e-5)  # fmt: skip
    assert len({episode.task.name for episode in episodes}) == 4


def test_a_support_set_of_one_number_is_drawn_anew():
    numbers = [3.0] * 90 + [1.0, 5.0] * 5
    for episode in drawn(numbers, RegressionFamily(), Shape((2, 2), (2, 4), 2), 60):
        assert len({numbers[i] for i in episode.rows["support"]}) > 1
    with pytest.raises(MetaglotError, match=r"all examples had the same target.*more shots"):
        drawn([3.0] * 40, RegressionFamily(), Shape((2, 2), (2, 4), 2), 1)


def test_groups_are_kept_by_the_hash_of_their_names():
    numbers = [float(i) for i in range(2000)]
    domain = [f"user {i % 100}" for i in range(2000)]
    of = the_set(numbers, domain)

    def kept(low: float, high: float) -> set[str]:
        select = Selection(group_by=("domain",), hashed=(low, high))
        return {source.info.name for source in sources_of(of, select, targets_by(RegressionFamily(), numbers))}

    parts = [kept(low, high) for low, high in pairwise((0.0, 0.2, 0.7, 1.0))]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 100
    assert all(abs(len(part) - n) < 15 for part, n in zip(parts, (20, 50, 30), strict=True))
    with pytest.raises(MetaglotError, match="group_by"):
        sources_of(of, Selection(hashed=(0.0, 0.5)), targets_by(RegressionFamily(), numbers))


def test_labels_are_chosen_and_left_out():
    targets = [*many_labels(), None]
    found = targets_by(MultiLabelFamily(), targets)
    (source,) = sources_of(the_set(targets), Selection(without=("a", "b")), found)
    assert source.info.labels == ("c", "d", "e", "f")
    assert source.info.classes == (2, 3, 4, 5)
    mine = [targets[i] for i in source.positions]
    assert all(own is not None and (not own or own - {"a", "b"}) for own in mine)
    assert sum(own == frozenset() for own in mine) == sum(own == frozenset() for own in targets)
    with pytest.raises(MetaglotError, match="no class 'z'"):
        sources_of(the_set(targets), Selection(without=("z",)), found)
    with pytest.raises(MetaglotError, match="at least two labels of 999"):
        sources_of(the_set(targets), Selection(min_per_class=999), found)
    with pytest.raises(MetaglotError, match="at least 999 examples"):
        sources_of(the_set([1.0, 2.5]), Selection(min_per_class=999), targets_by(RegressionFamily(), [1.0, 2.5]))


def test_names_of_labels_stand_for_examples():
    targets = many_labels()
    (source,) = sources_of(the_set(targets), Selection(), targets_by(MultiLabelFamily(), targets))
    source = with_names(
        source, {label: f"the {label}" for label in LABELS}, lambda texts: [{"input_ids": [40]} for _ in texts]
    )
    shape = Shape((3, 3), (0, 0), 2, named=1.0)
    episode = draw_episode(source, Classification(), shape, generator(0, "named"))
    assert episode.rows["support"] == ()
    assert episode.support["targets"].tolist() == torch.eye(3).tolist()
    assert episode.support["input_ids"].tolist() == [[40]] * 3
    (numbers,) = sources_of(the_set([1.0, 2.5] * 9), Selection(), targets_by(RegressionFamily(), [1.0, 2.5] * 9))
    assert with_names(numbers, {}, lambda texts: []).names == ()


def test_episodes_are_a_function_of_seed_and_number():
    one, other = (drawn(many_labels(), MultiLabelFamily(), Shape(), 5) for _ in range(2))
    assert [episode.rows for episode in one] == [episode.rows for episode in other]
    assert len({episode.rows["support"] for episode in one}) == 5
