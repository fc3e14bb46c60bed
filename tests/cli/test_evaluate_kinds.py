"""Tasks of several labels a text and of numbers: from a file to results, tables and the page."""

import json
from pathlib import Path

import pytest

from metaglot.cli.shared.judging import LabelledTask
from metaglot.cli.shared.tasks import efforts_for, read_tasks, with_constant_baseline
from metaglot.evaluation import TaskSet, read_results
from metaglot.evaluation.leakage import read_leakages

SMALL = ("--draws", 2, "--queries", 12, "--efforts", "instant", "--against", "frozen,knn,tfidf")
NOUNS = ("apple", "pear", "plum", "cherry")
RATED = {"bad": 1.25, "poor": 2.0, "good": 4.0, "great": 4.75}


def _rows(path: Path, rows: list[tuple[str, ...]]) -> None:
    path.write_text("\n".join(map(",".join, rows)) + "\n", "utf-8")


@pytest.fixture(name="files")
def _files(tmp_path, monkeypatch) -> Path:
    """Stand in a folder with a file of several labels, one of numbers by user, and one of classes."""
    monkeypatch.chdir(tmp_path)
    sets = [tuple(noun for bit, noun in enumerate(NOUNS) if number >> bit & 1) for number in range(16)] * 3
    tags = [(f"number {n} has {' '.join(own)}", "|".join(own)) for n, own in enumerate(sets)]
    _rows(Path("tags.csv"), [("text", "label"), *tags])
    films = [(f"{word} film {n}", str(rating), f"u{n % 2}") for n, (word, rating) in enumerate([*RATED.items()] * 10)]
    few = [("a film alone", "3.5", "u9")]
    _rows(Path("films.csv"), [("text", "stars", "user"), *films, *few])
    _rows(Path("classes.csv"), [("text", "label"), *((f"{noun} {n}", noun) for n in range(8) for noun in NOUNS)])
    return tmp_path


def test_several_labels_a_text(files, metaglot, tiny):
    said = metaglot("evaluate", tiny, "tags.csv", "--task", "multilabel", "--shots", "2,4", *SMALL, "--out", "out")
    assert said.code == 0, said.err
    results = read_results("out")
    methods = {result.method for result in results}
    assert methods == {"ours-instant", "prior", "frozen-lr", "frozen-instant", "knn", "tfidf"}  # no frozen-proto
    assert {result.kind for result in results} == {"multilabel"}
    assert {metric.name for metric in results[0].measures} == {"macro_f1", "micro_f1", "ece"}
    assert "not judged: frozen-proto: prototypes need classes, and these tasks are multilabel" in said.err
    table, page = Path("out/table.md").read_text("utf-8"), Path("out/report.html").read_text("utf-8")
    assert "**Not judged.** frozen-proto: prototypes need classes" in table
    for text in (table, page):
        assert "Macro F1 in %" in text
        assert "ccuracy" not in text
    assert "support examples a label" in page
    assert "Are probable labels there?" in page
    by_method = {m: [r.score for r in results if r.method == m] for m in methods}
    assert min(by_method["tfidf"]) > max(by_method["prior"])  # each label stands in the text as a word
    again = metaglot("evaluate", tiny, "tags.csv", "--task", "multilabel", "--shots", "2", *SMALL, "--out", "out", "-q")
    assert again.code == 0, again.err
    assert read_results("out") == results


@pytest.mark.slow
def test_a_user_is_a_task_of_numbers(files, metaglot, tiny):
    words = ("--columns", "label=stars,domain=user", "--by-domain", "--shots", "6")
    said = metaglot("evaluate", tiny, "films.csv", *words, *SMALL, "--out", "out")  # by the look of the column
    assert said.code == 0, said.err
    results = read_results("out")
    assert {result.task for result in results} == {"films/u0", "films/u1"}  # u9 has one film
    assert {(result.kind, result.metric.name, result.support) for result in results} == {("regression", "mae", 6)}
    assert "spearman" in results[0].metrics
    table, page = Path("out/table.md").read_text("utf-8"), Path("out/report.html").read_text("utf-8")
    assert "MAE (less is better)" in table
    assert "RMSE" in table
    assert "Spearman" in table
    for word in ("ccuracy", "examples a class", "Calibration", "Are confident"):
        assert word not in table + page.replace("https://", "")
    (leaked,) = read_leakages("out")
    assert leaked is None or all(task.classes == 0 for task in leaked.tasks)
    best = {m: min(r.score for r in results if r.method == m) for m in ("prior", "tfidf")}
    assert best["tfidf"] < best["prior"]  # the first word of a film says its rating
    one = ("--columns", "label=stars,domain=user", "--by-domain", "--shots", "1", *SMALL, "--out", "one", "-q")
    assert metaglot("evaluate", tiny, "films.csv", *one).code == 0  # there is nothing to learn from one number
    found = {r.method: {} for r in read_results("one")}
    for r in read_results("one"):
        found[r.method][r.task, r.draw] = r.score
    assert found["ours-instant"] == pytest.approx(found["prior"])
    job = metaglot("evaluate", tiny, "films.csv", *words, *SMALL, "--out", "two", "--jobs", 2, "-q")
    assert job.code == 0, job.err
    assert [(r.cell, r.metrics) for r in read_results("two")] == [(r.cell, r.metrics) for r in results]


