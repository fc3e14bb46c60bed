"""What an evaluation of written texts is thought to cost: tokens read, learnt from and written, times their cost."""

import pytest
from tests.writers import SOURCES, TARGETS, decoder_folder

import metaglot as mg
from metaglot.adaptation.effort import WRITING_EFFORTS
from metaglot.evaluation.estimate_written import Lengths, Pace, _seconds, pace_of
from metaglot.families.write_tools import WriteTools

TOOLS, LENGTHS, PACE = WriteTools(), Lengths(source=30.0, target=10.0, most=20), Pace(reading=0.001, writing=0.1)


def test_examples_that_are_all_shown_are_read_once_a_batch_and_others_for_each_text():
    instant = WRITING_EFFORTS["instant"]
    few = _seconds(instant, LENGTHS, PACE, TOOLS, shot=8, queries=32)
    assert few == pytest.approx(0.001 * (32 * 30 + 2 * 8 * 40) + 2 * 20 * 0.1)
    many = _seconds(instant, LENGTHS, PACE, TOOLS, shot=50, queries=32)
    assert many == pytest.approx(0.001 * (32 * 30 + 32 * 16 * 40) + 2 * 20 * 0.1)
    steps = _seconds(WRITING_EFFORTS["fast"], LENGTHS, PACE, TOOLS, shot=4, queries=16)
    assert steps == pytest.approx(0.001 * (16 * 30 + 3 * 20 * 4 * 40) + 20 * 0.1)


def test_a_model_is_timed_whatever_it_takes(tmp_path):
    pace = pace_of(mg.load(decoder_folder(tmp_path / "m", positions=16), precision="fp32").encoder)
    assert pace.reading >= 0
    assert pace.writing >= 0


def test_an_evaluation_tells_beforehand_how_long_it_takes(metaglot, tmp_path, monkeypatch):
    folder = decoder_folder(tmp_path / "model")
    rows = zip(SOURCES, TARGETS, strict=True)
    (tmp_path / "a.csv").write_text("source,target\n" + "".join(f"{a},{b}\n" for a, b in rows))
    monkeypatch.setattr("metaglot.cli.shared.cost.LONG", -1)
    asked = ("--task", "generation", "--shots", 3, "--draws", 1, "--queries", 2)
    methods = ("--efforts", "instant,words", "--against", "lora,copy")
    said = metaglot("evaluate", folder, tmp_path / "a.csv", *asked, *methods, "--out", tmp_path / "r")
    assert said.code == 0, said.err
    (line,) = [line for line in said.err.splitlines() if "a rough estimate" in line]
    assert ("ours-instant" in line, "lora" in line, "copy" in line, "words" in line) == (True, True, False, False)
    quiet = metaglot("evaluate", folder, tmp_path / "a.csv", *asked, *methods, "--out", tmp_path / "s", "--json")
    assert "a rough estimate" not in quiet.err
