"""`metaglot adapt`, `predict` and `edit` with several labels a text, and with numbers."""

import csv
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from metaglot import Adapted, load
from metaglot.choices import FAMILIES
from metaglot.data.label_lists import labels_in
from metaglot.data.readers import read_table

THINGS, STATES = ("kettle", "lamp", "drill"), ("broken", "late", "fine", "dear")
TEXTS = [f"the {thing} is {state}" for thing in THINGS for state in STATES]
SETS = [
    [label for label, word in (("house", "kettle"), ("house", "lamp"), ("angry", "broken"), ("angry", "late"))
     if word in text] for text in TEXTS
]  # fmt: skip
NUMBERS = [1.5 + STATES.index(text.split()[-1]) + 0.25 * THINGS.index(text.split()[1]) for text in TEXTS]
STARS = [float(1 + (5 * i + i // 4) % 4) for i in range(len(TEXTS))]
TARGETS: dict[str, list[Any]] = {"multilabel": SETS, "regression": NUMBERS, "ordinal": STARS}
CELLS = {"multilabel": "several", "regression": "number", "ordinal": "one"}
METRIC = {"multilabel": "macro F1", "regression": "MAE", "ordinal": "MAE"}
KINDS = list(TARGETS)


def write(path: Path, targets: list[Any]) -> Path:
    rows = [{"text": text, "label": target} for text, target in zip(TEXTS, targets, strict=False)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


def asked_of(kind: str) -> list[str]:
    """Return the options: whole numbers are classes unless it is said otherwise, and the other kinds are seen."""
    return ["--effort", "instant", *(["--task", kind] if kind == "ordinal" else [])]


@pytest.fixture(params=[pytest.param(kind, marks=[pytest.mark.slow] if kind == "ordinal" else []) for kind in KINDS])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def file(tmp_path: Path, kind: str) -> Path:
    return write(tmp_path / "a.jsonl", TARGETS[kind])


@pytest.fixture(scope="module")
def adapted_to(
    metaglot: Callable[..., Any], tiny: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """A function from a kind to the folder of what was adapted to it, once for all tests."""

    @cache
    def adapted(kind: str) -> Path:
        folder = tmp_path_factory.mktemp(kind)
        file = write(folder / "a.jsonl", TARGETS[kind])
        said = metaglot("adapt", tiny, file, "--out", folder / "m", *asked_of(kind), "--keep-examples", "-q")
        assert said.code == 0, said.err
        return folder / "m"

    return adapted


@pytest.fixture
def mine(adapted_to: Callable[..., Path], tmp_path: Path, kind: str) -> Path:
    return shutil.copytree(adapted_to(kind), tmp_path / "m")


def test_the_kind_is_seen_and_what_python_learns_is_learnt(metaglot, tiny, file, mine, kind):
    adapted = Adapted.load(mine)
    assert adapted.fit.family.name == kind
    same = load(tiny).adapt(TEXTS, TARGETS[kind], task=kind, effort="instant")
    found = adapted.predictions(TEXTS)
    assert np.array_equal(found.values, same.predictions(TEXTS).values)
    rows = [json.loads(line) for line in metaglot("predict", mine, file, "--json").out.splitlines()]
    assert [row["label"] for row in rows] == [adapted.fit.family.plain(target) for target in found.targets]
    if kind == "multilabel":
        chances = [[row["probabilities"][name] for name in found.outputs] for row in rows]
        assert np.allclose(chances, found.values, atol=1e-6)
    else:
        assert all("probabilities" not in row for row in rows)


def test_the_sentence_and_the_json_of_adapt(metaglot, tiny, tmp_path, file, kind):
    out = ("--out", tmp_path / "m", *asked_of(kind), "--force")
    said = metaglot("adapt", tiny, file, *out)
    assert said.code == 0, said.err
    first = {"multilabel": "A tagger of texts with 2 labels", "regression": "A regression of texts on a number"}
    assert said.out.startswith(first.get(kind, "A regression of texts on one of a few levels"))
    assert "from 12 examples →" in said.out
    plain = json.loads(metaglot("adapt", tiny, file, *out, "--json", "--task", kind).out)
    assert (plain["task"], plain["examples"]) == (kind, 12)
    assert plain.get("labels") == (["angry", "house"] if kind == "multilabel" else None)


def test_a_goal_is_one_of_the_metric_of_the_kind(metaglot, tiny, tmp_path, file, kind):
    easy, hard = ("macro_f1=0.01", "0.999") if kind == "multilabel" else ("mae=50", "0.0001")
    out = ("--out", tmp_path / "m", "--seconds", "0", "--force", "--task", kind)
    said = metaglot("adapt", tiny, file, *out, "--goal", easy)
    assert said.code == 0, said.err
    assert f"cross-validated {METRIC[kind]}" in said.out
    said = metaglot("adapt", tiny, file, *out, "--goal", hard, "--json")
    assert (said.code, "was not met" in said.err) == (3, True)
    assert json.loads(said.out)[f"cross_validated_{METRIC[kind].lower().replace(' ', '_')}"]
    said = metaglot("adapt", tiny, file, *out, "--goal", "accuracy=0.9")
    assert (said.code, "unknown metric 'accuracy'" in said.err) == (2, True)


def test_lines_hold_labels_and_their_chances_or_the_number(metaglot, mine, kind, tmp_path):
    lines = tmp_path / "lines.txt"
    lines.write_text("the kettle is late\n\nthe drill is fine\n")
    adapted = Adapted.load(mine)
    found = adapted.predictions(["the kettle is late", "the drill is fine"])
    shown = metaglot("predict", mine, lines).out.split("\n")
    assert shown[1] == ""
    for line, target, values in zip((shown[0], shown[2]), found.targets, found.values, strict=True):
        label, *rest = line.split("\t")
        assert label == adapted.fit.family.shown(target)
        if kind != "multilabel":
            assert len(rest) == 1
            continue
        names = sorted(target)
        assert labels_in(label or None, "") == target
        assert rest[0] == "|".join(f"{values[found.outputs.index(name)]:.3f}" for name in names)


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
def test_a_file_of_predictions_is_read_again(metaglot, mine, file, kind, tmp_path, ending):
    out = tmp_path / f"out.{ending}"
    names = "label=found" + (",probability=chance" if kind == "multilabel" else "")
    said = metaglot("predict", mine, file, "--out", out, "--new-columns", names)
    assert said.code == 0, said.err
    read = read_table(out, mapping={"text": "text", "label": "found"}, cells=CELLS[kind])["label"].to_pylist()
    truth = Adapted.load(mine).predict(TEXTS)
    if kind == "multilabel":
        assert [labels_in(cell, "") for cell in read] == truth
    else:
        assert [float(cell) for cell in read] == pytest.approx(truth, rel=1e-5)
    columns = {
        "parquet": lambda: pq.read_schema(out).names,
        "jsonl": lambda: list(json.loads(out.read_text().split("\n")[0])),
    }
    header = columns.get(ending, lambda: next(csv.reader(out.open(), delimiter="\t" if ending == "tsv" else ",")))()
    assert header == ["text", "label", "found", *(["chance"] if kind == "multilabel" else [])]


@pytest.mark.parametrize("asked", [("--unknown", "none"), ("--explain",)])
def test_what_classes_alone_have_is_refused(metaglot, mine, kind, asked):
    said = metaglot("predict", mine, "--text", "a lamp", *asked)
    assert said.code == 2
    assert f"{asked[0]} has no use: it needs classes, and {mine} is a task of {kind}" in " ".join(said.err.split())


def test_names_have_no_use_for_numbers(metaglot, tiny, tmp_path):
    file = write(tmp_path / "a.jsonl", NUMBERS)
    said = metaglot("adapt", tiny, file, "--out", tmp_path / "m", "--no-names")
    assert (said.code, "a task of regression has no labels with names" in said.err) == (2, True)
    said = metaglot("adapt", tiny, "--labels", "a, b", "--task", "multilabel", "--out", tmp_path / "m")
    assert (said.code, "--task has no use beside --labels" in said.err) == (2, True)


MISTAKES: dict[str, tuple[str | None, list[Any], str]] = {
    "no number": ("regression", [1.5, "many"], "label"),
    "one number": ("regression", [2.5, 2.5], "all examples have the number 2.5"),
    "no labels": ("multilabel", [[], []], "no example has a label"),
    "every label everywhere": ("multilabel", [["a"], ["a"]], "every label"),
    "lists as classes": ("classification", [["a"], ["b"]], "the task multilabel learns several"),
    "no such kind": (
        "ranking",
        [1.5, 2.5],
        "--task ranking: unknown; use classification, multilabel, regression, ordinal",
    ),
    "a number is missing": ("regression", [1.5, None], "example number 2 has no label"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_mistakes_name_the_file_and_the_way_out(metaglot, tmp_path, tiny, case):
    task, targets, expected = MISTAKES[case]
    file = write(tmp_path / "wrong.jsonl", targets)
    asked = [] if task is None else ["--task", task]
    said = metaglot("adapt", tiny, file, "--out", tmp_path / "m", *asked)
    assert said.code == 2
    assert expected in " ".join(said.err.split())
    assert "wrong.jsonl" in said.err or case == "no such kind"
    assert "Traceback" not in said.err
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
def test_a_kind_without_a_look_of_its_own_is_read_by_its_family(
    metaglot, tiny, tmp_path, file, kind, mine, monkeypatch
):
    bare = {name: one._replace(facts="") for name, one in FAMILIES.kinds.items()}
    monkeypatch.setattr(FAMILIES, "kinds", bare)
    said = metaglot("adapt", tiny, file, "--out", tmp_path / "again", *asked_of(kind))
    assert said.code == 0, said.err
    found, same = Adapted.load(tmp_path / "again"), Adapted.load(mine)
    assert np.array_equal(found.predictions(TEXTS).values, same.predictions(TEXTS).values)


def test_joined_labels_with_empty_cells_get_the_way_out(metaglot, tiny, tmp_path):
    rows = [("a red lamp", "a|b"), ("a blue lamp", "b|a"), ("a kettle", "a"), ("a drill", ""), ("a new drill", "b")]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    said = metaglot("adapt", tiny, tmp_path / "a.csv", "--out", tmp_path / "m", "--effort", "instant")
    words = " ".join(said.err.split())
    assert (said.code, "a.csv: example number 4 has no label" in words) == (2, True), said.err
    assert "--task multilabel learns several labels a text" in words
    assert "to --task multilabel an empty cell says that a text has no label" in words
    plain = [("a red lamp", "a"), ("a blue lamp", ""), ("a kettle", "b")]
    (tmp_path / "b.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in plain))
    assert "multilabel" not in metaglot("adapt", tiny, tmp_path / "b.csv", "--out", tmp_path / "m").err


def test_one_gap_in_words_among_numbers_is_pointed_out_with_its_row(metaglot, tiny, tmp_path):
    numbers = ["0.5", "1.5", "n/a", "2.5", "3.5", "4.0"]
    (tmp_path / "a.csv").write_text(
        "text,label\n" + "".join(f"{text},{n}\n" for text, n in zip(TEXTS[:6], numbers, strict=True))
    )
    said = metaglot("adapt", tiny, tmp_path / "a.csv", "--out", tmp_path / "m", "--effort", "instant")
    words = " ".join(said.err.split())
    assert "the labels look like numbers, but 1 of 6 labels are none, such as 'n/a' of example 3" in words, said.err
    assert "--task regression" in words
    said = metaglot("adapt", tiny, tmp_path / "a.csv", "--out", tmp_path / "n", "--task", "regression")
    assert (said.code, "the label of row 3 is 'n/a', which is no number" in said.err) == (2, True), said.err


def test_notes_are_about_targets_of_the_kind(metaglot, tiny, tmp_path):
    rows = [("a red lamp", "b|a"), ("A red lamp!", "a|b"), ("a kettle", "a"), ("a kettle", "b"), ("a drill", "")]
    (tmp_path / "a.csv").write_text("text,label\n" + "".join(f"{text},{label}\n" for text, label in rows))
    asked = ("--task", "multilabel", "--effort", "instant", "--out", tmp_path / "m")
    said = metaglot("adapt", tiny, tmp_path / "a.csv", *asked)
    assert said.code == 0, said.err
    assert "1 texts appear with unlike labels, such as examples 3 ('a') and 4 ('b')" in said.err
    assert "2 examples repeat an earlier text" in said.err
    assert "classes" not in said.err


def test_edit_takes_targets_of_the_kind(metaglot, tiny, mine, kind, tmp_path):
    changed, value = (["house", "new"], "new|house") if kind == "multilabel" else (9.0, "9")
    more = write(tmp_path / "more.jsonl", TARGETS[kind][:2])
    said = metaglot("edit", mine, "--relabel", f"1={value}", "--remove", "12", "--add", more)
    assert said.code == 0, said.err
    assert "from 13 examples →" in said.out
    anew = load(tiny).adapt(
        [*TEXTS[:11], *TEXTS[:2]], [changed, *TARGETS[kind][1:11], *TARGETS[kind][:2]], task=kind, effort="instant"
    )
    found = Adapted.load(mine)
    assert sorted(found.labels) == sorted(anew.labels)
    order = [found.labels.index(label) for label in anew.labels]
    assert np.allclose(found.predictions(TEXTS).values[:, order], anew.predictions(TEXTS).values, atol=1e-6)


def test_edit_refuses_what_is_no_target(metaglot, mine, kind):
    wrong, message = "many", "--relabel 2=many: the label is 'many', which is no number"
    if kind == "multilabel":
        wrong, message = "[a", "--relabel 2=[a: the label begins with [ and is no list of JSON"
    said = metaglot("edit", mine, "--relabel", f"2={wrong}")
    assert (said.code, message in " ".join(said.err.split())) == (2, True), said.err
    none = metaglot("edit", mine, "--relabel", "2=")
    assert none.code == (0 if kind == "multilabel" else 2), none.err


def test_lines_from_standard_input_are_answered(metaglot, mine, kind, monkeypatch):
    import io

    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"the kettle is late\n\n")))
    lines = metaglot("predict", mine, "-").out.split("\n")
    assert lines[0].endswith("\tthe kettle is late")
    assert lines[1:] == ["", ""]