def test_kinds_beside_each_other_are_never_averaged(files, metaglot, tiny):
    Path("films.csv").rename("rated.csv")
    Path("stars.csv").write_text(Path("rated.csv").read_text("utf-8").replace("stars", "label"), "utf-8")
    few = ("--draws", 1, "--queries", 8, "--efforts", "instant", "--out", "out")
    said = metaglot("compare", tiny, "stars.csv", "classes.csv", "--shots", "4", *few, "--json")
    assert said.code == 2, said.out  # a model beside itself is no comparison
    said = metaglot("bench", tiny, "stars.csv", "classes.csv", "--shots", "4", "--against", "tfidf", *few, "--jobs", 1)
    assert said.code == 0, said.err
    results = read_results("out/tasks")
    assert {(r.task, r.kind) for r in results} == {("stars", "regression"), ("classes", "classification")}
    table = Path("out/table.md").read_text("utf-8")
    assert "Accuracy in %" in table
    assert "MAE (less is better)" in table
    assert (Path("out/tasks-mae.svg").exists(), Path("out/tasks-accuracy.svg").exists()) == (False, False)  # one shot
    rows = [json.loads(line) for line in Path("out/tasks/results.jsonl").read_text("utf-8").splitlines()]
    assert all(("kind" in row) == (row["task"] == "stars") for row in rows)


def test_an_unknown_kind_and_a_file_without_domains(files, metaglot, tiny):
    said = metaglot("evaluate", tiny, "tags.csv", "--task", "tags", "--out", "out")
    assert (said.code, "--task tags: unknown; use classification, multilabel" in said.err) == (2, True)
    said = metaglot("evaluate", tiny, "tags.csv", "--by-domain", "--out", "out")
    assert (said.code, "tags.csv: it has no column of domains" in said.err) == (2, True)
    said = metaglot("evaluate", tiny, "tags.csv", "--task", "regression", "--out", "out")
    assert (said.code, "no number" in said.err) == (2, True)
    only = ("--task", "multilabel", "--efforts", "", "--against", "frozen-proto,setfit", "--out", "out")
    said = metaglot("evaluate", tiny, "tags.csv", *only)
    assert said.code in (0, 2)  # the floor is judged wherever setfit is installed
    assert "Traceback" not in said.err


def test_classes_have_no_floor_unasked_and_need_no_family(files):
    (classes,) = read_tasks([Path("classes.csv")], None)
    assert isinstance(classes, LabelledTask)
    assert (classes.kind, with_constant_baseline(["tfidf"], [classes])) == ("classification", ["tfidf"])
    (tags,) = read_tasks([Path("tags.csv")], None, task="multilabel")
    assert with_constant_baseline(["tfidf"], [classes, tags]) == ["prior", "tfidf"]
    assert with_constant_baseline([], [tags]) == []
    (films,) = read_tasks([Path("films.csv")], "label=stars", task="regression")
    assert efforts_for(None, [films]) == ("instant",)
    assert efforts_for(None, [classes, films]) == ("fast", "instant")
    assert (efforts_for("auto, fast", [films]), efforts_for("", [films])) == (("auto", "fast"), ())
    loaded = TaskSet.load("tags.csv", task="multilabel")
    assert loaded.fingerprint() != TaskSet.load("tags.csv").fingerprint()
    assert all(isinstance(target, frozenset) for target in loaded.support(2, 0).targets)
