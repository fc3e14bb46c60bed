"""The targets of a table's rows, by the kind of task."""

from pathlib import Path

import pytest

from metaglot.choices import FAMILIES
from metaglot.data.readers import read_table
from metaglot.data.task_kind import cells_of
from metaglot.errors import MetaglotError
from metaglot.families.targets import targets_of


def table(path: Path, task: str, *cells: str):
    path.write_text("text,label\n" + "".join(f"t,{cell}\n" for cell in cells), encoding="utf-8")
    return read_table(path, cells=cells_of(task))


def targets(path: Path, task: str, *cells: str) -> list[object]:
    return targets_of(table(path, task, *cells), FAMILIES[task](), source=path).targets


def test_cells_become_targets_of_the_kind(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    assert targets(file, "classification", "b", "a", "") == ["b", "a", None]
    cells = ["b|a", "a", "", '"[""a|b"", ""c""]"', "\"['it''s', 'b']\"".replace("''", " "), "[]"]
    assert targets(file, "multilabel", *cells) == [{"a", "b"}, {"a"}, set(), {"a|b", "c"}, {"it s", "b"}, set()]
    assert targets(file, "regression", "1.5", "2", "", "-3e2") == [1.5, 2.0, None, -300.0]


def test_a_cell_without_a_target_of_the_kind_is_named(tmp_path: Path) -> None:
    with pytest.raises(MetaglotError, match=r"a\.csv: the label of row 2 is 'two', which is no number"):
        targets(tmp_path / "a.csv", "regression", "1", "two")
    with pytest.raises(MetaglotError, match=r"row 1 is '3,5', which is no number; write 3\.5"):
        targets(tmp_path / "a.csv", "regression", '"3,5"')
    with pytest.raises(MetaglotError, match=r"row 1 begins with \[ and is no list"):
        targets(tmp_path / "a.csv", "multilabel", "[" * 100_000)
    with pytest.raises(MetaglotError, match=r"a\.csv: the label of row 1 begins with \[ and is no list of JSON"):
        targets(tmp_path / "a.csv", "multilabel", "[a]")
