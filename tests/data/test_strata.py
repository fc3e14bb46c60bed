"""Shots of tasks whose rows are of several groups, of one, or of none."""

import numpy as np
import pyarrow as pa
import pytest

from metaglot.data.draw_notes import draw_notes
from metaglot.data.draws import draws_of
from metaglot.data.strata import first_of_each, strata_of_groups
from metaglot.errors import MetaglotError

LABELS = [("a",), ("a", "b"), ("b",), ("a",), ("a", "c"), (), ("b",), ("a",), (), ("a", "b")]


def tags(labels: list[tuple[str, ...]]):
    rarest = {label: sum(label in own for own in labels) for own in labels for label in own}
    strata = [min(own, key=lambda label: (rarest[label], label), default="") for own in labels]
    return strata_of_groups(strata, labels, each="a label")


def test_groups_take_turns_and_rows_of_none_come_in_proportion():
    strata, at = tags(LABELS), np.arange(len(LABELS))
    # c is the rarest: its row has a too; then b takes its first row, which has a too
    assert strata.first(at, 1).tolist() == [4, 1, 5]  # 2 of 10 rows have no label: a quarter of those that have
    # c has no more; b takes row 2, and a has two already
    assert strata.first(at, 2).tolist() == [4, 1, 2, 5]
    assert strata.counts(strata.first(at, 2)) == {"a": 2, "b": 2, "c": 1}


def test_fewer_shots_are_some_of_those_of_more():
    rng = np.random.default_rng(0)
    labels = [tuple(np.array(list("abcdef"))[rng.uniform(size=6) < 0.2]) for _ in range(200)]
    strata, at = tags(labels), rng.permutation(200)
    smaller: set[int] = set()
    for shot in range(1, 9):
        found = strata.first(at, shot).tolist()
        assert min(strata.counts(np.array(found)).values()) >= shot
        assert len(set(found)) == len(found)
        assert smaller <= set(found)
        smaller = set(found)


def test_a_sentence_is_drawn_only_for_a_type_that_has_too_few_and_counts_for_all_of_its_types():
    """The greedy draw of few-shot taggers: Yang and Katiyar 2020, https://aclanthology.org/2020.emnlp-main.516."""
    rng = np.random.default_rng(1)
    labels = [tuple(np.array(list("abcd"))[rng.uniform(size=4) < 0.3]) for _ in range(300)]
    strata, at = tags(labels), rng.permutation(300)
    drawn = strata.first(at, 5)
    have = dict.fromkeys("abcd", 0)
    with_types = [int(row) for row in drawn if labels[row]]
    for row in with_types:
        assert min(have[label] for label in labels[row]) < 5
        have = {label: count + (label in labels[row]) for label, count in have.items()}
    assert min(have.values()) == 5
    assert len(with_types) < 20  # of 4 types, 5 sentences each
    bare = sum(not labels[row] for row in drawn)
    assert bare == int(sum(not own for own in labels) / sum(map(bool, labels)) * len(with_types) + 0.5)


def test_rows_of_one_group_are_the_first_of_each():
    codes = np.array([2, 0, 1, 0, 2, 1, 0, 2])
    strata = strata_of_groups(list("cabacbac"), [(one,) for one in "cabacbac"], each="a class")
    at = np.array([7, 6, 5, 4, 3, 2, 1, 0])
    assert set(strata.first(at, 2).tolist()) == set(first_of_each(at, codes, 2).tolist())


def test_shots_of_a_whole_task_are_its_examples():
    table = pa.table({"text": [f"text {n}" for n in range(40)], "label": [str(n) for n in range(40)]})
    strata = strata_of_groups([str(n % 4) for n in range(40)], [("number",)] * 40, each="")
    draws = draws_of(table, strata=strata)
    assert draws.labels == ("number",)
    assert len(draws.support(10, 3)) == 10
    assert not set(draws.support(10, 3)) & set(draws.queries(100, 0))
    assert list(draw_notes("films", draws, 10)) == [
        "films: 10 shots are 50% of the 20 texts that draws are made from, so that draws have texts in common, and "
        "intervals over draws are too narrow"
    ]


def test_queries_of_a_test_split_have_no_label_that_supports_lack():
    labels = [("a",), ("b",), (), ("a", "b"), ("a", "c"), ("b",), ()]
    split = ["train"] * 3 + ["test"] * 4
    table = pa.table({"text": list("tuvwxyz"), "label": ["|".join(own) for own in labels], "split": split})
    draws = draws_of(table, strata=tags(labels))
    assert draws.queries(10, 0).tolist() == [3, 5, 6]
    assert draws.labels == ("a", "b")


def test_rows_without_a_number_are_no_examples():
    table = pa.table({"text": list("tuvwxyz"), "label": ["1", None, "2", "3", None, "4", "5"]})
    strata = strata_of_groups(["x", None, "x", "x", None, "x", "x"], [("number",)] * 7, each="")
    draws = draws_of(table, strata=strata)
    there = {*draws.support(10, 0).tolist(), *draws.queries(10, 0).tolist()}
    assert there == {0, 2, 3, 5, 6}
    only = strata_of_groups(["x"] + [None] * 6, [("number",)] * 7, each="")
    with pytest.raises(MetaglotError, match=r"no rows are left for queries\. Give two examples or more"):
        draws_of(table, strata=only)
