"""benchmarks/drift.py, tiny: every method is trained, tuned and judged, and the table has REML's lead over each."""

import json

import pytest

SIZE = ("--tasks", "moving", "--seeds", "2", "--steps", "1", "--episodes", "3", "--tuning", "1")


def test_a_small_run_has_every_method_on_the_same_episodes(benchmark_called, tmp_path, capsys):
    module = benchmark_called("drift")
    file = tmp_path / "rows.jsonl"
    module.main([str(file), *SIZE])
    rows = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    trained = ["FOMAML", "MAML", "learnt rates", "REML"]
    assert [row["method"] for row in rows] == ["class means, all", "class means, last quarter", "SGD", *trained * 2]
    assert all(len(row["accuracy"]) == 3 and min(row["accuracy"]) >= 0 for row in rows)
    capsys.readouterr()
    module.main([str(file), "--table"])
    cells = {line.split(" | ")[0].strip("| "): line.split(" | ") for line in capsys.readouterr().out.splitlines()}
    mean = {m: 100 * sum(sum(r["accuracy"]) for r in rows if r["method"] == m) / 6 for m in trained}
    assert float(cells["MAML"][1]) == pytest.approx(mean["MAML"], abs=0.06)
    assert float(cells["MAML"][3].split(" [")[0]) == pytest.approx(mean["REML"] - mean["MAML"], abs=0.06)
