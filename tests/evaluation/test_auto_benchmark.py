"""benchmarks/auto.py, tiny: real choices on a real model, and a table that adds up."""

import json

import numpy as np
import pytest

pytestmark = pytest.mark.slow  # a benchmark, no part of the package


@pytest.fixture(scope="module")
def auto(benchmark_called):
    return benchmark_called("auto")


def test_cells_are_judged_once_and_the_table_is_their_mean(auto, tmp_path, write_csv, tiny, capsys):
    (tmp_path / "held").mkdir()
    write_csv(tmp_path / "held" / "task.csv", 12, start=200)
    sizes = ["--shots", "1,4", "--draws", "1", "--queries", "8", "--groups", f"held={tmp_path / 'held'}"]
    asked = [str(tiny), "--out", str(tmp_path / "out"), *sizes, "--length", "16"]
    auto.main(asked)
    before = (tmp_path / "out/cells.jsonl").read_bytes()
    capsys.readouterr()
    auto.main(asked)
    assert (tmp_path / "out/cells.jsonl").read_bytes() == before
    cells = [json.loads(line) for line in before.decode().splitlines()]
    assert [cell["shot"] for cell in cells] == [1, 4]
    assert cells[0]["trial"] is None, "of one example none can be set aside"
    assert set(cells[1]["accuracy"]) == {"0", "6", "20", "auto", "regression"}
    for cell in cells:
        assert cell["accuracy"]["auto"] == cell["accuracy"][str(cell["taken"])], "the same steps, the same seed"
    said = capsys.readouterr().out
    closed = [100 * cell["accuracy"]["0"] for cell in cells]
    assert f"| 0 | {closed[0]:.1f} | {closed[1]:.1f} | {sum(closed) / 2:.1f} |" in said
    assert said.strip() == (tmp_path / "out/table.md").read_text("utf-8").strip()


def test_the_calibration_error_has_bins_of_equal_mass(auto):
    confidence = np.repeat([0.6, 0.9], 10)
    right = np.array([True, False] * 5 + [True] * 10)  # a bin of two: half right at 0.6, all right at 0.9
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    assert auto.error_of(probabilities, right) == pytest.approx((0.1 + 0.1) / 2)
    sure = np.stack([np.ones(20), np.zeros(20)], axis=1)
    assert auto.error_of(sure, np.ones(20, bool)) == 0
    assert auto.error_of(sure, np.zeros(20, bool)) == 1


@pytest.mark.parametrize(("measured", "expected"), [(-0.4, "0"), (0.3, "20")])
def test_the_rule_is_that_of_choice(auto, measured, expected):
    from metaglot.adaptation.choice import SPREAD, USUAL, Trial

    trial = Trial(measured, 0.04, 1.0, 0.02)
    cell = {"trial": trial._asdict(), "taken": 20}
    assert auto.taken(cell, USUAL, SPREAD) == expected
    assert expected == ("0" if trial.likely <= 0 else "20")
