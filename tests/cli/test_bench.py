"""`metaglot bench`: groups of tasks, the cost told first, limits, resume, the same again."""

import json
from pathlib import Path

import pytest

from metaglot.cli.shared.groups import group_files
from metaglot.cli.shared.limits import parse_limits
from metaglot.errors import MetaglotError
from metaglot.evaluation.protocol import Limit

SMALL = ("--shots", "1,2", "--draws", 2, "--queries", 6, "--jobs", 1, "--max-length", 24)
METHODS = ("--efforts", "instant,fast", "--against", "tfidf,frozen")


@pytest.fixture(name="groups")
def _groups(tmp_path, monkeypatch, write_csv, tiny) -> tuple[str, str, str]:
    monkeypatch.chdir(tmp_path)
    for number, path in enumerate(("near/one.csv", "near/two.csv", "far/three.csv")):
        Path(path).parent.mkdir(exist_ok=True)
        write_csv(Path(path), 8, start=20 * number)
    Path("near/notes.txt").write_text("no task")
    return tiny, "near", "far"


@pytest.mark.slow
def test_a_benchmark(metaglot, groups):
    said = metaglot(
        "bench", *groups, "--out", "o", *SMALL, *METHODS, "--limit", "ours-fast:shots=2,draws=1,without=one"
    )
    assert said.code == 0, said.err
    assert "about " in said.err
    assert "of CPU (" in said.err
    rows = {
        name: [json.loads(x) for x in Path(f"o/{name}/results.jsonl").read_text().splitlines()] for name in groups[1:]
    }
    assert {row["task"] for row in rows["near"]} == {"one", "two"}
    assert len(rows["far"]) == 1 * 2 * 2 * 5 + 1  # tasks, shots, draws, methods; and the limited one
    fast = [row for found in rows.values() for row in found if row["method"] == "ours-fast"]
    assert {(row["task"], row["shot"], row["draw"]) for row in fast} == {("two", 2, 0), ("three", 2, 0)}
    table = Path("o/table.md").read_text()
    for word in (
        "near, 1",
        "far, 2",
        "ours-instant",
        "better frozen",
        "What ours-instant gains",
        "CPU-s",
        "macro F1",
        "ECE",
    ):
        assert word in table
    assert Path("o/near.svg").read_text().startswith("<svg")
    assert Path("o/far/report.html").is_file()
    once = {name: Path(f"o/{name}/results.jsonl").read_bytes() for name in groups[1:]}
    again = metaglot(
        "bench", *groups, "--out", "o", *SMALL, *METHODS, "--limit", "ours-fast:shots=2,draws=1,without=one", "--json"
    )
    assert {name: Path(f"o/{name}/results.jsonl").read_bytes() for name in groups[1:]} == once  # nothing done twice
    assert json.loads(again.out)["Accuracy"][0]["method"] == "ours-instant"
    assert metaglot("reproduce", "o", "-q").out == f"equal: {sum(map(len, rows.values()))} rows of results.jsonl\n"


def test_a_limit_replaces_the_usual_one_of_its_own_method_alone():
    usual = {"setfit": Limit((8,), 3)}
    (setfit, tfidf) = parse_limits(["tfidf:draws=2"], ["setfit", "tfidf"], ["one"], defaults=usual, plan_shots=[4, 8])
    assert (setfit, tfidf) == (("setfit", Limit((8,), 3)), ("tfidf", Limit(None, 2)))
    assert parse_limits(["setfit:shots=4"], ["setfit"], ["one"], defaults=usual, plan_shots=[4, 8]) == (
        ("setfit", Limit((4,))),
    )


def test_the_cost_alone(metaglot, groups):
    said = metaglot("bench", *groups, "--out", "o", *SMALL, *METHODS, "--dry-run", "--json")
    assert said.code == 0
    cost = json.loads(said.out)["cpu_seconds"]
    assert cost["ours-fast"] > cost["ours-instant"] > cost["tfidf"] == 0
    assert not Path("o").exists()


