"""`metaglot edit --add` of a file of each kind to a model of each kind: it is learnt, or refused with the reason."""

import json
from pathlib import Path
from typing import Any

import pytest

from metaglot import Adapted, Answer, MetaglotError, Pairs, Span, load
from metaglot.adaptation.editing import edited
from metaglot.adaptation.storage import load_fit

TEXTS = ["a red lamp", "a blue lamp", "a loud drill", "a new drill", "a kettle", "an old kettle"]
MODELS: dict[str, tuple[str, list[Any]]] = {
    "words": ("classification", ["x", "y", "x", "y", "x", "y"]),
    "numbered classes": ("classification", [0, 1, 0, 1, 0, 1]),
    "labels": ("multilabel", [{"x"}, {"x", "y"}, {"y"}, set(), {"x"}, {"y"}]),
    "numbers": ("regression", [0.5, 1.5, 2.25, 3.5, 4.5, 0.75]),
    "levels": ("ordinal", [1, 2, 5, 2, 1, 5]),
}
FILES: dict[str, list[Any]] = {
    "words": ["x", "z"],
    "whole numbers": [2, 1],
    "fractions": [2.37, 0.5],
    "lists": [["x"], ["x", "y"]],
    "joined labels": ["x", "y|x"],
}
OUTCOMES: dict[tuple[str, str], str] = {
    (
        "words",
        "whole numbers",
    ): "more.jsonl: the label of row 1 is '2', a number, and the examples so far have 'x', 'y'",
    ("words", "fractions"): "more.jsonl: the label of row 1 is '2.37', a number, and the examples so far have 'x', 'y'",
    ("words", "lists"): "the task multilabel learns several",
    ("words", "joined labels"): "more.jsonl: the label of row 2 is 'y|x', several labels in one",
    (
        "numbered classes",
        "words",
    ): "more.jsonl: the label of row 1 is 'x', a string, and the classes so far are numbers",
    ("numbered classes", "lists"): "the task multilabel learns several",
    ("numbered classes", "joined labels"): "more.jsonl: the label of row 1 is 'x', a string",
    (
        "labels",
        "whole numbers",
    ): "more.jsonl: the label of row 1 is '2', a number, and the examples so far have 'x', 'y'",
    ("labels", "fractions"): "more.jsonl: the label of row 1 has 2.37 among its labels, which is no name",
    ("numbers", "words"): "more.jsonl: the label of row 1 is 'x', which is no number",
    ("numbers", "lists"): "more.jsonl: the label of row 1 is '[\"x\"]', which is no number",
    ("numbers", "joined labels"): "more.jsonl: the label of row 1 is 'x', which is no number",
    ("levels", "words"): "more.jsonl: the label of row 1 is 'x', which is no number",
    ("levels", "fractions"): "more.jsonl: the label of row 1 is 2.37, between the levels",
    ("levels", "lists"): "more.jsonl",
    ("levels", "joined labels"): "more.jsonl: the label of row 1 is 'x', which is no number",
}
"""What is refused, and how; all other pairs are learnt."""


@pytest.fixture(scope="module")
def folders(tiny: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    model, root = load(tiny), tmp_path_factory.mktemp("models")
    for name, (kind, targets) in MODELS.items():
        model.adapt(TEXTS, targets, task=kind, effort="instant").save(root / name, keep_examples=True)
    return {name: root / name for name in MODELS}


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("model", MODELS)
def test_a_file_of_another_kind_is_refused_with_its_row_and_the_way_out(metaglot, folders, tmp_path, model, file):
    more = tmp_path / "more.jsonl"
    rows = [{"text": f"a lamp, {i}", "label": target} for i, target in enumerate(FILES[file])]
    more.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    said = metaglot("edit", folders[model], "--add", more, "--out", tmp_path / "more")
    message = OUTCOMES.get((model, file))
    if message is None:
        assert said.code == 0, said.err
        assert Adapted.load(tmp_path / "more").fit.count == len(TEXTS) + len(rows)
        return
    assert (said.code, message in " ".join(said.err.split())) == (2, True), said.err
    assert "Traceback" not in said.err
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(("model", "label"), [("labels", "2.37"), ("words", "4"), ("words", "x|y"), ("levels", "2.5")])
def test_another_kind_of_label_for_an_example_is_refused_too(metaglot, folders, tmp_path, model, label):
    said = metaglot("edit", folders[model], "--relabel", f"2={label}", "--out", tmp_path / "m")
    assert (said.code, f"--relabel 2={label}: the label is" in " ".join(said.err.split())) == (2, True), said.err


def test_an_empty_label_takes_an_answer_or_spans_away(metaglot, tiny, tmp_path):
    model, towns = load(tiny), ["Ann is in Oslo", "Bo is in Rome", "Cy is in Bern"]
    with pytest.warns(UserWarning, match="no head of answers"):
        reader = model.adapt(Pairs(["Where?"] * 3, towns), ["Oslo", "Rome", "Bern"], task="question-answering")
    tagger = model.adapt(towns, [[Span(0, 3, "PER")], [Span(0, 2, "PER")], [Span(9, 13, "LOC")]], effort="instant")
    for one, given, targets in (
        (reader, "1=Ann", (Answer("Ann", 0, 3), Answer(), Answer("Bern", 9, 13))),
        (tagger, '1=[{"start": 10, "end": 14, "label": "LOC"}]', ((Span(10, 14, "LOC"),), (), (Span(9, 13, "LOC"),))),
    ):
        one.save(tmp_path / "m", keep_examples=True, force=True)
        said = metaglot("edit", tmp_path / "m", "--relabel", "2=", "--relabel", given)
        assert said.code == 0, said.err
        assert Adapted.load(tmp_path / "m").examples.targets == targets


@pytest.mark.parametrize("model", ["words", "numbers", "levels"])
def test_an_empty_label_of_a_kind_that_has_one_always_is_refused_with_the_way_out(metaglot, folders, model):
    said = metaglot("edit", folders[model], "--relabel", "2=")
    assert (said.code, "give one (2=LABEL), or take the example out by --remove 2" in said.err) == (2, True)


def test_python_says_which_label_it_is(folders):
    adapted = Adapted.load(folders["labels"])
    with pytest.raises(MetaglotError, match=r"label number 2 is '7', a number, .* task='regression'"):
        adapted.add_examples(["a lamp", "a drill"], [{"x"}, {"7"}])
    assert "1999" in adapted.add_examples(["a lamp"], [{"x", "1999"}]).labels  # beside a label that is known
    with pytest.raises(MetaglotError, match="label number 1 is '4', a number"):
        edited(load_fit(folders["words"]), relabel={0: 4})


def test_a_text_without_words_is_told_of_and_a_file_of_them_is_refused(metaglot, folders, tmp_path):
    more = tmp_path / "more.csv"
    more.write_text("text,label\na lamp,x\n  ,y\n")
    said = metaglot("edit", folders["words"], "--add", more, "--out", tmp_path / "m", "--json")
    note = f"{more}: 1 texts are empty, such as example 2; they count, and say nothing: leave them out"
    assert (said.code, json.loads(said.out)["notes"], note in " ".join(said.err.split())) == (0, [note], True), said.err
    more.write_text("text,label\n  ,x\n ,y\n")
    said = metaglot("edit", folders["words"], "--add", more, "--out", tmp_path / "n")
    assert (said.code, f"{more}: all 2 texts are empty" in " ".join(said.err.split())) == (2, True), said.err
    assert not (tmp_path / "n").exists()
