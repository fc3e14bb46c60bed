"""The commands where texts are written: inspect, adapt, predict, evaluate and edit."""

import csv
import json
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.writers import SOURCES, TARGETS, decoder_folder

import metaglot as mg


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return decoder_folder(tmp_path_factory.mktemp("writer") / "model")


@pytest.fixture
def file(tmp_path) -> Path:
    rows = zip(SOURCES, TARGETS, strict=True)
    (tmp_path / "a.csv").write_text("source,target\n" + "".join(f"{source},{target}\n" for source, target in rows))
    return tmp_path / "a.csv"


def test_a_look_tells_how_long_targets_are(metaglot, file):
    found = json.loads(metaglot("data", "inspect", file, "--task", "generation", "--json").out)
    expected = {"n": 12, "different": 4, "missing": 0, "mean_words": 1.0, "max_words": 1}
    assert (found["task"], found["targets"], found["rows"]) == ("generation", expected, 12)
    shown = metaglot("data", "inspect", file, "--task", "generation").out
    assert "12, 4 different" in shown
    assert "1.0 words on average" in shown


def test_what_python_writes_is_written(metaglot, folder, file, tmp_path):
    out = tmp_path / "m"
    said = metaglot("adapt", folder, file, "--task", "generation", "--out", out, "--precision", "fp32")
    assert (said.code, "A writer of texts for texts, from 12 examples" in said.out) == (0, True), said.err
    adapted = mg.load(out)
    assert adapted.effort.lora == 8
    assert len(adapted.examples) == 12
    said = metaglot("predict", out, file, "--json", "--max-new-tokens", 5)
    rows = [json.loads(line) for line in said.out.splitlines()]
    found = adapted.predictions(SOURCES, max_new_tokens=5)
    assert [row["label"] for row in rows] == found.targets
    assert [row["probability"] for row in rows] == pytest.approx(found.values[:, 0].tolist(), abs=1e-6)
    assert set(rows[0]) == {"text", "label", "probability"}
    said = metaglot("predict", out, file, "--out", tmp_path / "b.csv", "--max-new-tokens", 5)
    assert said.code == 0, said.err
    with (tmp_path / "b.csv").open() as written:
        table = list(csv.DictReader(written))
    assert [row["label"] for row in table] == found.targets
    assert set(table[0]) == {"source", "target", "label", "probability"}
    assert metaglot("predict", out, "--text", "red saw").code == 0
    wrong = metaglot("predict", out, "--text", "red saw", "--unknown", "x")
    assert (wrong.code, "--unknown has no use: it needs classes" in wrong.err) == (2, True)
    wrong = metaglot("predict", out, "--text", "red saw", "--max-new-tokens", 0)
    assert (wrong.code, "expected 1 or more" in wrong.err) == (2, True)


def test_an_encoder_writes_nothing_and_says_so(metaglot, tiny, file, tmp_path):
    said = metaglot("adapt", tiny, file, "--task", "generation", "--out", tmp_path / "m")
    assert (said.code, "is an encoder, which reads texts and writes none" in said.err) == (2, True)


def test_long_examples_are_noted(metaglot, folder, tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"source": "word " * 30, "target": "x"}) + "\n")
    asked = ("--task", "generation", "--effort", "instant", "--out", tmp_path / "m")
    said = metaglot("adapt", folder, tmp_path / "a.jsonl", *asked)
    assert said.code == 0, said.err
    assert "1 of 1 examples have more than 64 tokens" in said.err


HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
PO = HEADER + 'msgid "red saw"\nmsgstr "SAW"\n\nmsgid "%d pen"\nmsgstr ""\n'


@pytest.mark.skipif(find_spec("polib") is None, reason="polib comes with the extra generation")
def test_a_catalogue_is_learnt_from_and_filled(metaglot, folder, file, tmp_path):
    import polib

    (tmp_path / "a.po").write_text(PO)  # an entry has no translation, and is no example
    asked = ("--task", "generation", "--effort", "instant", "-q", "--precision", "fp32")
    said = metaglot("adapt", folder, tmp_path / "a.po", *asked, "--out", tmp_path / "m")
    assert said.code == 0, said.err
    (tmp_path / "more.po").write_text(PO.replace("red", "new"))
    said = metaglot("edit", tmp_path / "m", "--add", tmp_path / "more.po", "--out", tmp_path / "edited", "-q")
    assert said.code == 0, said.err
    assert len(mg.load(tmp_path / "edited").examples) == 2 * len(mg.load(tmp_path / "m").examples)
    out = tmp_path / "c.po"
    said = metaglot("predict", tmp_path / "m", tmp_path / "a.po", "--out", out, "--max-new-tokens", 5, "--json")
    assert said.code == 0, said.err
    assert json.loads(said.out) == {"out": str(out), "entries": 1, "fuzzy": 1}
    entries = {entry.msgid: entry for entry in polib.pofile(str(out))}
    assert entries["red saw"].msgstr == "SAW"
    assert entries["%d pen"].msgstr == mg.load(tmp_path / "m").predict("%d pen", max_new_tokens=5)
    assert entries["%d pen"].fuzzy
    for more, why in (
        ((tmp_path / "a.po", "--out", out), "it exists already"),
        ((file, "--out", tmp_path / "d.po"), "a catalogue is made of a catalogue"),
        ((tmp_path / "a.po", "--out", tmp_path / "d.po", "--columns", "text=x"), "--columns has no use"),
    ):
        wrong = metaglot("predict", tmp_path / "m", *more)
        assert (wrong.code, why in wrong.err) == (2, True), wrong.err


def test_words_are_judged_beside_baselines_and_refused_for_other_kinds(metaglot, folder, file, tmp_path):
    asked = ("--shots", 2, "--draws", 1, "--queries", 4, "--efforts", "words", "--against", "copy", "--json")
    said = metaglot("evaluate", folder, file, "--task", "generation", *asked, "--out", tmp_path / "r")
    assert said.code == 0, said.err
    assert {json.loads(line)["method"] for line in said.out.splitlines()} == {"ours-words", "copy", "prior"}
    (tmp_path / "c.csv").write_text("text,label\n" + "".join(f"word {i},{'ab'[i % 2]}\n" for i in range(12)))
    said = metaglot("evaluate", folder, tmp_path / "c.csv", *asked[:-3], "--against", "tfidf", "--out", tmp_path / "s")
    assert "not judged: ours-words" in said.err


def test_a_file_without_targets_is_told_of(metaglot, folder, tmp_path):
    (tmp_path / "a.csv").write_text("source,target\na b,\nc d,\n")
    said = metaglot("adapt", folder, tmp_path / "a.csv", "--task", "generation", "--out", tmp_path / "m")
    assert (said.code, "no row has a target; fill the column" in said.err) == (2, True), said.err
    (tmp_path / "a.po").write_text('msgid "a"\nmsgstr ""\n')
    said = metaglot("adapt", folder, tmp_path / "a.po", "--task", "generation", "--out", tmp_path / "m")
    assert (said.code, "no entry has a translation to learn from" in said.err) == (2, True), said.err
