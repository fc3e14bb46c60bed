"""A recipe becomes a plan over one's own files (tests/test_assembly_refusals.py: what does not fit together)."""

import json
import shutil
from functools import partial

import pytest
import torch
from tests.small_recipes import recipe_over, written

from metaglot.adaptation import load_model
from metaglot.assembly import assemble, read_set, write_run_files
from metaglot.config import dump_recipe, load_recipe
from metaglot.data.checked import sealed
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY, LOSS
from metaglot.models import load_backbone
from metaglot.models.averaging import averaged
from metaglot.training import run
from metaglot.training.validation import validate


@pytest.fixture(autouse=True)
def _tiny(tiny) -> None:
    """Every test here needs the model."""


@pytest.fixture
def files(tmp_path):
    return written(tmp_path)


@pytest.fixture
def recipe(files):
    return partial(recipe_over, files)


def test_a_plan_as_the_recipe_says(recipe):
    made = assemble(recipe(seed=5, training={"steps": 7, "lr": 1e-3, "freeze": ["embeddings.*"], "keep": 3}))
    plan = made.plan
    assert (plan.seed, plan.optimisation.steps, plan.optimisation.lr, plan.keep) == (5, 7, 1e-3, 3)
    assert plan.freeze == ("embeddings.*",)
    assert [source.info.name for source in made.train] == ["one"]
    assert made.train[0].info.labels == ("beast", "fruit", "tool")
    assert [source.info.name for source in made.validation] == ["two"]
    assert made.description["data"] == ["one"]
    assert made.description["base"] == "builtin:tiny"
    assert made.description["fingerprints"].keys() == {"one"}
    episode = plan.validation(0, 0, {})
    assert len(episode.rows["support"]) == 4  # two ways, two shots


@pytest.mark.parametrize(
    ("episodes", "said"),
    [
        ({"ways": [2, 3], "shots": [1, 5]}, None),  # the least that is asked for is there
        ({"ways": [3, 3], "shots": [1, 5]}, "1 of 2 tasks have fewer than 3 classes (as two: 2)"),
        (
            {"ways": [2, 2], "shots": [6, 6]},
            "2 of 2 tasks have fewer than 6 examples to learn a class from (as one: 5)",
        ),
    ],
)
def test_it_is_said_where_episodes_must_be_smaller_than_asked_for(recipe, episodes, said):
    lines = []
    assemble(recipe(("one.csv", "two.csv"), (), episodes=episodes), lines.append)
    notes = [line for line in lines if line.startswith("episodes:")]
    assert notes == ([f"episodes: {said}: their episodes have as many as there are"] if said else [])


@pytest.mark.slow
def test_a_run_may_be_averaged_with_its_base(recipe, tmp_path):
    """Half-way between the base and the weights of the checkpoint, in every way of loading it and in validation."""
    made = assemble(settings := recipe(training={"steps": 2, "lr": 1e-2, "warmup": 0, "average_with_base": 0.25}))
    base, whole = made.backbone.learner.body(), tmp_path / "out"
    base = {name: value.clone() for name, value in base.items() if ".pooler." not in name}
    write_run_files(whole, dump_recipe(settings), made.description)
    *_, tested, _, _ = events = list(run(made.plan, whole))
    trained = events[-1].state.params
    moved = [name for name in base if not torch.equal(base[name], trained[name])]
    assert len(moved) > 10
    expected = {name: 0.25 * base[name] + 0.75 * trained[name] for name in base}
    assert all(torch.allclose(load_model(whole).encoder.meta[name], expected[name]) for name in base)
    body = load_backbone(str(whole)).learner.body()
    assert all(torch.allclose(body[name], expected[name]) for name in base)
    assert load_model(whole).fingerprint() == load_model(whole).fingerprint()
    assert tested.kind == "validation"
    for share, same in ((0.25, True), (0.0, False)):
        weights = averaged(base, trained, share)
        again = validate(made.plan.algorithm, made.backbone.learner, weights, made.plan.validation, episodes=2)
        assert (tested.record["loss"] == again["loss"]) == same


def test_a_goal_is_of_a_metric_of_the_validation_tasks(recipe):
    plan = assemble(recipe(goal={"metric": "loss", "at_most": 0.5})).plan
    assert (plan.goal.metric, plan.goal.score, plan.metric) == (LOSS, 0.5, ACCURACY)
    unread = recipe(goal={"metric": "f1", "at_least": 0.5}, data={"train": ["no.csv"], "validation": ["neither.csv"]})
    with pytest.raises(MetaglotError, match=r"goal\.metric: .* judged by accuracy, loss, and 'f1'"):
        assemble(unread)  # before any file is read


def test_the_shots_of_a_goal_are_those_of_validation(recipe):
    assert assemble(recipe(goal={"at_least": 0.5})).plan.goal.shots == 2
    plan = assemble(recipe(goal={"at_least": 0.5, "shots": 3})).plan
    assert len(plan.validation(0, 0, {}).rows["support"]) == 6
    assert (plan.goal.metric, plan.goal.score, plan.goal.shots) == (ACCURACY, 0.5, 3)


def test_from_a_recipe_to_a_model(recipe, tmp_path):
    settings = recipe(algorithm={"name": "joint", "options": {"steps": 1}})
    made, folder = assemble(settings), tmp_path / "out"
    write_run_files(folder, dump_recipe(settings), made.description)
    events = list(run(made.plan, folder))
    assert events[-1].reason == "done"
    model = load_model(folder)
    assert model.max_length == 12
    assert model.provenance["data"] == ["one"]
    assert not [name for name in model.encoder.meta if name.startswith("heads.")]
    saved = events[-1].state.params
    assert all(torch.equal(value, saved[name]) for name, value in model.encoder.meta.items())
    assert model.adapt(["apple", "saw"], ["a", "b"], effort="instant").predict(["apple"]) == ["a"]


