"""benchmarks/ablations.py, tiny: variations of a recipe are trained, judged and set beside the first."""

import argparse

import pytest

from metaglot.data.folders import read_run
from metaglot.evaluation import read_results

pytestmark = pytest.mark.slow  # a benchmark, no part of the package


@pytest.fixture(scope="module")
def ablations(benchmark_called):
    return benchmark_called("ablations")


def test_arms_are_trained_judged_and_compared_and_it_goes_on(ablations, small_recipe, tmp_path, write_csv, capsys):
    (tmp_path / "held").mkdir()
    write_csv(tmp_path / "held" / "task.csv", 8, start=200)
    sizes = ["--shots", "1,2", "--draws", "2", "--queries", "6", "--groups", f"held={tmp_path / 'held'}"]
    asked = [str(small_recipe), "--out", str(tmp_path / "out"), *sizes, "--efforts", "instant", "--length", "16"]
    arms = ["--arm", "plain:training.steps=2", "--arm", "hot:training.steps=2;training.lr=0.01"]
    ablations.main([*asked, *arms[:2]])
    ablations.main([*asked, *arms])
    said = capsys.readouterr().out
    assert "| over plain | held 1 | held 2 |" in said
    results = read_results(tmp_path / "out/instant")
    assert [(row.method, row.shot) for row in results].count(("hot", 2)) == 2
    assert len(results) == 2 * 2 * 2  # arms, shots, draws
    assert (
        read_run(tmp_path / "out/runs/hot").described["algorithm"]
        == read_run(tmp_path / "out/runs/plain").described["algorithm"]
    )
    assert said.endswith((tmp_path / "out/table.md").read_text("utf-8"))


@pytest.mark.parametrize("wrong", ["plain", ":training.steps=2", ""])
def test_an_arm_needs_a_name(ablations, wrong):
    with pytest.raises(argparse.ArgumentTypeError, match="NAME:key=value"):
        ablations.variation(wrong)
