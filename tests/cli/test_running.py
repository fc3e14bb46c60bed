"""How evaluations run: --precision, --device and --reads of `metaglot evaluate` and `metaglot bench`."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from metaglot.evaluation import read_results

WORDS = ["refund", "invoice", "charge", "crash", "error", "login", "parcel", "courier", "tracking", "the", "a", "one"]
SMALL = ("--shots", "2", "--draws", 2, "--queries", 12, "--efforts", "instant")


@pytest.fixture(name="pairs")
def _pairs(tmp_path, monkeypatch) -> None:
    """Stand in a folder with a task on pairs, and the same with the first texts alone; its labels are no words."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = [[" ".join(rng.choice(WORDS[3 * (i % 3) :], 5)), " ".join(rng.choice(WORDS, 5)), i % 3] for i in range(36)]
    for folder, columns in (("both", ["text", "text_pair", "label"]), ("first", ["text", "label"])):
        Path(folder).mkdir()
        with Path(folder, "task.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(columns)
            out.writerows(row if folder == "both" else [row[0], row[2]] for row in rows)


def accuracies(folder: str) -> dict[tuple[int, str], float]:
    return {(r.draw, r.method): r.score for r in read_results(folder)}


@pytest.mark.parametrize("command", ["evaluate", pytest.param("bench", marks=pytest.mark.slow)])
def test_the_part_that_is_read(command, pairs, metaglot, tiny):
    """What reads the first texts alone is as if there were no others; TF-IDF reads both whatever is asked."""
    against = ("--against", "frozen,tfidf", *(("--jobs", 1) if command == "bench" else ()))
    where = "/tasks" if command == "bench" else ""
    asked = (command, tiny, "both/task.csv", *SMALL, *against, "-q")
    for out, options in (("r-free", ()), ("r-first", ("--reads", "first"))):
        said = metaglot(*asked, *options, "--out", out)
        assert said.code == 0, said.err
    assert metaglot(command, tiny, "first/task.csv", *SMALL, *against, "-q", "--out", "r-alone").code == 0
    free, first, alone = (accuracies(f"{out}{where}") for out in ("r-free", "r-first", "r-alone"))
    neural = [cell for cell in first if cell[1] != "tfidf"]
    assert len(neural) == 8
    assert {cell: first[cell] for cell in neural} == {cell: alone[cell] for cell in neural}
    assert {cell: first[cell] for cell in first if cell not in neural} == {c: free[c] for c in free if c not in neural}
    assert first != free
    mixed = metaglot(*asked, "--reads", "second", "--out", "r-first")
    assert (mixed.code, 'made with another reads: "first" then, "second" now' in mixed.err) == (2, True)
    none = metaglot(command, tiny, "first/task.csv", *SMALL, "--reads", "first", "--out", "none")
    assert (none.code, "--reads has no use: no task has second texts" in none.err) == (2, True)


def test_precision_and_device(examples, metaglot, tiny, tmp_path):
    asked = ("evaluate", tiny, examples, *SMALL, "--against", "frozen-proto", "-q", "--out")
    for precision in ("fp32", "bf16"):
        said = metaglot(*asked, tmp_path / precision, "--precision", precision, "--device", "cpu")
        assert said.code == 0, said.err
        assert json.loads((tmp_path / precision / "settings.json").read_text())["precision"] == precision
    calibration = [[r.metrics["ece"] for r in read_results(tmp_path / precision)] for precision in ("fp32", "bf16")]
    assert calibration[0] != calibration[1]
    mixed = metaglot(*asked, tmp_path / "fp32", "--precision", "bf16")
    assert (mixed.code, 'made with another precision: "fp32" then, "bf16" now' in mixed.err) == (2, True)
    for command in ("adapt", "evaluate", "bench"):
        for option, said in (
            ("--device=cuda:999", "is not on this machine"),
            ("--device=gpu", "--device gpu: unknown"),
        ):
            found = metaglot(
                command, tiny, examples, *(() if command == "adapt" else SMALL), option, "--out", tmp_path / "no"
            )
            assert (found.code, said in found.err) == (2, True), found.err
