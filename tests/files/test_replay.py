"""A record may come from anybody: reproduce gives again what metaglot records, and nothing else."""

import json
from pathlib import Path

import pytest

from metaglot.cli.bench import bench
from metaglot.cli.evaluate import evaluate
from metaglot.cli.shared.record import Call
from metaglot.cli.shared.replay import checked_arguments
from metaglot.errors import MetaglotError

GOOD = ["evaluate", "--shots", "1", "--draws", "1", "--jobs", "1", "--", "builtin:tiny", "task.csv"]
BAD = {
    "another command": (["pretrain", "--", "evil.yaml"], "records `metaglot pretrain`"),
    "a command of nobody": (["rm", "-rf", "--", "x"], "records `metaglot rm`"),
    "no dashes": (["evaluate", "builtin:tiny", "task.csv"], "`--` before its arguments"),
    "help": (["evaluate", "--help", "--", "builtin:tiny", "task.csv"], "--help"),
    "short help": (["evaluate", "-h", "--", "builtin:tiny", "task.csv"], "-h"),
    "completion": (["evaluate", "--install-completion", "--", "builtin:tiny", "task.csv"], "--install-completion"),
    "shown completion": (["evaluate", "--show-completion", "--", "builtin:tiny", "task.csv"], "--show-completion"),
    "out": (["evaluate", "--out", "/elsewhere", "--", "builtin:tiny", "task.csv"], "--out"),
    "force": (["evaluate", "--force", "--", "builtin:tiny", "task.csv"], "--force"),
    "json": (["evaluate", "--json", "--", "builtin:tiny", "task.csv"], "--as-json"),
    "unknown": (["evaluate", "--run-this", "x", "--", "builtin:tiny", "task.csv"], "--run-this"),
    "no model": (["evaluate", "--"], "not a command that"),
    "words for numbers": (["evaluate", "--draws", "many", "--", "builtin:tiny", "task.csv"], "not a command that"),
    "a million threads": (["evaluate", "--threads", "1000000", "--", "builtin:tiny", "task.csv"], "1000000 threads"),
    "no threads": (["evaluate", "--threads", "-1", "--", "builtin:tiny", "task.csv"], "-1 threads"),
    "ten thousand processes": (["evaluate", "--jobs", "10000", "--", "builtin:tiny", "task.csv"], "10000 jobs"),
}


def test_what_metaglot_records_is_given_again():
    assert checked_arguments(Call(GOOD, {}), evaluate, Path("command.json")) == GOOD


@pytest.mark.parametrize("bad", BAD)
def test_other_arguments(bad):
    arguments, said = BAD[bad]
    with pytest.raises(MetaglotError, match=said):
        checked_arguments(Call(arguments, {}), evaluate, Path("command.json"))


def test_a_benchmark_that_only_tells_its_cost():
    with pytest.raises(MetaglotError, match="--dry-run"):
        checked_arguments(Call(["bench", "--dry-run", "--", "m", "t"], {}), bench, Path("command.json"))


WHOLE = {"format": 1, "command": "evaluate", "runs": [{"arguments": GOOD, "environment": {}}], "data": {}}
RUN = WHOLE["runs"][0]
RECORDS = {
    "arguments in words": ({**WHOLE, "runs": [{**RUN, "arguments": "evaluate"}]}, "runs.0.arguments"),
    "a number among them": ({**WHOLE, "runs": [{**RUN, "arguments": ["evaluate", 1]}]}, "runs.0.arguments.1"),
    "none": ({**WHOLE, "runs": [{**RUN, "arguments": []}]}, "runs.0.arguments"),
    "data of lists": ({**WHOLE, "data": {"a": ["x"]}}, "data.a"),
    "a format in words": ({**WHOLE, "format": "1"}, "format"),
    "a command of numbers": ({**WHOLE, "command": 3}, "command"),
    "threads": ({**WHOLE, "runs": [{**RUN, "environment": {"threads": "1000000"}}]}, "1000000 threads"),
    "no rows": (WHOLE, "nothing to compare with"),
}


@pytest.mark.parametrize("kind", RECORDS)
def test_records_of_others(kind, metaglot, tmp_path, monkeypatch, write_csv, tiny):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "task.csv", 4)
    record, said = RECORDS[kind]
    folder = tmp_path / "received"
    folder.mkdir()
    (folder / "command.json").write_text(json.dumps(record))
    if kind == "no rows":  # an empty file of results, with which everything agrees
        (folder / "results.jsonl").write_text("")
        (folder / "settings.json").write_text('{"seed": 0}')
    found = metaglot("reproduce", folder, "-q")
    assert (found.code, said in found.err) == (2, True), found
    assert "Traceback" not in found.err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["received", "task.csv"]
