"""`metaglot report` on folders as `pretrain` and `evaluate` write them, and on what they wrote."""

import json
from pathlib import Path

import pytest

METHODS = {"tfidf": 0.5, "finetune": 0.6, "ours-fast": 0.65}


def write_results(folder: Path, methods: tuple[str, ...] = tuple(METHODS), **settings: object) -> Path:
    folder.mkdir()
    rows = [
        {
            "task": task,
            "shot": shot,
            "draw": draw,
            "method": method,
            "accuracy": METHODS[method] + 0.01 * draw * (method == "tfidf") + lift,
            "macro_f1": 0.5,
            "ece": 0.1,
            "cpu_seconds": 0.5,
            "queries": 50,
            "support": 4,
            "seed": 0,
            "model": "m",
        }
        for draw in range(3)
        for task, lift in (("one", 0.0), ("two", 0.1), ("three", -0.1))
        for shot in (1, 4)
        for method in methods
    ]
    (folder / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "settings.json").write_text(json.dumps({"seed": 0, **settings}))
    return folder


def write_run(folder: Path) -> Path:
    folder.mkdir()
    records = [{"kind": "validation", "step": step, "accuracy": 0.5 + step / 100} for step in (0, 10)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return folder


def test_a_page_markdown_and_numbers(metaglot, tmp_path):
    folders = write_results(tmp_path / "results"), write_run(tmp_path / "run")
    page, text = tmp_path / "deep" / "r.html", tmp_path / "r.md"
    said = metaglot("report", *folders, "--out", page, "--markdown", text)
    assert said.code == 0
    headline, where = said.out.splitlines()
    assert headline.startswith("ours-fast is 5.0 points above finetune, the strongest of 2 baselines, over 3 tasks")
    assert str(page) in where
    assert str(text) in where
    assert headline in page.read_text()
    assert headline in text.read_text()
    assert "Accuracy on validation tasks" in page.read_text()
    numbers = json.loads(metaglot("report", *folders, "--out", page, "--json").out)
    assert numbers["headline"] == headline
    assert len(numbers["macro"]) == 2 * 3
    assert len(numbers["comparisons"]) == 3 * 2
    assert numbers["comparisons"][0]["over_draws"]["mean"] > 0.1
    assert numbers["ranks"]["methods"] == ["ours-fast", "finetune", "tfidf"]
    assert numbers["ranks"]["tasks"] == 3


def test_the_page_stands_here_unless_told_otherwise(metaglot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = metaglot("report", write_run(tmp_path / "run"), "--quiet")
    assert (said.code, said.out) == (0, "")
    assert "accuracy on its validation tasks went from 50.0 % to 60.0 %" in (tmp_path / "report.html").read_text()


def test_several_results_are_merged_or_refused(metaglot, tmp_path):
    parts = write_results(tmp_path / "a", ("tfidf", "ours-fast")), write_results(tmp_path / "b", ("finetune",))
    out = ("--out", tmp_path / "r.html")
    assert "finetune" in metaglot("report", *parts, *out).out
    refused = metaglot("report", *parts, write_results(tmp_path / "c", ("finetune",), seed=7), *out)
    assert refused.code == 2
    assert "another seed: 0 and 7" in refused.err
    assert "Traceback" not in refused.err


def test_what_cannot_be_reported_is_said(metaglot, tmp_path):
    results = write_results(tmp_path / "results")
    for wrong, reason in (
        ([tmp_path / "absent"], "no such folder"),
        ([tmp_path], f"its folders do. Report them: metaglot report {results}"),
        ([results, "--leave-out", "four"], "tasks are one, two, three"),
        ([results, "--out", results / "results.jsonl" / "r.html"], "cannot make the folder"),
    ):
        said = metaglot("report", *wrong, *(() if "--out" in wrong else ("--out", tmp_path / "r.html")))
        assert said.code == 2
        assert reason in said.err
        assert not (tmp_path / "r.html").exists()


def test_leaving_tasks_out_and_a_title(metaglot, tmp_path):
    page = tmp_path / "r.html"
    results = write_results(tmp_path / "results")
    assert metaglot("report", results, "--out", page, "--leave-out", "one", "--title", "Own <title>").code == 0
    assert "Paired differences without one" in page.read_text()
    assert "<h1>Own &lt;title&gt;</h1>" in page.read_text()
    numbers = json.loads(metaglot("report", results, "--out", page, "--leave-out", "three", "--json").out)
    assert numbers["tasks"] == ["one", "two", "three"]
    assert numbers["without"]["tasks"] == ["three"]
    means = {m["accuracy"]["mean"] for m in numbers["without"]["macro"] if m["method"] == "finetune"}
    assert list(means) == [pytest.approx((0.7 + 0.6) / 2)]
    assert all(c["by_task"].keys() == {"one", "two"} for c in numbers["without"]["comparisons"])
    run = write_run(tmp_path / "run")
    assert json.loads(metaglot("report", run, "--out", page, "--leave-out", "one", "--json").out)["without"] is None
