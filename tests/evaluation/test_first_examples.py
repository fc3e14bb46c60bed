"""benchmarks/first_examples.py, tiny: its rows are what the model does when it is asked directly."""

import pytest

from metaglot.adaptation import load_model
from metaglot.evaluation.protocol import TaskSet
from metaglot.seeds import fold


def test_rows_are_what_the_model_does(benchmark_called, tmp_path, write_csv, tiny, capsys):
    (tmp_path / "held").mkdir()
    file = write_csv(tmp_path / "held" / "task.csv", 24, start=200)
    module = benchmark_called("first_examples")
    sizes = ["--groups", f"held={tmp_path / 'held'}", "--shots", "0,1", "--draws", "2", "--queries", "8"]
    module.main([str(tiny), "--against", str(tiny), *sizes, "--known", "task=2"])
    rows = [
        line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines() if line.startswith("| task ")
    ]
    header, names, _, scopes = rows  # the same model is judged once
    assert header == ["task", "model", "0", "1", "1, no names"]
    task, model = TaskSet.load(file), load_model(tiny)
    asked = task.examples(task.queries(8, fold(0, "queries", task.name)))
    labels = sorted(set(task.table["label"].to_pylist()))
    said = model.zero_shot(labels).predict(asked.inputs.texts)
    right = [a == b for a, b in zip(said, asked.targets, strict=True)]
    assert float(names[2]) == pytest.approx(100 * sum(right) / len(right), abs=0.05)
    assert scopes[2] == f"2 of {len(labels)}"
    assert all(0 <= float(value) <= 1 for value in scopes[3:])
