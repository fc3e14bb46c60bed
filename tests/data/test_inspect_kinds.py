"""The look at several labels a text, and at numbers."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from metaglot.choices import FAMILIES
from metaglot.cli.data import app
from metaglot.data.inspect import inspect_table
from metaglot.errors import MetaglotError

RUN = CliRunner()


def table(*rows: tuple[str, str | None]) -> pa.Table:
    texts, labels = zip(*rows, strict=True)
    return pa.table({"text": list(texts), "label": list(labels), "row": range(len(rows))})


def told(*arguments: object) -> str:
    result = RUN.invoke(app, list(map(str, arguments)))
    assert result.exit_code == 0, result.exception
    return result.stdout


LABELLED = table(
    ("red sky", "a|b"), ("Red sky!", "b|a"), ("blue sea", "a"), ("blue sea", "a|c"), ("green", None), ("grey", "a|b|B")
)


def test_labels_are_counted_alone_and_together() -> None:
    plain = inspect_table(LABELLED, task="multilabel").to_json()
    assert plain["task"] == "multilabel"
    assert plain["labels"] == {"a": 5, "b": 3, "B": 1, "c": 1}
    assert list(plain["labels"]) == ["a", "b", "B", "c"]
    assert plain["labels_a_text"] == {"mean": 10 / 6, "max": 3, "none": 1}
    assert plain["together"][0] == {"labels": ["a", "b"], "rows": 3}
    assert len(plain["together"]) == 4
    assert "classes" not in plain
    assert json.loads(json.dumps(plain))["together"] == plain["together"]


def test_a_conflict_is_another_set_of_labels_not_another_order() -> None:
    summary = inspect_table(LABELLED, task="multilabel")
    assert (summary.duplicates, summary.conflicts, summary.clashes) == (2, 1, ((4, 3),))
    assert inspect_table(LABELLED).conflicts == 2  # as classes, "a|b" and "b|a" are two


def test_odd_labels_are_noted() -> None:
    notes = " ".join(inspect_table(LABELLED, task="multilabel").notes)
    assert "only one example of 'B', 'c'" in notes
    assert "'B' and 'b' differ in case only and are two labels" in notes
    rows = [("x", "red, blue"), ("y", "blue"), ("z", "red"), ("u", "red, blue")]
    assert "labels look joined by ','" in " ".join(inspect_table(table(*rows), task="multilabel").notes)
    always = inspect_table(table(("x", "a"), ("y", "a|b")), task="multilabel").notes
    assert any("all examples have 'a'" in note for note in always)


def test_one_example_a_label_leaves_nothing_to_find_a_threshold_by() -> None:
    once = inspect_table(table(("x", "a|b"), ("y", "c"), ("z", None)), task="multilabel").notes
    assert any("each label has one example only, so that none can be set aside" in note for note in once)
    assert not any(note.startswith("only one example") for note in once)
    twice = inspect_table(table(("x", "a|b"), ("y", "a"), ("z", None)), task="multilabel").notes
    assert not any("each label has one example only" in note for note in twice)


NUMBERS = [0.5, 1.5, 1.5, 2.5, 4.0]
RATED = table(*((f"t{i % 4}", str(number)) for i, number in enumerate(NUMBERS)), ("none", None))


def test_numbers_are_described() -> None:
    summary = inspect_table(RATED, task="regression")
    plain: dict[str, Any] = summary.to_json()["numbers"]
    bars = plain.pop("histogram")
    assert plain == {
        "n": 5,
        "different": 4,
        "missing": 1,
        "mean": pytest.approx(np.mean(NUMBERS)),
        "spread": pytest.approx(np.std(NUMBERS)),
        "min": 0.5,
        "quartiles": [1.5, 1.5, 2.5],
        "max": 4.0,
    }
    assert sum(bar["rows"] for bar in bars) == 5
    assert (bars[0]["from"], bars[-1]["to"]) == (0.5, 4.0)
    assert (summary.duplicates, summary.conflicts) == (1, 1)  # t0 has 0.5 and 4


def test_levels_are_counted() -> None:
    plain = inspect_table(RATED, task="ordinal").to_json()["numbers"]
    counted = [(one["level"], one["rows"]) for one in plain["levels"]]
    assert counted == [(0.5, 1), (1.5, 2), (2.5, 1), (4.0, 1)]
    assert "histogram" not in plain


@pytest.mark.parametrize("task", ["regression", "ordinal"])
@pytest.mark.parametrize("cells", [[], ["2"], ["2", "2"], [None]])
def test_few_numbers_are_described_too(cells: list[str | None], task: str) -> None:
    rows = pa.table({"text": ["t"] * len(cells), "label": pa.array(cells, pa.string()), "row": range(len(cells))})
    plain = inspect_table(rows, task=task).to_json()["numbers"]
    assert plain["n"] == sum(cell is not None for cell in cells)


def test_the_command_shows_them(tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text("".join(json.dumps({"text": f"t{n}", "label": ["x", "y"][: n % 3]}) + "\n" for n in range(6)))
    shown = told("inspect", file)
    assert "labels a text" in shown
    assert "1.00 on average, 2 at most" in shown
    assert "x | y" in shown
    assert json.loads(told("inspect", file, "--json"))["labels"] == {"x": 4, "y": 2}
    file.write_text("".join(json.dumps({"text": f"t{n}", "label": n / 2}) + "\n" for n in range(6)))
    shown = told("inspect", file)
    assert "mean and spread" in shown
    assert "█" in shown
    assert json.loads(told("inspect", file, "--json"))["task"] == "regression"
    assert "task" not in json.loads(told("inspect", file, "--json", "--task", "classification"))


def test_a_label_that_is_no_target_of_the_task_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text("text,label\na,1\nb,two\n")
    result = RUN.invoke(app, ["inspect", str(file), "--task", "regression"])
    assert isinstance(result.exception, MetaglotError)
    assert str(result.exception).startswith(f"{file}: the label of row 2 is 'two', which is no number")
    result = RUN.invoke(app, ["inspect", str(file), "--task", "clustering"])
    assert "--task clustering: unknown; use classification, multilabel, regression, ordinal" in str(result.exception)


def test_looks_need_no_torch_and_classes_are_what_their_family_says() -> None:
    code = (
        "import sys; from metaglot.choices import FAMILIES; from metaglot.data.target_facts import look_of; "
        "quick = [kind for kind, one in FAMILIES.kinds.items() if one.exclusive or one.facts]; "
        "print([look_of(kind) is None for kind in quick], 'torch' in sys.modules)"
    )
    done = subprocess.check_output([sys.executable, "-c", code], text=True).strip()
    assert done.startswith("[True, False, False, False")
    assert done.endswith("] False")
    assert all(FAMILIES.exclusive(kind) == bool(FAMILIES[kind]().exclusive) for kind in FAMILIES)
    assert not FAMILIES.exclusive("none")
