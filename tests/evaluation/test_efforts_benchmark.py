"""benchmarks/efforts.py, tiny: variations of an effort on the same draws, and a table that adds up."""

import json
from statistics import fmean

import pytest

from metaglot.errors import MetaglotError


@pytest.fixture(scope="module")
def efforts(benchmark_called):
    return benchmark_called("efforts")


def test_variations_are_judged_once_and_the_table_is_their_mean(efforts, tmp_path, write_csv, tiny, capsys):
    (tmp_path / "held").mkdir()
    write_csv(tmp_path / "held" / "task.csv", 12, start=200)
    sizes = ["--shots", "2", "--draws", "2", "--queries", "8", "--groups", f"held={tmp_path / 'held'}"]
    asked = [str(tiny), "--out", str(tmp_path / "out"), "--effort", "some", "--vary", "contrast=0,1", *sizes]
    efforts.main(asked)
    before = (tmp_path / "out/results.jsonl").read_bytes()
    capsys.readouterr()
    efforts.main(asked)
    assert (tmp_path / "out/results.jsonl").read_bytes() == before
    rows = [json.loads(line) for line in before.decode().splitlines()]
    assert sorted(row["method"] for row in rows) == ["contrast=0", "contrast=0", "contrast=1", "contrast=1"]
    means = [
        100 * fmean(row["metrics"]["accuracy"] for row in rows if row["method"] == f"contrast={w}") for w in (0, 1)
    ]
    gain = f"({means[1] - means[0]:+.1f} ±"
    assert f"| held, all | 2 | {means[0]:.1f} | {means[1]:.1f} {gain}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("vary", "message"), [("head=blend", "expected FIELD"), ("kept", "expected"), ("kept=a", "takes numbers")]
)
def test_what_cannot_be_varied_is_told(efforts, tiny, tmp_path, vary, message):
    with pytest.raises(MetaglotError, match=message):
        efforts.main([str(tiny), "--vary", vary, "--out", str(tmp_path / "out"), "--groups", f"none={tmp_path}"])
    assert not (tmp_path / "out").exists()
