"""Recipes of every wrong kind: settings, or a message that names the file and the key."""

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.config import Recipe, load_recipe, parse_recipe
from metaglot.errors import MetaglotError

pytestmark = pytest.mark.timeout(900)  # thousands of inputs, on a machine that may be busy
MANY = pytest.mark.parametrize("cases", [30, pytest.param(250, marks=pytest.mark.slow)])
GOOD = "data: {train: [nowhere.csv]}\n"
WORD = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
HUGE = st.sampled_from([10**30, -(10**30), 1e308, -1e308, float("nan"), float("inf"), 2**63, "1e400", "9" * 40, ""])
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | WORD | HUGE | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORD, inner, max_size=3),
    max_leaves=5,
)


def keys() -> list[str]:
    """Every dotted key of a recipe."""
    found = list(Recipe.model_fields)
    for name, field in Recipe.model_fields.items():
        inner = getattr(field.annotation, "model_fields", {})
        found += [f"{name}.{one}" for one in inner]
    found += ["goal.at_least", "budget.cpu_minutes", "data.train.0", "algorithm.options.lr", "nonsense"]
    return [*found, "model.scratch.type", "model.scratch.config", "text.corpora", "text.length", "text.held_out"]


@MANY
def test_any_value_under_any_key(cases, answered):
    @settings(max_examples=cases)
    @given(st.sampled_from(keys()), VALUE, st.sampled_from(keys()), VALUE)
    def run(first, one, second, other):
        values = {"data": {"train": ["nowhere.csv"]}}
        for key, value in ((first, one), (second, other)):
            *parents, last = key.split(".")
            at = values
            for parent in parents:
                at = at.setdefault(parent, {}) if isinstance(at, dict) else {}
            if isinstance(at, dict):
                at[last] = value
        made = answered(lambda: parse_recipe(values, where="mine.yaml"), naming=("mine.yaml",))
        assert made is None or isinstance(made, Recipe)

    run()


@MANY
def test_any_task(cases, answered):
    kinds = [
        "smlmt",
        "plain",
        "pairs",
        "domain-lm",
        "documents",
        "domains",
        "sentence-clusters",
        "supervised",
        "nothing",
    ]
    names = st.sampled_from(
        ["kind", "weight", "until", "words", "clusters", "batch", "bound", "episodes", "hard", "odd"]
    )
    task = st.dictionaries(names, VALUE | st.sampled_from(kinds), max_size=3) | st.sampled_from(kinds) | VALUE

    @settings(max_examples=cases)
    @given(st.lists(task, max_size=3), st.booleans(), st.booleans())
    def run(tasks, labelled, text):
        values = {"tasks": tasks} | ({"data": {"train": ["nowhere.csv"]}} if labelled else {})
        values |= {"text": {"corpora": ["nowhere.txt"]}} if text else {}
        made = answered(lambda: parse_recipe(values, where="mine.yaml"), naming=("mine.yaml",))
        assert made is None or isinstance(made, Recipe)

    run()


@MANY
def test_any_text(cases, answered, tmp_path):
    piece = st.sampled_from(
        ["a", ":", "\n", "  ", "- ", "{", "}", "[", "]", "&x", "*x", "<<: ", "!!int ", "'", '"', "|"]
    )
    file = tmp_path / "mine.yaml"

    @settings(max_examples=cases)
    @given(st.lists(piece | WORD, max_size=12).map("".join), st.booleans(), st.sampled_from(["utf-8", "utf-16"]))
    def run(text, after, encoding):
        file.write_bytes((GOOD * after + text).encode(encoding))
        answered(lambda: load_recipe(file), naming=("mine.yaml",))

    run()


