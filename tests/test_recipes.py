"""Every recipe loads, and runs two steps with a small model and small episodes."""

import os
from pathlib import Path

import pytest

from metaglot.assembly import assemble, write_run_files
from metaglot.config import dump_recipe, load_recipe, packaged_recipes, parse_recipe
from metaglot.data.builtin import fetch
from metaglot.errors import MetaglotError
from metaglot.training import run

RECIPES = packaged_recipes()
SMALL = (
    "model.name=builtin:tiny",
    "model.precision=fp32",
    "model.max_length=16",
    "threads=1",
    "training.steps=2",
    "training.meta_batch=1",
    "validation.episodes=2",
    "validation.ways=[2, 3]",
    "validation.shots=1",
    "validation.queries=1",
    "episodes.ways=[2, 3]",
    "episodes.shots=[1, 2]",
    "episodes.queries=1",
)


def test_there_are_recipes():
    files = sorted((Path(__file__).parent.parent / "recipes").glob("*.yaml"))
    assert len(files) >= 3
    assert {file.stem for file in files} <= set(RECIPES)


@pytest.mark.parametrize("name", RECIPES)
def test_it_loads(name):
    recipe = load_recipe(RECIPES[name])
    assert recipe.name == name
    assert recipe.description
    assert parse_recipe({"data": {"train": ["x"]}}) != recipe
    small = load_recipe(RECIPES[name], SMALL)
    assert (small.training.steps, small.model.name) == (2, "builtin:tiny")


@pytest.mark.parametrize("name", RECIPES)
def test_it_runs_two_steps(name, tmp_path):
    recipe = load_recipe(RECIPES[name], SMALL)
    _need(recipe)
    assembled = assemble(recipe)
    write_run_files(tmp_path, dump_recipe(recipe), assembled.description)
    events = list(run(assembled.plan, tmp_path))
    assert [event.kind for event in events].count("step") == 2
    assert (events[-1].reason, events[-1].state.step) == ("done", 2)
    assert len(assembled.train) >= len(recipe.data.train)
    assert (tmp_path / "checkpoints/step-2/params.safetensors").is_file()


def _need(recipe) -> None:
    sets = [one.path for one in (*recipe.data.train, *recipe.data.validation)]
    if "$METAGLOT_DATA" in recipe.data.root and not os.environ.get("METAGLOT_DATA"):
        pytest.skip("METAGLOT_DATA is not set: the recipe reads its sets from there")
    try:
        for path in ("builtin:tiny", *sets):
            if path.startswith("builtin:"):
                fetch(path.removeprefix("builtin:"))
    except MetaglotError as error:
        pytest.skip(f"a built-in model or set cannot be had: {error}")
