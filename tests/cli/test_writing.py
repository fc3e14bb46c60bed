"""The commands where texts are written: inspect, adapt, predict, evaluate and edit."""

import csv
import io
import json
import math
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
    assert set(rows[0]) == {"text", "label", "probability", "log_probability", "tokens", "tokens_per_second"}
    assert rows[0]["probability"] == pytest.approx(math.exp(rows[0]["log_probability"] / rows[0]["tokens"]), rel=1e-3)
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
    assert (wrong.code, "--max-new-tokens is 0; it must be at least 1" in wrong.err) == (2, True)


def test_an_encoder_writes_nothing_and_says_so(metaglot, tiny, file, tmp_path):
    said = metaglot("adapt", tiny, file, "--task", "generation", "--out", tmp_path / "m")
    assert (said.code, "is an encoder, which reads texts and writes none" in said.err) == (2, True)


def test_long_examples_are_noted(metaglot, folder, tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"source": "word " * 30, "target": "x"}) + "\n")
    asked = ("--task", "generation", "--effort", "instant", "--out", tmp_path / "m")
    said = metaglot("adapt", folder, tmp_path / "a.jsonl", *asked)
    assert said.code == 0, said.err
    assert "1 of 1 examples have more than 64 tokens" in said.err
    rows = [{"source": f"word {i} " * 30, "target": "x"} for i in range(4)]
    (tmp_path / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ("--task", "generation", "--shots", 2, "--draws", 1, "--queries", 2, "--efforts", "words")
    said = metaglot("evaluate", folder, tmp_path / "b.jsonl", *asked, "--out", tmp_path / "r")
    assert "100 % of the texts are longer than 64 tokens" in said.err
    said = metaglot("adapt", folder, tmp_path / "b.jsonl", *asked[:2], "--effort", "words", "--out", tmp_path / "w")
    assert (said.code, "more than 64 tokens" in said.err, "not made for" in said.err) == (0, False, False), said.err
    said = metaglot("predict", tmp_path / "w", tmp_path / "b.jsonl", "--json")
    assert (said.code, said.err) == (0, ""), said.err


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


def test_how_a_text_is_written_is_asked_for_by_options(metaglot, folder, file, tiny, tmp_path):
    model = mg.load(folder, precision="fp32")
    adapted = model.adapt(SOURCES, TARGETS, task="generation", effort="instant")
    out = adapted.save(tmp_path / "m")

    def texts(*options: object) -> list[str]:
        said = metaglot("predict", out, file, "--json", "--max-new-tokens", 5, *options)
        assert said.code == 0, said.err
        return [json.loads(line)["label"] for line in said.out.splitlines()]

    assert texts("--beams", 2) == adapted.predict(SOURCES, decoding=mg.Decoding(5, beams=2))
    drawn = mg.Decoding(5, seed=4, temperature=0.7, top_p=0.8)
    options = ("--sample", "--seed", 4, "--temperature", 0.7, "--top-p", 0.8)
    assert texts(*options) == adapted.predict(SOURCES, decoding=drawn)
    assert texts("--sample") == texts("--sample", "--seed", 0)
    mg.load(tiny).adapt(["a b", "c d", "e f", "g h"], ["x", "y", "x", "y"], effort="instant").save(tmp_path / "c")
    for folder_asked, wrong, why in (
        (out, ("--temperature", 0.5), "--temperature has no use without --sample"),
        (out, ("--seed", 1), "--seed has no use without --sample"),
        (out, ("--sample", "--beams", 2), "--sample has no use beside --beams"),
        (out, ("--sample", "--top-p", 2), "--top-p is 2.0; it must be above 0"),
        (out, ("--beams", 0), "--beams is 0"),
        (out, ("--stop", ""), "--stop is ('',)"),
        (tmp_path / "c", ("--beams", 2), "--beams has no use"),
        (tmp_path / "c", ("--sample",), "--sample has no use"),
    ):
        said = metaglot("predict", folder_asked, "--text", "red saw", *wrong)
        assert (said.code, why in said.err) == (2, True), said.err


def test_broken_letters_and_places_that_are_taken_are_refused_before_anything_is_learnt(
    metaglot, folder, tmp_path, monkeypatch
):
    model = mg.load(folder, precision="fp32")
    out = model.adapt(SOURCES, TARGETS, task="generation", effort="instant").save(tmp_path / "m")
    monkeypatch.setattr("sys.stdin", io.StringIO("bad \udcff\nred saw\n"))
    said = metaglot("chat", out, "--max-new-tokens", 2, "--json")
    assert (said.code, [json.loads(line)["text"] for line in said.out.splitlines()]) == (0, ["red saw"])
    assert "a line that is not UTF-8 is left out" in said.err
    monkeypatch.setattr("metaglot.adaptation.editing.edited", None)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "mine.txt").write_text("text")
    every = [one for row in range(1, 13) for one in ("--remove", row)]
    for command, why in (
        (("predict", out, "--text", "bad \udcff"), "holds half a character"),
        (("edit", out, "--relabel", "2=\ud800"), "holds half a character"),
        (("edit", out, "--remove", 1, "--out", out), "or replace it with --force"),
        (("edit", out, "--remove", 1, "--out", tmp_path / "other", "--force"), "something else than an adaptation"),
    ):
        said = metaglot(*command)
        assert (said.code, why in said.err) == (2, True), said.err
    monkeypatch.undo()
    assert "leave one at least" in metaglot("edit", out, *every, "--out", tmp_path / "m2").err
    said = metaglot("edit", out, "--remove", 1, "--out", out, "--force", "--json")
    assert (said.code, json.loads(said.out)["examples"]) == (0, 11), said.err
