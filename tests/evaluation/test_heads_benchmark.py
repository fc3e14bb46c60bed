"""benchmarks/heads.py, tiny: what is taken is what the effort `instant` does."""

import pytest

from metaglot.adaptation import load_model
from metaglot.evaluation.protocol import TaskSet
from metaglot.seeds import fold


def test_what_is_taken_is_what_an_adaptation_does(benchmark_called, tmp_path, write_csv, tiny, capsys):
    (tmp_path / "held").mkdir()
    file = write_csv(tmp_path / "held" / "task.csv", 12, start=200)
    groups = f"held={tmp_path / 'held'}"
    module = benchmark_called("heads")
    module.main([str(tiny), "--groups", groups, "--shots", "4", "--draws", "2", "--queries", "8"])
    rows = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()[2:]]
    assert [row[:2] for row in rows] == [["task", "4"], ["held, all", "4"]]
    task, model = TaskSet.load(file), load_model(tiny)
    asked = task.examples(task.queries(8, fold(0, "queries", task.name)))
    right = []
    for draw in range(2):
        support = task.support(4, draw)
        adapted = model.adapt(support.inputs.texts, support.targets, effort="instant")
        said = adapted.predict(asked.inputs.texts)
        right += [a == b for a, b in zip(said, asked.targets, strict=True)]
    taken = float(rows[0][4].split(", ")[0])
    assert taken == pytest.approx(100 * sum(right) / len(right), abs=0.05)
    assert rows[0][2:] == rows[1][2:], "one task is the mean over tasks"
