"""What stands beside the checkpoints of a run, and when a folder is refused."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from metaglot.assembly import write_run_files
from metaglot.config import dump_recipe, parse_recipe
from metaglot.data.checked import sealed
from metaglot.errors import MetaglotError

ONE, TWO = (dump_recipe(parse_recipe({"data": {"train": ["x"]}, "seed": seed})) for seed in (1, 2))

ABOUT = {"format": 1, "base": "builtin:tiny", "max_length": 16}
DESCRIPTION: dict[str, Any] = {**ABOUT, "fingerprints": {"one": "aa"}, "validation_fingerprints": {}}


def test_written_and_written_again(tmp_path):
    for _ in range(2):
        write_run_files(tmp_path / "run", ONE, DESCRIPTION)
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "config.yaml",
        "environment.json",
        "model.json",
    ]
    environment = json.loads((tmp_path / "run/environment.json").read_text())
    assert environment["torch"] == torch.__version__


def test_another_recipe(tmp_path):
    write_run_files(tmp_path, ONE, DESCRIPTION)
    with pytest.raises(MetaglotError, match=r"another recipe.*--force"):
        write_run_files(tmp_path, TWO, DESCRIPTION)
    assert (tmp_path / "config.yaml").read_text() == ONE


def test_other_data(tmp_path):
    write_run_files(tmp_path, ONE, DESCRIPTION)
    other = {**DESCRIPTION, "fingerprints": {"one": "bb"}}
    write_run_files(tmp_path, ONE, other)  # nothing was trained yet
    (tmp_path / "checkpoints").mkdir()
    with pytest.raises(MetaglotError, match="data differ from those that the run began with"):
        write_run_files(tmp_path, ONE, DESCRIPTION)
    assert json.loads((tmp_path / "model.json").read_text()) == sealed(other)


def test_a_torn_model_json_is_written_anew(tmp_path):
    write_run_files(tmp_path, ONE, DESCRIPTION)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "model.json").write_text('{"form')
    write_run_files(tmp_path, ONE, DESCRIPTION)
    assert json.loads((tmp_path / "model.json").read_text()) == sealed(DESCRIPTION)


def test_two_that_begin_at_once_do_not_disturb_each_other(tmp_path):
    with ThreadPoolExecutor(8) as pool:
        begun = [pool.submit(write_run_files, tmp_path / "run", ONE, DESCRIPTION) for _ in range(80)]
    assert [one.exception() for one in begun] == [None] * 80
    assert {file.name for file in (tmp_path / "run").iterdir()} == {"config.yaml", "model.json", "environment.json"}
