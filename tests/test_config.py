"""Recipes: what is read, and that each mistake is named with its place and the way out."""

from pathlib import Path

import pytest
import yaml

from metaglot.config import dump_recipe, expand, load_recipe, packaged_recipes, parse_recipe
from metaglot.errors import MetaglotError

DATA = {"data": {"train": ["a.csv"]}}


@pytest.fixture
def recipe(tmp_path):
    """Return a function that loads a recipe of this text (after a line of data) with these overrides."""

    def load(text: str = "", *overrides: str, data: str = "data: {train: [a.csv]}\n"):
        file = tmp_path / "mine.yaml"
        file.write_text(data + text, "utf-8")
        return load_recipe(file, overrides)

    return load


@pytest.mark.parametrize("written", ["1e-4", "1E-4", "1.0e-4", "0.0001", ".0001", "+1e-4", "1.e-4"])
def test_numbers_as_people_write_them(recipe, written):
    assert recipe(f"training: {{lr: {written}}}").training.lr == 1e-4
    assert recipe("", f"training.lr={written}").training.lr == 1e-4


def test_words_that_only_look_like_numbers(recipe):
    assert recipe("name: 1e-4x").name == "1e-4x"
    assert recipe("name: '1e-4'").name == "1e-4"
    assert recipe("name: e5").name == "e5"


def test_a_whole_number_will_do_for_a_float(recipe):
    lr = recipe("training: {lr: 1}").training.lr
    assert (lr, type(lr)) == (1.0, float)


def test_defaults_and_dump(recipe):
    loaded = recipe("seed: 3\nepisodes: {ways: [2, 4]}\ngoal: null")
    again = recipe(dump_recipe(loaded), data="")
    assert again == loaded
    assert dump_recipe(again) == dump_recipe(loaded)
    assert (loaded.seed, loaded.episodes.ways, loaded.algorithm.name) == (3, (2, 4), "protonet")


def test_a_set_by_its_path_alone(recipe):
    (one,) = recipe().data.train
    assert (one.path, one.min_per_class) == ("a.csv", 10)


def test_a_recipe_cannot_be_changed(recipe):
    with pytest.raises(ValueError, match="frozen"):
        recipe().seed = 1


NEIGHBOURS = [
    ("trainig: {}", "unknown key trainig .*'training'"),
    ("training: {stpes: 3}", r"unknown key training\.stpes .*'steps'"),
    ("training: {save_evry: 3}", r"training\.save_evry .*'save_every'"),
    ("episodes: {way: [2, 3]}", r"episodes\.way .*'ways'"),
    ("goal: {at_last: 0.5}", r"goal\.at_last .*'at_least'"),
    ("budget: {cpu_minuts: 5}", r"budget\.cpu_minuts .*'cpu_minutes'"),
    ("training: {zzz: 3}", r"unknown key training\.zzz \(known there: steps, meta_batch"),
]


@pytest.mark.parametrize(("text", "said"), NEIGHBOURS)
def test_an_unknown_key_names_its_neighbour(recipe, text, said):
    with pytest.raises(MetaglotError, match=rf"mine\.yaml: .*{said}"):
        recipe(text)


@pytest.mark.parametrize("side", ["train", "validation"])
def test_an_unknown_key_in_an_item_of_a_list(recipe, side):
    other = "" if side == "train" else "train: [b.csv], "
    with pytest.raises(MetaglotError, match=rf"data\.{side}\.1\.group_bye .*'group_by'"):
        recipe(data=f"data: {{{other}{side}: [a.csv, {{path: b.csv, group_bye: [lang]}}]}}\n")


def test_an_unknown_key_in_an_override(recipe):
    with pytest.raises(MetaglotError, match=r"training\.stpes .*'steps'"):
        recipe("", "training.stpes=3")


def test_every_mistake_is_named_at_once(recipe):
    with pytest.raises(MetaglotError) as caught:
        recipe("seed: -1\ntraining: {steps: 0, lr: fast}")
    assert all(word in str(caught.value) for word in ("seed", "training.steps", "training.lr", "'fast'"))


