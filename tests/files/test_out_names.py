"""No output goes by a name that is not UTF-8, whatever command writes it."""

import os
from pathlib import Path

import pytest

COMMANDS = {
    "report": ["report", "results"],
    "report as Markdown": ["report", "results", "--markdown"],
    "predict": ["predict", "mine", "examples.csv"],
    "compare": ["compare", "builtin:tiny", "builtin:mini", "examples.csv"],
    "bench": ["bench", "builtin:tiny", "examples.csv"],
    "demo": ["demo"],
}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_name_that_is_not_utf8(command, metaglot, tmp_path, write_csv, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_csv(Path("examples.csv"), 4)
    Path("results").mkdir()
    before = sorted(os.listdir(b"."))
    option = () if command.endswith("Markdown") else ("--out",)
    said = metaglot(*COMMANDS[command], *option, os.fsdecode(b"caf\xe9.csv"))
    assert (said.code, "caf\\udce9.csv: this name is not UTF-8" in said.err) == (2, True), said.err
    assert sorted(os.listdir(b".")) == before