def test_domains_on_two_sides(recipe):
    side = {"path": "domains.csv", "group_by": ["domain"]}
    made = assemble(recipe([{**side, "domains": ["shop"]}], [{**side, "domains": ["farm"]}]))
    assert [s.info.name for s in (*made.train, *made.validation)] == ["domains/shop", "domains/farm"]


def test_a_run_with_weights_goes_on_bit_for_bit(recipe, tmp_path):
    """The weights are those of the recipe in the folder of the run."""
    settings = recipe(["one.csv", {"path": "two.csv", "weight": 5.0}], [], training={"steps": 6, "meta_batch": 1})
    made = assemble(settings)
    probabilities = dict(zip(("one", "two"), made.plan.train._probabilities, strict=True))
    assert probabilities["two"] / probabilities["one"] == pytest.approx(5 * (12 / 18) ** 0.5)
    ends = []
    for name, asked in (("whole", []), ("half", [False, False, True, *[False] * 4])):
        write_run_files(tmp_path / name, dump_recipe(settings), made.description)
        stops = iter(asked)
        for _ in range(2 if asked else 1):
            plan = assemble(load_recipe(tmp_path / name / "config.yaml")).plan
            *_, last = run(plan, tmp_path / name, stop=lambda stops=stops: next(stops, False))
        ends.append(last.state)
    assert ends[0].step == ends[1].step == 6
    assert all(torch.equal(ends[0].params[key], ends[1].params[key]) for key in ends[0].params)


def test_paths(recipe, files, monkeypatch):
    settings = recipe()
    monkeypatch.setenv("METAGLOT_TEST", str(files))
    one = settings.data.train[0]
    for path in ("one.csv", str(files / "one.csv"), "$METAGLOT_TEST/one.csv"):
        assert read_set(settings, one.model_copy(update={"path": path})).num_rows == 18
    with pytest.raises(MetaglotError, match="METAGLOT_ABSENT is not set"):
        read_set(settings, one.model_copy(update={"path": "$METAGLOT_ABSENT/one.csv"}))


def test_a_folder_of_tasks_moves_with_its_root(recipe, files, tmp_path_factory):
    """Fingerprints are of content: the same data elsewhere are the same data."""
    elsewhere = shutil.copytree(files, tmp_path_factory.mktemp("moved") / "data")
    settings = recipe()
    moved = settings.model_copy(update={"data": settings.data.model_copy(update={"root": str(elsewhere)})})
    assert assemble(settings).description["fingerprints"] == assemble(moved).description["fingerprints"]


def test_a_recipe_gives_the_names_of_classes_to_its_episodes(recipe):
    episodes = {"ways": [2, 3], "shots": [0, 1], "queries": 1, "named": 1.0}
    plan = assemble(recipe(episodes=episodes)).plan
    tokenizer = load_backbone("builtin:tiny").tokenizer
    told = [plan.train(0, n, {}) for n in range(12)]
    for episode in told:
        ids = episode.support["input_ids"][len(episode.rows["support"]) :]
        assert [tokenizer.decode(row, skip_special_tokens=True) for row in ids] == list(episode.task.labels)
    assert {len(e.rows["support"]) == 0 for e in told} == {True, False}


def test_given_words_name_the_classes_of_a_set(recipe):
    one = {"path": "one.csv", "names": {"fruit": "things to eat"}}
    (source,) = assemble(recipe(train=(one,), episodes={"named": 0.5})).train
    tokenizer = load_backbone("builtin:tiny").tokenizer
    said = [tokenizer.decode(row["input_ids"][1:-1]) for row in source.names]
    assert dict(zip(source.info.labels, said, strict=True)) == {
        "fruit": "things to eat",
        "tool": "tool",
        "beast": "beast",
    }
    with pytest.raises(MetaglotError, match="no class 'froot'"):
        assemble(recipe(train=({"path": "one.csv", "names": {"froot": "x"}},), episodes={"named": 0.5}))


@pytest.mark.parametrize("recorded", [{"lr": 0.5, "steps": 4}, {}, None], ids=str)
def test_a_run_goes_on_with_the_defaults_that_it_began_with(recipe, tmp_path, recorded):
    settings = recipe(algorithm={"name": "fomaml", "options": {"steps": 2}})
    folder = tmp_path / "run"
    begun = assemble(settings)
    write_run_files(folder, dump_recipe(settings), begun.description)
    file = folder / "model.json"
    described = json.loads(file.read_text("utf-8"))
    assert described["algorithm"]["options"].keys() >= {"lr", "steps", "scope", "head"}
    options = {**described["algorithm"]["options"], **recorded} if recorded else recorded
    file.write_text(json.dumps(sealed({**described, "algorithm": {"name": "fomaml", "options": options}})), "utf-8")
    again = assemble(settings, run=folder).plan.algorithm
    assert again.steps == 2  # what the recipe says stands
    assert again.rule.lr == (0.5 if recorded else begun.plan.algorithm.rule.lr)
    assert assemble(settings).plan.algorithm == begun.plan.algorithm
    other = recipe(algorithm={"name": "maml"})  # refused later, as another recipe
    assert assemble(other, run=folder).plan.algorithm.rule.lr == assemble(other).plan.algorithm.rule.lr
