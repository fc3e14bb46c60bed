"""Nothing that labels, paths, names of tasks and files hold reaches a terminal as a command or as markup."""

import csv
import json
from pathlib import Path

import pytest

from metaglot.errors import printable_json, printable_line

ODD = "[bold red]\x1b[31mred\x9b2J\u202eevil\u2066[/]\x07"
BAD = {char for char in ODD if not char.isprintable()}


def safe(text: str) -> bool:
    return not BAD & set(text)


def test_json_is_the_same_value():
    value = {"a": ODD, "é 漢 👩‍👧": [1, "\u2028\ud800\U000e0041"]}
    text = printable_json(value)
    assert safe(text)
    assert "é 漢 👩‍👧" in text
    assert "\u2028" not in text
    assert json.loads(text) == value


def test_a_line_is_one_line():
    assert printable_line("a\nb\tc\u2028d\x1b") == "a\\nb\\tc\\u2028d\\x1b"


@pytest.fixture
def odd_file(tmp_path) -> Path:
    path = tmp_path / f"{ODD.replace('/', '')}.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["text", "label", "domain"])
        for number in range(8):
            rows.writerow([f"word{number % 2} {ODD} {number}", ODD if number % 2 else "b\nc", f"{ODD}{number % 3}"])
    return path


@pytest.mark.parametrize("form", [[], pytest.param(["--json"], marks=pytest.mark.slow)], ids=["words", "json"])
def test_every_command(form, odd_file, metaglot, tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = f"m{ODD.replace('/', '')}"
    judged = ["--shots", "1", "--draws", "1", "--efforts", "instant", "--against", "tfidf"]
    calls = {
        "inspect": ["data", "inspect", odd_file, *form],
        "adapt": ["adapt", tiny, odd_file, "--out", out, "--effort", "instant", *form],
        "predict": ["predict", out, "--text", f"word1 {ODD}", *form],
        "explain": ["predict", out, "--text", f"word1 {ODD}", "--explain", *form],
        "evaluate": ["evaluate", tiny, odd_file, "--out", f"r{out}", *judged, *form],
        "compare": ["compare", out, "builtin:mini", odd_file, "--out", f"c{out}", *judged[:6], *form],
        "bench": ["bench", tiny, odd_file, "--out", f"b{out}", *judged, "--jobs", "1", *form],
        "report": ["report", f"r{out}", "--out", f"{out}.html", *form],
    }
    for name, arguments in calls.items():
        said = metaglot(*arguments)
        assert said.code == 0, (name, said)
        assert safe(said.out), (name, said.out)
        assert safe(said.err), (name, said.err)
        if form:
            for line in said.out.splitlines() if name in {"predict", "explain", "evaluate"} else [said.out]:
                json.loads(line)
        if name in {"inspect", "evaluate"} and not form:
            assert "[bold red]" in said.out.replace("\n", ""), (name, said.out)
    bad = metaglot("adapt", tiny, f"{ODD}gone.csv", "--out", "x")
    assert (bad.code, safe(bad.err)) == (2, True)


def test_a_label_with_a_line_break_forges_no_row(odd_file, metaglot, tiny, tmp_path):
    assert metaglot("adapt", tiny, odd_file, "--out", tmp_path / "m", "--effort", "instant", "-q").code == 0
    said = metaglot("predict", tmp_path / "m", "--text", "word0", "--text", "word1")
    assert len(said.out.splitlines()) == 2