WRONG = [
    ("seed: '3'", "seed: .*integer.*got '3'"),
    ("seed: 3.5", "seed: .*got 3.5"),
    ("seed: true", "seed: .*got True"),
    ("training: {steps: 10.0}", r"training\.steps: .*got 10\.0"),
    ("training: {lr: '1e-4'}", r"training\.lr: .*got '1e-4'"),
    ("training: {lr: 0}", r"training\.lr: .*greater than 0"),
    ("training: {lr: -1e-4}", r"training\.lr: .*greater than 0"),
    ("training: {schedule: cosin}", r"training\.schedule: .*'cosine' or 'constant'.*got 'cosin'"),
    ("training: {freeze: embeddings}", r"training\.freeze: .*got 'embeddings'"),
    ("training: 3", "training: .*got 3"),
    ("training: [steps]", "training: "),
    ("name: 3", "name: .*string.*got 3"),
    ("episodes: {ways: 3}", r"episodes\.ways: .*got 3"),
    ("episodes: {ways: [1, 3]}", r"episodes: ways: expected \[low, high\] with 2 <= low <= high, got \[1, 3\]"),
    ("episodes: {ways: [4, 3]}", "episodes: ways: expected"),
    ("episodes: {shots: [0, 3]}", "episodes: shots: expected"),
    ("episodes: {ways: [2, 3, 4]}", r"episodes\.ways"),
    ("episodes: {ways: [2.0, 3.0]}", r"episodes\.ways\.0"),
    ("validation: {ways: [5, 3]}", "validation: ways: expected"),
    ("validation: {ways: [1, 3]}", "validation: ways: expected"),
    ("model: {max_length: 1}", r"model\.max_length: .*got 1"),
    ("goal: {at_least: 75}\n", r"goal\.at_least: .*got 75"),
    ("training: {lr: .nan}", r"training\.lr: .*finite"),
    ("training: {lr: .inf}", r"training\.lr: .*finite"),
    ("training: {lr: 1e999}", r"training\.lr: .*finite"),
    ("algorithm: {options: {lr: .nan}}", r"algorithm: options\.lr: expected a finite number, got nan"),
    ("algorithm: {name: maml, options: {lr: -.inf}}", r"algorithm: options\.lr: expected a finite number, got -inf"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_wrong_value_is_named_with_what_was_expected(recipe, text, said):
    with pytest.raises(MetaglotError, match=rf"mine\.yaml: .*{said}"):
        recipe(text)


def test_data_must_be_there(recipe):
    for data, said in [
        ("", "data.train: it must name at least one set"),
        ("data: {}\n", "data.train: it must name"),
        ("data: {train: []}\n", "data.train: it must name"),
    ]:
        with pytest.raises(MetaglotError, match=said):
            recipe("seed: 1", data=data)


def test_a_goal_needs_validation(recipe):
    with pytest.raises(MetaglotError, match=r"goal: .*data\.validation must name at least one set"):
        recipe("goal: {at_least: 0.7}")
    loaded = recipe("goal: {at_least: 0.7}", data="data: {train: [a.csv], validation: [b.csv]}\n")
    assert loaded.goal.shots is None, "those of validation"


TORN = {
    "twice": ("seed: 1\nseed: 2", "'seed' stands twice"),
    "twice, nested": ("training: {steps: 1, steps: 2}", "'steps' stands twice"),
    "unclosed": ("training: {steps: 1", "not valid YAML"),
    "template": ("model: {{name}}", "not valid YAML"),
    "tab": ("training:\n\tsteps: 1", "not valid YAML"),
    "object": ("seed: !!python/object/apply:os.getcwd []", "not valid YAML"),
}


@pytest.mark.parametrize("kind", TORN)
def test_yaml_that_is_not(recipe, kind):
    text, said = TORN[kind]
    with pytest.raises(MetaglotError, match=rf"mine\.yaml: .*{said}"):
        recipe(text)


def test_keys_merged_from_an_anchor(recipe):
    loaded = recipe(data="data: {train: [&base {path: a.csv, min_per_class: 4}, {<<: *base, path: b.csv}]}\n")
    assert [(one.path, one.min_per_class) for one in loaded.data.train] == [("a.csv", 4), ("b.csv", 4)]


@pytest.mark.parametrize("text", ["", "- 1\n", "seed", "3"])
def test_a_file_without_keys(recipe, text):
    with pytest.raises(MetaglotError, match=r"mine\.yaml: expected keys and values, got"):
        recipe(text, data="")


def test_keys_that_are_not_words(recipe):
    with pytest.raises(MetaglotError, match=r"mine\.yaml: .*1"):
        recipe("1: 2")


def test_overrides():
    overrides = ["training.steps=7", "goal=null", "episodes.ways=[3, 4]", "model.name=builtin:tiny", "name="]
    loaded = parse_recipe({**DATA, "training": {"lr": 1e-3}}, overrides[:-1])
    assert (loaded.training.steps, loaded.training.lr, loaded.episodes.ways) == (7, 1e-3, (3, 4))
    assert loaded.model.name == "builtin:tiny"
    with pytest.raises(MetaglotError, match=r"name: .*got None"):
        parse_recipe(DATA, overrides)


def test_overrides_leave_the_values_given_alone():
    values = {**DATA, "training": {"steps": 5}}
    parse_recipe(values, ["training.steps=7", "training.lr=1e-3"])
    assert values == {**DATA, "training": {"steps": 5}}


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("training.steps", "expected key=value"),
        ("=3", "expected key=value"),
        ("seed.deeper=3", "seed holds no keys"),
        ("data.train.0.path=b.csv", "train holds no keys"),
        ("training.steps=[1", "not valid YAML"),
        ("training..steps=3", "unknown key training"),
    ],
)
def test_a_wrong_override(override, said):
    with pytest.raises(MetaglotError, match=said):
        parse_recipe({**DATA, "seed": 1}, [override])


