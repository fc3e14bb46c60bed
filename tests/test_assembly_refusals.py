"""What does not fit together in a recipe is said before training, and what looks alike and fits is taken."""

from functools import partial

import pytest
from tests.small_recipes import HEADER, recipe_over, rows, written

from metaglot.assembly import assemble
from metaglot.errors import MetaglotError


@pytest.fixture(autouse=True)
def _tiny(tiny) -> None:
    """Every test here needs the model."""


@pytest.fixture
def files(tmp_path):
    return written(tmp_path)


@pytest.fixture
def recipe(files):
    return partial(recipe_over, files)


REFUSED = {
    "the same set": (["one.csv"], ["one.csv"], "one is in training and in validation"),
    "a class on both sides": (
        [{"path": "one.csv", "without": ["beast"]}],
        [{"path": "one.csv", "classes": ["tool", "beast"]}],
        "one is in training and in validation",
    ),
    "the same texts, otherwise grouped": (
        [{"path": "domains.csv", "group_by": ["domain"]}],
        ["domains.csv"],
        "texts of domains are in training and in validation",
    ),
    "two sets of one name": (["one.csv", {"path": "two.csv", "name": "one"}], [], "two different sets are called one"),
    "two sets of one name, on two sides": (["one.csv"], [{"path": "two.csv", "name": "one"}], "are called one"),
    "two weights of one set": (
        [{"path": "domains.csv", "domains": ["shop"], "weight": 2}, {"path": "domains.csv", "domains": ["farm"]}],
        [],
        "domains stands twice, with the weights 2 and 1",
    ),
    "no such file": (["oen.csv"], [], r"oen\.csv: no such file \(did you mean 'one\.csv'"),
    "no such class": (
        [{"path": "one.csv", "classes": ["fruit", "tools"]}],
        [],
        "no class 'tools'; it has beast, fruit",
    ),
    "too few": ([{"path": "one.csv", "min_per_class": 7}], [], "one: no task is left"),
    "no such column": ([{"path": "one.csv", "columns": {"label": "topic"}}], [], "topic"),
    "no such built-in": ([{"path": "builtin:20newsgroup"}], [], "no built-in '20newsgroup'"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_data_that_do_not_fit(recipe, kind):
    train, validation, said = REFUSED[kind]
    with pytest.raises(MetaglotError, match=said):
        assemble(recipe(train, validation))


@pytest.mark.parametrize(
    ("section", "said"),
    [
        ({"algorithm": {"name": "protonett"}}, "unknown algorithm 'protonett'.*protonet"),
        ({"algorithm": {"name": "maml", "options": {"step": 2}}}, "maml: unknown option 'step'.*steps"),
        ({"model": {"name": "builtin:small"}}, "no built-in 'small'"),
        ({"model": {"name": "/nowhere/at/all"}}, "/nowhere/at/all: no such model folder"),
    ],
)
def test_settings_that_do_not_fit(recipe, section, said):
    with pytest.raises(MetaglotError, match=said):
        assemble(recipe(**section))


def test_no_examples_without_names_are_refused(recipe):
    with pytest.raises(MetaglotError, match="shots"):
        recipe(episodes={"shots": [0, 1]})


def test_disjoint_classes_of_one_set_are_allowed(recipe, files):
    (files / "four.csv").write_text(HEADER + rows("fruit", "tool", "beast") + rows("fruit").replace("fruit", "other"))
    sides = [{"path": "four.csv", "classes": list(names)} for names in (("fruit", "tool"), ("beast", "other"))]
    made = assemble(recipe([sides[0]], [sides[1]]))
    assert made.train[0].info.labels == ("fruit", "tool")
    assert made.validation[0].info.labels == ("beast", "other")


def test_the_same_set_may_be_named_twice_on_one_side(recipe):
    side = {"path": "domains.csv", "group_by": ["domain"]}
    made = assemble(recipe([{**side, "domains": ["shop"]}, {**side, "domains": ["farm"]}], []))
    assert [source.info.name for source in made.train] == ["domains/shop", "domains/farm"]
