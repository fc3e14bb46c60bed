"""The look at a data set, and its command line."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from typer.testing import CliRunner

from metaglot.cli.data import app
from metaglot.data.folding import folded
from metaglot.data.inspect import inspect_table, script
from metaglot.errors import MetaglotError

Make = Callable[..., pa.Table]
RUN = CliRunner()


def test_folding() -> None:
    same = ["Hello, World!", "hello world", "  HELLO\tworld\n", "\uff28ello\u3000world\u2026"]
    assert {folded(text) for text in same} == {"hello world"}
    assert folded("Stra\u00dfe") == folded("STRASSE")
    assert folded("\u0915\u093f") != folded("\u0915\u0940")  # vowel signs are kept
    assert folded("\U0001f600") != folded("\U0001f621")
    assert folded("?!") == "?!"


def test_summary(make_table: Make) -> None:
    table = make_table(
        text=["Red sky", "red, sky!", "blue sea here", " ", "\u7ea2\u8272", "Red sky"],
        label=["a", "b", "a", None, "b", "a"],
        text_pair=pa.array([None] * 6, pa.string()),
    )
    other = make_table(text=["RED SKY.", "something else"])
    summary = inspect_table(table, against=[("other", other)])
    assert summary.rows == 6
    assert summary.columns == ("text", "label")
    assert summary.classes == {"a": 3, "b": 2}
    assert (summary.unlabelled, summary.empty, summary.duplicates, summary.conflicts) == (1, 1, 2, 1)
    assert (summary.repeats, summary.clashes) == (((2, 1), (6, 1)), ((2, 1),))
    assert summary.words == (2.0, pytest.approx(2.75), 3)
    assert summary.languages == {"Latin": 4, "Chinese": 1, "none": 1}
    assert summary.languages_guessed
    assert summary.overlaps == (("other", 3, 0.5),)
    assert json.loads(json.dumps(summary.to_json()))["overlaps"] == [{"name": "other", "rows": 3, "share": 0.5}]


def test_languages_come_from_the_column_where_there_is_one(make_table: Make) -> None:
    summary = inspect_table(make_table(text=["a", "b"], lang=["de", "de"]))
    assert summary.languages == {"de": 2}
    assert not summary.languages_guessed


def test_pairs_are_compared_as_pairs(make_table: Make) -> None:
    pairs = make_table(text=["a", "a", "a"], text_pair=["x", "y", "X"])
    assert inspect_table(pairs).duplicates == 1


def test_scripts() -> None:
    cases = {"hello": "Latin", "привет": "Cyrillic", "مرحبا": "Arabic", "東京タワー": "Japanese", "12": "none"}
    assert {text: script(text) for text in cases} == cases


def test_inspect_command(tmp_path: Path) -> None:
    path, other = tmp_path / "a.csv", tmp_path / "b.txt"
    path.write_text("body,topic\nred sky,[a]\nblue sea,b\n")
    other.write_text("Red sky!\n")
    arguments = ["inspect", str(path), "--columns", "text=body,label=topic", "--against", str(other)]
    shown = RUN.invoke(app, arguments)
    assert shown.exit_code == 0, shown.output
    assert "[a]" in shown.output
    found = json.loads(RUN.invoke(app, [*arguments, "--json"]).output)
    assert found["classes"] == {"[a]": 1, "b": 1}
    assert found["overlaps"][0]["rows"] == 1
    other = tmp_path / "c.csv"
    other.write_text("said,body\nRed sky!,green\n")
    arguments = [*arguments[:-1], str(other), "--against-columns", "text=said", "--json"]
    assert json.loads(RUN.invoke(app, arguments).output)["overlaps"][0]["rows"] == 1
    failed = RUN.invoke(app, ["inspect", str(path)])
    assert isinstance(failed.exception, MetaglotError)


def test_list_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "a.csv").write_text("text\nx\n")
    monkeypatch.setenv("METAGLOT_DATA", str(tmp_path))
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path / "cache"))
    found = json.loads(RUN.invoke(app, ["list", "--json"]).output)
    assert [one["name"] for one in found["builtin"]] == [
        *("mini", "multilingual", "minilm", "e5", "mpnet", "smol", "tiny", "20newsgroups", "r52", "vader")
    ]
    assert not any(one["fetched"] for one in found["builtin"])
    assert found["files"] == [{"path": str(Path("set") / "a.csv"), "rows": None}]
    assert "r52" in RUN.invoke(app, ["list"]).output


def test_help_has_examples() -> None:
    for command in ("list", "fetch", "inspect"):
        assert "metaglot data " + command in RUN.invoke(app, [command, "--help"]).output


def test_importing_the_command_line_is_cheap() -> None:
    heavy = (
        "import sys, metaglot.cli.data; print([m for m in ('torch', 'pyarrow', 'numpy', 'rich') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True)
    assert found.stdout.strip() in ("[]", "['rich']")  # typer may bring rich