def test_a_missing_file_lists_the_recipes(tmp_path):
    with pytest.raises(MetaglotError, match=r"nine\.yaml: no such recipe; .*english"):
        load_recipe(tmp_path / "nine.yaml")
    assert {"english", "demo", "smoke"} <= set(packaged_recipes())


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(MetaglotError, match="cannot be read"):
        load_recipe(tmp_path)
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(MetaglotError, match=r"bytes\.yaml: cannot be read"):
        load_recipe(tmp_path / "bytes.yaml")
    (tmp_path / "control.yaml").write_bytes(b"seed: \x00")
    with pytest.raises(MetaglotError, match=r"control\.yaml: not valid YAML"):
        load_recipe(tmp_path / "control.yaml")


def test_environment_variables(monkeypatch):
    monkeypatch.setenv("METAGLOT_TEST", "/somewhere")
    monkeypatch.delenv("METAGLOT_ABSENT", raising=False)
    assert expand("$METAGLOT_TEST/train") == expand("${METAGLOT_TEST}/train") == "/somewhere/train"
    assert expand("~/x") == str(Path.home() / "x")
    with pytest.raises(MetaglotError, match=r"METAGLOT_ABSENT is not set; export METAGLOT_ABSENT="):
        expand("$METAGLOT_ABSENT/train")
    with pytest.raises(MetaglotError, match=r"a\$ b: .*\$\$"):
        expand("a$ b")


def test_tasks_and_text_fit_each_other(recipe):
    labelled, text = "data: {train: [a.csv]}\n", "text: {corpora: [books]}\n"
    for given, said in [
        (labelled + "tasks: [smlmt]\n" + text, "data.train: no task uses it"),
        ("tasks: [smlmt]\n", "smlmt is made from raw text, and `text` names none"),
        (labelled + text, "text: no task uses it"),
        (text + "tasks: [supervised]\n", r"data\.train: it must name"),
        (text + "tasks: [{kind: plain, weight: 0}]\n", "at least one needs a weight above zero"),
        (
            text + "tasks: [{kind: smlmt, wrods: uniform}]\n",
            r"unknown key tasks\.0\.smlmt\.wrods \(did you mean 'words'",
        ),
        (text + "tasks: [smltm]\n", "smlmt"),
        (
            text + "tasks: [{kind: smlmt, within: 0.5}]\n",
            "within: it has no effect with words: log-frequency; give words: clusters or curriculum, or leave it out",
        ),
        (text + "tasks: [{kind: smlmt, words: clusters, every: 9}]\n", "every: .* words: curriculum, or leave it out"),
        (text + "tasks: [plain]\nmodel: {name: x, scratch: {type: bert}}\n", "either a name or scratch"),
    ]:
        with pytest.raises(MetaglotError, match=said):
            recipe(given, data="")


def test_a_recipe_from_text_alone(recipe):
    found = recipe(
        "text: {corpora: [books]}\nmodel: {scratch: {type: gpt2, config: {n_layer: 2}}}\n"
        "tasks: [smlmt, {kind: plain, weight: 0.5, until: 0.1, bound: 4.0}]\n",
        data="",
    )
    assert [task.kind for task in found.tasks] == ["smlmt", "plain"]
    assert found.model.scratch.config == {"n_layer": 2}
    assert parse_recipe(yaml.safe_load(dump_recipe(found))) == found


def test_random_weights_are_nothing_to_average_with():
    scratch = {"scratch": {"type": "bert", "config": {"hidden_size": 16, "num_attention_heads": 2}}}
    with pytest.raises(MetaglotError, match="average_with_base"):
        parse_recipe({"model": scratch, "data": {"train": ["a"]}, "training": {"average_with_base": 0.5}})
