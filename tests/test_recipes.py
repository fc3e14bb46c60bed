"""Every recipe loads, and runs two steps with a small model and small episodes."""

import json
import os
from pathlib import Path

import pytest
import torch

from metaglot.adaptation import AS_TRAINED, load_model
from metaglot.assembly import assemble, write_run_files
from metaglot.choices import FAMILIES
from metaglot.config import dump_recipe, load_recipe, packaged_recipes, parse_recipe
from metaglot.data.builtin import fetch
from metaglot.errors import MetaglotError
from metaglot.training import run

RECIPES = packaged_recipes()
QUICK = ("smoke", "smlmt", "domain-lm", "scratch-decoder", "scratch-encoder")  # the others run in `make test-all`
TINY = {
    "bert": "{hidden_size: 16, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 32}",
    "gpt2": "{n_embd: 16, n_layer: 1, n_head: 2, n_positions: 64}",
    "t5": "{d_model: 16, d_kv: 8, d_ff: 16, num_layers: 1, num_heads: 2}",
}
SMALL = (
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


def small(name):
    """The recipe with a tiny model, small episodes and, of raw text, one author."""
    recipe = load_recipe(RECIPES[name])
    changes = [*SMALL]
    if any(one.task == "question-answering" for one in recipe.data.train):
        changes.append("model.max_length=64")  # a question stands before each part of its passage
    if recipe.training.combine == "pcgrad":
        changes.append("training.meta_batch=2")  # one gradient alone contradicts nothing
    if any(FAMILIES.over_vocabulary(one.task) for one in recipe.data.train):  # a decoder writes
        scratch = f"{{type: gpt2, tokenizer: 'builtin:tiny', config: {TINY['gpt2']}}}"
        changes.append(f"model={{max_length: 32, precision: fp32, scratch: {scratch}}}")
    elif recipe.model.scratch is None:
        changes.append("model.name=builtin:tiny")
    else:
        changes += [f"model.scratch.config={TINY[recipe.model.scratch.type]}", "model.scratch.vocabulary=600"]
    if recipe.text is not None:
        authors = '["Ambrose Bierce", "Lewis Carroll", "Jonathan Swift"]'
        changes += [f"text.corpora=[{{path: books, domains: {authors}}}]", "text.length=32", "validation.batches=2"]
        tasks = [task.model_dump(mode="json") for task in recipe.tasks]
        for task in tasks:
            task |= {key: 200 for key in ("sentences",) if task["kind"] == "sentence-clusters"}
            task |= {"clusters": [4]} if task["kind"] == "sentence-clusters" else {}
            task |= {"clustered": 40, "clusters": 4, "every": 1} if task.get("words") == "curriculum" else {}
            task |= {"batch": 2} if task["kind"] == "plain" else {}
        changes += ["model.max_length=64"] if any(task["kind"] == "recurring-spans" for task in tasks) else []
        changes.append(f"tasks={json.dumps(tasks)}")
    return load_recipe(RECIPES[name], changes)


@pytest.mark.parametrize("name", RECIPES)
def test_it_loads(name):
    recipe = load_recipe(RECIPES[name])
    assert recipe.name == name
    assert recipe.description
    assert parse_recipe({"data": {"train": ["x"]}}) != recipe
    assert small(name).training.steps == 2


def ran(recipe, folder, *, stop=lambda: False):
    assembled = assemble(recipe)
    write_run_files(folder, dump_recipe(recipe), assembled.description, base=assembled.base)
    return assembled, list(run(assembled.plan, folder, stop=stop))


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n in QUICK else pytest.mark.slow) for n in RECIPES])
def test_it_runs_two_steps(name, tmp_path):
    recipe = small(name)
    _need(recipe)
    assembled, events = ran(recipe, tmp_path)
    assert [event.kind for event in events].count("step") == 2
    assert (events[-1].reason, events[-1].state.step) == ("done", 2)
    assert len(assembled.train) >= len(recipe.data.train)
    assert (tmp_path / "checkpoints/step-2/params.safetensors").is_file()
    assert load_model(tmp_path).embed(["a text"]).shape[0] == 1


@pytest.mark.slow
def test_a_recipe_of_numbers_trains_on_them_as_levels_too(tmp_path):
    """Ratings are one of ten levels: from the recipe films to a run, an adaptation as trained, a level for a text."""
    of = small("films").model_dump(mode="json")
    for one in (*of["data"]["train"], *of["data"]["validation"]):
        one["task"] = "ordinal"
    of["training"]["steps"] = 4
    recipe = parse_recipe({**of, "episodes": {**of["episodes"], "shots": [6, 8], "queries": 6}})
    _need(recipe)
    assembled, events = ran(recipe, tmp_path)
    assert {source.info.family for source in assembled.train} == {"ordinal"}
    assert len(assembled.train) > 300  # users
    assert (events[-1].reason, events[-1].state.step) == ("done", 4)
    steps = [event for event in events if event.kind == "step"]
    assert all(0 < event.record["loss"] < 100 for event in steps)
    model = load_model(tmp_path)
    texts = [f"film number {i}, {'a drama' if i % 2 else 'a comedy'}" for i in range(10)]
    stars = [0.5 + 0.5 * (i % 8) for i in range(10)]
    adapted = model.adapt(texts, stars, task="ordinal", effort=AS_TRAINED)
    assert set(adapted.predict(texts)) <= {level / 2 for level in range(1, 9)}


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, file in RECIPES.items() if load_recipe(file).text is not None])
def test_made_from_text_it_goes_on_bit_for_bit(name, tmp_path):
    recipe = small(name)
    _need(recipe)
    _, whole = ran(recipe, tmp_path / "whole")
    _, first = ran(recipe, tmp_path / "parts", stop=lambda: True)
    assert (first[-1].reason, first[-1].state.step) == ("interrupted", 0)
    _, events = ran(load_recipe(tmp_path / "parts/config.yaml"), tmp_path / "parts", stop=Once())
    assert (events[-1].reason, events[-1].state.step) == ("interrupted", 1)
    _, rest = ran(recipe, tmp_path / "parts")
    assert rest[-1].state.step == whole[-1].state.step == 2
    for kind in ("params", "moments", "snapshot"):
        one, other = getattr(whole[-1].state, kind), getattr(rest[-1].state, kind)
        assert one.keys() == other.keys()
        assert all(torch.equal(value, other[key]) for key, value in one.items()), kind


class Once:
    """Tells to stop the second time it is asked, after the first step."""

    def __init__(self):
        self.asked = 0

    def __call__(self):
        self.asked += 1
        return self.asked > 1


def _need(recipe) -> None:
    sets = [one.path for one in (*recipe.data.train, *recipe.data.validation)]
    root = recipe.data.root + (recipe.text.root if recipe.text else "")
    if "$METAGLOT_DATA" in root and not os.environ.get("METAGLOT_DATA"):
        pytest.skip("METAGLOT_DATA is not set: the recipe reads its sets from there")
    try:
        for path in ("builtin:tiny", *sets):
            if path.startswith("builtin:"):
                fetch(path.removeprefix("builtin:"))
    except MetaglotError as error:
        pytest.skip(f"a built-in model or set cannot be had: {error}")
