"""What metaglot warns of in Python is a note on the command line: once, without lines of code, not with --quiet."""

import json
import warnings
from pathlib import Path
from typing import Any

import pytest

from metaglot.cli.shared.printing import noted, warning_text
from metaglot.errors import PACKAGE, is_own, own_warnings
from metaglot.evaluation.noting import Noting, told

OWN = f"{PACKAGE}/adaptation/checks.py"


def test_a_warning_of_metaglot_is_a_note_and_others_stay_as_they_are():
    assert warning_text("labels\x1b are alike", UserWarning, OWN, 3) == "note: labels\\x1b are alike\n"
    assert warning_text("old", DeprecationWarning, OWN, 3) == f"{OWN}:3: DeprecationWarning: old\n"
    assert warning_text("x", UserWarning, "/else/where.py", 3, "code\n") == "/else/where.py:3: UserWarning: x\n  code\n"


def test_notes_are_told_once_and_kept(capsys: pytest.CaptureFixture[str]):
    notes = ["before"]
    with warnings.catch_warnings(record=True) as others, noted(notes, quiet=False):
        for text, file in (("alike", OWN), ("alike", OWN), ("of a library", "/else/where.py")):
            warnings.warn_explicit(text, UserWarning, file, 3)
    assert [str(one.message) for one in others] == ["of a library"]
    assert notes == ["before", "alike"]
    assert capsys.readouterr().err == "note: alike\n"
    with noted(notes, quiet=True):
        warnings.warn_explicit("more", UserWarning, OWN, 3)
    assert (notes[2:], capsys.readouterr().err) == (["more"], "")


def test_warnings_of_other_processes_are_told_once_by_the_one_that_waits(capsys: pytest.CaptureFixture[str]):
    def judge(cell: Any) -> Any:
        warnings.warn_explicit("no head", UserWarning, OWN, 3)
        return cell

    with warnings.catch_warnings(record=True) as shown:
        warnings.resetwarnings()
        results = list(told(map(Noting(judge), "abc")))  # what stands between them is pickled
    assert results == ["a", "b", "c"]
    assert [(str(one.message), is_own(one.category, one.filename)) for one in shown] == [("no head", True)]
    assert capsys.readouterr().err == ""


def test_warnings_before_an_error_are_kept():
    def fail() -> None:
        warnings.warn_explicit("alike", UserWarning, OWN, 3)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), own_warnings() as texts:
        fail()
    assert texts == ["alike"]


def test_quiet_says_nothing_of_what_metaglot_warns_of(metaglot: Any, tiny: Any, tmp_path: Path):
    rows = [
        {"question": "Where?", "context": f"in {i} {town}", "answer": town} for i in range(9) for town in ("a", "b")
    ]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = ("--shots", "3", "--draws", "1", "--queries", "2", "--task", "question-answering", "--against", "")
    for options, count in (("--quiet",), 0), (("--json",), 1):
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            said = metaglot("evaluate", tiny, tmp_path / "qa.jsonl", *asked, "--out", tmp_path / options[0], *options)
        assert (said.code, len([json.loads(line) for line in said.out.splitlines()])) == (0, count), said.err
        assert ("note: " in said.err, any("no head" in str(one.message) for one in shown)) == (count > 0,) * 2


def test_a_model_without_a_head_of_answers_is_noted_in_json(metaglot: Any, tiny: Any, tmp_path: Path):
    rows = [{"question": "Where?", "context": f"in {town}", "answer": town} for town in ("Oslo", "Rome", "Bern")]
    (tmp_path / "qa.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    options = ("--task", "question-answering", "--effort", "instant", "--keep-examples", "--out", tmp_path / "m")
    said = metaglot("adapt", tiny, tmp_path / "qa.jsonl", *options, "--json")
    assert any("no head of answers" in note for note in json.loads(said.out)["notes"]), said.err
    assert "UserWarning" not in said.err
    more = ("edit", tmp_path / "m", "--remove", "1", "--out")
    said = metaglot(*more, tmp_path / "n", "--json")
    assert any("no head of answers" in note for note in json.loads(said.out)["notes"]), said.err
    assert metaglot(*more, tmp_path / "o", "--quiet")[:3] == (0, "", "")
