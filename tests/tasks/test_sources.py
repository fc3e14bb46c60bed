"""Which rows become which task: selection, groups, splits without overlap."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.errors import MetaglotError
from metaglot.tasks import Selection, Source, sources_of, split_classes, split_sets

ANY = Selection(min_per_class=1)


@pytest.fixture(scope="module")
def rich(make_toy):
    """96 texts of 4 classes, 24 each: two domains and none, two languages and none, two splits."""
    return make_toy(
        name="rich",
        classes=4,
        per_class=24,
        domain=["a", "b", None] * 32,
        lang=["en", "de", "en", None] * 24,
        split=["train"] * 16 + ["test"] * 80,
    )


def covered(source: Source) -> list[int]:
    return sorted(int(i) for m in source.members for i in m)


def test_a_whole_set_is_one_task(rich):
    (source,) = sources_of(rich)
    assert source.info.name == source.info.dataset == "rich"
    assert source.info.labels == rich.labels
    assert source.info.classes == (0, 1, 2, 3)
    assert covered(source) == list(range(96))
    assert len(source) == 96
    codes = np.array(rich.table.column("label").to_pylist())
    for c, members in zip(source.info.classes, source.members, strict=True):
        assert set(codes[members]) == {c}


def test_one_task_for_each_domain(rich):
    sources = sources_of(rich, ANY._replace(group_by=("domain",)))
    assert [s.info.name for s in sources] == ["rich", "rich/a", "rich/b"]
    assert {s.info.dataset for s in sources} == {"rich"}
    domains = rich.table.column("domain").to_pylist()
    for source, domain in zip(sources, (None, "a", "b"), strict=True):
        assert {domains[i] for i in covered(source)} == {domain}
    assert sorted(i for s in sources for i in covered(s)) == list(range(96))


def test_one_task_for_each_domain_and_language(rich):
    sources = sources_of(rich, ANY._replace(group_by=("domain", "lang")))
    assert {s.info.name for s in sources} == {
        *(f"rich/{d}/{lang}" for d in "ab" for lang in ("en", "de")),
        *("rich/a", "rich/b", "rich/en", "rich/de", "rich"),
    }
    assert sum(len(s) for s in sources) == 96


def test_a_group_by_no_known_column_is_an_error(rich):
    with pytest.raises(MetaglotError, match=r"'domian'.*domain"):
        sources_of(rich, ANY._replace(group_by=("domian",)))


def test_languages_keep_rows_without_one(rich):
    (source,) = sources_of(rich, ANY._replace(languages=("de",)))
    langs = rich.table.column("lang").to_pylist()
    assert covered(source) == [i for i, lang in enumerate(langs) if lang in ("de", None)]


def test_splits_are_exact(rich):
    (source,) = sources_of(rich, ANY._replace(splits=("test",)))
    assert covered(source) == list(range(16, 96))


@pytest.mark.parametrize(("field", "column"), [("splits", "split"), ("languages", "lang"), ("domains", "domain")])
def test_a_part_that_the_set_lacks_is_an_error_and_not_nothing(rich, field, column):
    real = sorted({value for value in rich.table.column(column).to_pylist() if value is not None})
    with pytest.raises(MetaglotError, match=rf"no {column} 'tset'; there are {', '.join(real)}"):
        sources_of(rich, ANY._replace(**{field: (real[0], "tset")}))


def test_classes_chosen_and_left_out(rich):
    (source,) = sources_of(rich, ANY._replace(classes=("class 3", "class 1")))
    assert source.info.labels == ("class 1", "class 3")
    assert source.info.classes == (1, 3)
    (source,) = sources_of(rich, ANY._replace(without=("class 0",)))
    assert source.info.classes == (1, 2, 3)
    for select in (ANY._replace(classes=("class 9",)), ANY._replace(without=("class 9",))):
        with pytest.raises(MetaglotError, match="no class 'class 9'; it has class 0"):
            sources_of(rich, select)
    with pytest.raises(MetaglotError, match="at least two classes"):
        sources_of(rich, ANY._replace(classes=("class 1",)))


def test_small_classes_and_rows_without_a_label_are_left_out(make_toy):
    toy = make_toy(classes=3, per_class=[9, 10, 11])
    (source,) = sources_of(toy, Selection(min_per_class=10))
    assert source.info.classes == (1, 2)
    labels = toy.table.column("label").to_pylist()
    unlabelled = toy.table.set_column(0, "label", [[-1 if i % 2 else c for i, c in enumerate(labels)]])
    (source,) = sources_of(type(toy)(toy.name, toy.labels, unlabelled, toy.inputs), ANY)
    assert covered(source) == list(range(0, 30, 2))


@settings(max_examples=100, deadline=None)
@given(
    count=st.integers(2, 12),
    shares=st.lists(st.floats(0.05, 1.0), min_size=1, max_size=4),
    seed=st.integers(0, 2**32),
)
def test_class_splits_are_disjoint_and_complete(make_toy, count, shares, seed):
    (source,) = sources_of(make_toy(classes=count, per_class=2), ANY)
    edges = np.round(np.cumsum([0, *shares]) / sum(shares) * count)
    if min(np.diff(edges)) < 2:
        with pytest.raises(MetaglotError, match="cannot be cut"):
            split_classes(source, shares, seed=seed)
        return
    parts = split_classes(source, shares, seed=seed)
    classes = [c for part in parts for c in part.info.classes]
    assert sorted(classes) == list(range(count))
    assert len(parts) == len(shares)
    assert sorted(i for part in parts for i in covered(part)) == covered(source)
    for part in parts:
        assert len(part.members) == len(part.info.labels) >= 2
        assert part.info.labels == tuple(source.info.labels[c] for c in part.info.classes)
        for c, members in zip(part.info.classes, part.members, strict=True):
            assert np.array_equal(members, source.members[c])
    again = split_classes(source, shares, seed=seed)
    assert [p.info for p in again] == [p.info for p in parts]


def test_class_splits_follow_seed_and_shares(make_toy):
    (source,) = sources_of(make_toy(classes=10, per_class=2), ANY)
    cuts = {tuple(p.info.classes for p in split_classes(source, (0.6, 0.2, 0.2), seed=s)) for s in range(20)}
    assert len(cuts) > 15
    assert {tuple(len(c) for c in cut) for cut in cuts} == {(6, 2, 2)}
    for shares in ((1.0, 0.0), (0.95, 0.05)):
        with pytest.raises(MetaglotError, match="10 classes cannot be cut"):
            split_classes(source, shares, seed=0)


def test_set_splits_are_disjoint_by_data_set(make_toy, rich):
    sources = [
        *sources_of(rich, ANY._replace(group_by=("domain",))),
        *sources_of(make_toy(name="p")),
        *sources_of(make_toy(name="q")),
    ]
    train, held = split_sets(sources, ["rich", "q"])
    assert [s.info.name for s in train] == ["p"]
    assert [s.info.name for s in held] == ["rich", "rich/a", "rich/b", "q"]
    assert split_sets(sources, []) == (sources, [])
    with pytest.raises(MetaglotError, match="cannot hold out r, z: the sets are p, q, rich"):
        split_sets(sources, ["z", "p", "r"])