@pytest.mark.slow
def test_tasks_left_out_are_a_group_beside(metaglot, groups):
    said = metaglot(
        "bench", *groups, "--out", "o", *SMALL, "--efforts", "instant", "--against", "tfidf", "--leave-out", "one"
    )
    assert said.code == 0
    assert "| method | near, 1 | near, 2 | far, 1 | far, 2 | near without one, 1 |" in Path("o/table.md").read_text()
    rows = [json.loads(line) for line in Path("o/near/results.jsonl").read_text().splitlines()]
    alone = [r["metrics"]["accuracy"] for r in rows if (r["task"], r["shot"], r["method"]) == ("two", 1, "tfidf")]
    table = Path("o/table.md").read_text()
    line = next(line for line in table.splitlines() if line.startswith("| tfidf |")).replace("*", "").split(" | ")
    assert line[5].startswith(f"{50 * sum(alone):.1f} ±")  # of two draws


MISTAKES = {
    "empty folder": (["empty", "--out", "o"], "empty: no labelled file there"),
    "same names": (["near", "other/near", "--out", "o"], "two folders are called 'near'"),
    "form of a limit": (["near", "--out", "o", "--limit", "tfidf"], "--limit tfidf: expected METHOD:shots="),
    "method of a limit": (["near", "--out", "o", "--limit", "knn:draws=1"], "and a method that is judged: ours-auto"),
    "task of a limit": (["near", "--out", "o", "--limit", "tfidf:without=five"], "no task 'five'; there are one, two"),
    "shots of a limit": (["near", "--out", "o", "--limit", "tfidf:shots=8"], "8 is none of --shots 1"),
    "number of a limit": (["near", "--out", "o", "--limit", "tfidf:draws=x"], "expected whole numbers"),
    "no effort": (["near", "--out", "o", "--efforts", ""], "--efforts is empty"),
    "left out": (["near", "--out", "o", "--leave-out", "five"], "--leave-out five: no such task"),
    "too long": (["near", "--out", "o", "--max-length", "9999"], "--max-length: max_length is 9999 tokens, but"),
    "no jobs": (["near", "--out", "o", "--jobs", "0"], "--jobs 0: expected 1 or more"),
    "out is taken": (["near", "--out", "near"], "--out near: it exists and is not a benchmark"),
    "out is a file": (["near", "--out", "near/one.csv"], "--out near/one.csv: it exists and is not a benchmark"),
    "no file": (["nowhere.csv", "--out", "o"], "nowhere.csv: no such file"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes(metaglot, groups, kind):
    for folder in ("empty", "other/near"):
        Path(folder).mkdir(parents=True)
    Path("other/near/one.csv").write_bytes(Path("near/one.csv").read_bytes())
    arguments, said = MISTAKES[kind]
    found = metaglot("bench", groups[0], *arguments, "--shots", "1", "--draws", 1)
    assert found.code == 2
    assert said in found.err.replace("\n", " ")
    assert not Path("o").exists()


def test_groups_are_what_they_are_called(tmp_path, monkeypatch, write_csv):
    monkeypatch.chdir(tmp_path)
    for name in ("one/tasks", "two/tasks", "other"):
        Path(name).mkdir(parents=True)
        write_csv(Path(name) / "a.csv", 4)
    with pytest.raises(MetaglotError, match="two folders are called 'tasks'"):
        group_files([Path("one/tasks"), Path("two/tasks")])
    with pytest.raises(MetaglotError, match="a folder is called 'tasks', the name of the group of single files"):
        group_files([Path("one/tasks"), Path("other/a.csv")])
    for name in ("b.json", "c.CSV", "d.ndjson", "README.json", "notes.txt"):
        Path("other", name).write_text("")
    assert [file.name for file in group_files([Path("other")])["other"]] == ["a.csv", "b.json", "c.CSV", "d.ndjson"]
