"""benchmarks/text/curves.py: where a curve of held-out loss first falls to a loss, and the steps that others need."""

import json

import pytest
from benchmarks.text import curves


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (7.0, (25.0, 5.0)),  # half-way between the first two
        (6.0, (50.0, 10.0)),
        (5.0, (125.0, 24.0)),  # after it rose again
        (1.0, (150.0, 28.0)),  # never: the end
    ],
)
def test_where_a_loss_is_first_reached(target, expected):
    curve = [(0, 0.0, 8.0), (50, 10.0, 6.0), (100, 20.0, 6.5), (150, 28.0, 3.5)]
    assert curves.crossing(curve, target) == pytest.approx(expected)


def test_steps_to_the_loss_that_all_reach(tmp_path):
    losses = {"scratch-plain-0": (9.0, 7.0, 5.0), "scratch-smlmt-0": (9.0, 5.0, 4.0), "mlm-0": (9.0, 1.0, 1.0)}
    for name, found in losses.items():
        (tmp_path / "runs" / name).mkdir(parents=True)
        records = []
        for step, loss in enumerate(found):
            records += [{"kind": "validation", "step": 10 * step, "text_loss": loss}]
            records += [{"kind": "step", "step": 10 * step + 10, "cpu_seconds": 30.0}]
        text = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / "runs" / name / "metrics.jsonl").write_text(text, "utf-8")
    lines = curves.steps_to_same_loss(tmp_path).split("\n")
    assert lines[2:] == [
        "| 0 | 5.000 | scratch-plain | 20 | 60 | 1.00 |",
        "| 0 | 5.000 | scratch-smlmt | 10 | 30 | 2.00 |",
    ]
    assert curves.steps_to_same_loss(tmp_path / "none") == ""
