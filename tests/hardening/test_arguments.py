"""Arguments of every wrong kind: each command says which one, before a model is loaded, and touches nothing."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.choices import EFFORTS

pytestmark = pytest.mark.timeout(900)  # thousands of inputs, on a machine that may be busy
MANY = pytest.mark.parametrize("cases", [40, pytest.param(250, marks=pytest.mark.slow)])
WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
ODD = (
    WORD
    | st.integers().map(str)
    | st.floats().map(str)
    | st.sampled_from(["", " ", ".", "..", "/", "-", "nan", "9" * 40])
)


def no_number(word: str) -> bool:
    """Whether no parser of whole numbers takes the word; 3.0 passes for 3."""
    try:
        return not float(word).is_integer()
    except (ValueError, OverflowError):
        return True


def not_positive(word: str) -> bool:
    return no_number(word) or float(word) < 1


SHOTS = ODD.filter(lambda word: any(not_positive(part) for part in word.split(",")))
COLUMNS = ODD.filter(lambda word: "=" not in word) | st.sampled_from(["text=", "=text", "txet=text", "label=nope"])
BAD = {  # option -> words that it refuses, whatever else is said
    "adapt": {
        "--effort": ODD.filter(lambda w: w not in EFFORTS),
        "--seed": ODD.filter(no_number),
        "--columns": COLUMNS,
    },
    "evaluate": {
        "--shots": SHOTS,
        "--draws": ODD.filter(not_positive),
        "--queries": ODD.filter(not_positive),
        "--threads": ODD.filter(not_positive),
        "--efforts": ODD.filter(lambda w: any(p.strip() not in EFFORTS for p in w.split(",") if p.strip())),
        "--leave-out": ODD.filter(lambda w: any(p.strip() not in ("examples", "") for p in w.split(","))),
        "--columns": COLUMNS,
    },
}


@pytest.fixture
def desk(tmp_path, monkeypatch, write_csv):
    """Stand in a folder with examples, a thesis, and an earlier adaptation."""
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "examples.csv", 3)
    for folder, name in (("taken", "thesis.txt"), ("saved", "adapted.json")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / name).write_text("years of work")
    return tmp_path


@MANY
@pytest.mark.parametrize("command", BAD)
def test_bad_options(cases, command, handled, desk):
    def one(option):
        return st.tuples(st.just(option), BAD[command][option])

    @settings(max_examples=cases)
    @given(st.sampled_from(sorted(BAD[command])).flatmap(one), st.booleans())
    def run(chosen, joined):
        option, word = chosen
        said = [f"{option}={word}"] if joined or word.startswith("-") else [option, word]
        handled(command, "builtin:tiny", "examples.csv", "--out", "x", *said, keeps=desk, code=2)

    run()


@pytest.mark.parametrize("cases", [20, pytest.param(120, marks=pytest.mark.slow)])
def test_models_that_are_none(cases, handled, desk, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    inside = ["taken", "saved", "examples.csv", "builtin:", "builtin:tin", "hub:x", "a/b/c", "../x", "~", "~0", "~/x"]

    @settings(max_examples=cases)
    @given(ODD.filter(lambda word: not word.startswith("-")) | st.sampled_from(inside))
    def run(name):
        handled(
            "adapt",
            name,
            "examples.csv",
            "--out",
            "x",
            naming=(name.strip(), "no such model", "no built-in", os.path.expanduser(name.strip())),
            keeps=desk,
            code=2,
        )

    run()


@pytest.mark.parametrize("cases", [20, pytest.param(120, marks=pytest.mark.slow)])
@pytest.mark.parametrize("command", ["adapt", "evaluate"])
def test_outputs_that_are_taken(cases, command, handled, desk):
    """--force replaces an adaptation, and never anything else."""
    taken = st.sampled_from(
        ["taken", "examples.csv", "examples.csv/x", "/dev/null", "taken/thesis.txt", ".", "x" * 300]
    )

    @settings(max_examples=cases)
    @given(taken, st.booleans(), ODD.filter(lambda word: not word.startswith("-")))
    def run(out, force, model):
        arguments = [command, model, "examples.csv", "--out", out, *(["--force"] if force else [])]
        handled(*arguments, keeps=desk, code=2)

    run()


def test_an_earlier_adaptation_is_kept_without_force(handled, desk):
    handled("adapt", "builtin:tiny", "examples.csv", "--out", "saved", naming=("--force",), keeps=desk, code=2)


@pytest.mark.parametrize("goal", ["0", "-1", "1.01", "nan", "inf", "90"])
def test_goals_that_cannot_be_met(handled, desk, goal):
    arguments = ("adapt", "builtin:tiny", "examples.csv", "--out", "x", f"--goal={goal}")
    handled(*arguments, naming=("--goal",), keeps=desk, code=2)


def test_more_shots_than_examples_is_said_once(handled, tiny, desk):
    """What happens: all are used, the note names task and classes, and `support` records the truth."""
    import json

    arguments = (
        "evaluate",
        tiny,
        "examples.csv",
        "--shots",
        "1,99",
        "--draws",
        2,
        "--efforts",
        "instant",
        "--out",
        "r",
    )
    said = handled(*arguments, "--against", "tfidf", code=0)
    notes = [line for line in said.err.splitlines() if line.startswith("note: ")]
    assert len(notes) == 1
    assert "examples: fewer than 99 examples are left for 99 shots" in notes[0]
    assert all(f"'{label}' (2)" in notes[0] for label in ("billing", "delivery", "technical"))
    rows = [json.loads(line) for line in (desk / "r" / "results.jsonl").read_text().splitlines()]
    assert {(row["shot"], row["support"]) for row in rows} == {(1, 3), (99, 6)}