@MANY
def test_any_override(cases, answered):
    key = st.sampled_from(keys()) | WORD | st.lists(WORD, max_size=3).map(".".join)

    @settings(max_examples=cases)
    @given(key, st.sampled_from(["=", "", "=="]), WORD | VALUE.map(yaml.safe_dump) | HUGE.map(str))
    def run(name, sign, value):
        override = f"{name}{sign}{value}"
        answered(lambda: parse_recipe({"data": {"train": ["a"]}}, [override]), naming=("override", "recipe"))

    run()


@pytest.mark.parametrize("cases", [10, pytest.param(60, marks=pytest.mark.slow)])
def test_any_override_of_the_command(cases, handled, tmp_path, monkeypatch):
    """The data are not there: it must end before a model is loaded, and leave the earlier run alone."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text(GOOD)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.yaml").write_text("a month of work")

    @settings(max_examples=cases)
    @given(st.sampled_from(keys()), VALUE.map(lambda v: yaml.safe_dump(v).strip()))
    def run(key, value):
        arguments = ["pretrain", "mine.yaml", f"{key}={value}", "--out", "new"]
        handled(*arguments, naming=("mine.yaml", "override", "nowhere.csv", "data", "read"), keeps=tmp_path, code=2)

    run()


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
CLEVER = {
    "aliases that swell": (BOMB, "stand for more than 20,000 values"),
    "a list that holds itself": ("a: &a [*a]\n", "stands within what it names"),
    "keys that hold themselves": ("training: &a {x: *a}\n", "stands within what it names"),
    "brackets without end": ("a: " + "[" * 5000, "nested too deep|not valid YAML"),
    "levels without end": ("a: " + "[" * 60 + "]" * 60, "nested too deep"),
    "a number of 5,000 digits": ("seed: " + "1" * 5000, "not valid YAML: Exceeds the limit"),
    "a month 99": ("name: 2020-99-99", "not valid YAML: month must be"),
    "a number of nothing": ("seed: !!int", "not valid YAML: string index"),
    "two megabytes": ("# " + "x" * (2 << 20), "more than 1 MiB"),
    "a thousand mistakes": ("".join(f"k{i}: 1\n" for i in range(1000)), r"and \d+ more"),
    "NaN": ("budget: {cpu_minutes: .nan}", r"budget\.cpu_minutes: .*finite"),
    "infinity": ("training: {lr: .inf}", r"training\.lr: .*finite"),
    "1e400": ("training: {lr: 1e400}", r"training\.lr: .*finite"),
    "10**30 steps": ("training: {steps: 1" + "0" * 30 + "}", r"training\.steps: .*(less than|1000000000)"),
    "10**30 ways": ("episodes: {ways: [2, 1" + "0" * 30 + "]}", r"episodes: ways: expected"),
    "10**30 threads": ("threads: 1" + "0" * 30, "threads: .*1024"),
    "a seed beyond 63 bits": (f"seed: {2**63}", "seed: .*less than"),
    "more classes than support": ("episodes: {ways: [9, 9], max_support: 8}", "max_support: 8 examples cannot hold"),
    "a name that leads away": ("name: ../../etc", "name: expected a name that a folder can have"),
    "a name of nothing": ("name: ' '", "name: expected a name"),
}


@pytest.mark.parametrize("kind", CLEVER)
def test_clever_recipes(answered, tmp_path, kind):
    text, said = CLEVER[kind]
    (tmp_path / "mine.yaml").write_text(GOOD + text)
    with pytest.raises(MetaglotError, match=rf"mine\.yaml: [\s\S]*({said})"):
        load_recipe(tmp_path / "mine.yaml")
    answered(lambda: load_recipe(tmp_path / "mine.yaml"), naming=("mine.yaml",))


def test_aliases_within_bounds_are_fine(tmp_path):
    (tmp_path / "mine.yaml").write_text("data: {train: [&a {path: x.csv, min_per_class: 4}, *a], validation: [*a]}\n")
    loaded = load_recipe(tmp_path / "mine.yaml")
    assert loaded.data.train == (loaded.data.validation[0], loaded.data.validation[0])
