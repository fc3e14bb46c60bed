"""`metaglot compare`: several models on the draws of `metaglot evaluate`, side by side; words told apart; resume."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from metaglot.cli.shared.words import short_names, split_words
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError
from metaglot.evaluation import read_results
from metaglot.evaluation.leakage import read_leakages
from metaglot.evaluation.statistics import t_interval

DRAWS = 2
SMALL = ("--shots", "1,2", "--draws", DRAWS, "--queries", 9, "--efforts", "instant")


@pytest.fixture(name="trained", scope="module")
def _trained() -> list[Path]:
    """Where the run is that all tests copy, once the first of them has trained it."""
    return []


@pytest.fixture(name="desk")
def _desk(trained, small_recipe, metaglot, write_csv, tiny, tmp_path_factory) -> str:
    """Stand in a folder with a run that has seen queries of the first of two tasks; return the model it began from."""
    if not trained:
        folder = tmp_path_factory.mktemp("trained") / "new"
        assert metaglot("pretrain", "small.yaml", "training.lr=5e-3", "--out", folder, "-q").code == 0
        trained.append(folder)
    shutil.copytree(trained[0], "runs/new")
    Path("tasks").mkdir()
    write_csv(Path("tasks/one.csv"), 12)
    write_csv(Path("tasks/two.csv"), 12, start=500)
    return tiny


@pytest.fixture(name="by_hand")
def _by_hand(desk, metaglot):
    """Return the accuracies that `metaglot evaluate` gives, of the run and of its base: method → shot, draw, task."""
    found = {}
    for name, model in (("new instant", "runs/new"), (f"{desk} instant", desk)):
        out = f"alone-{model.split(':')[-1].split('/')[-1]}"
        arguments = ("evaluate", model, "tasks/one.csv", "tasks/two.csv", *SMALL, "--against", "", "--out", out, "-q")
        assert metaglot(*arguments).code == 0
        rows = {(r.shot, r.draw, r.task): r.score for r in read_results(out)}
        found[name] = np.array([[[rows[s, d, t] for t in ("one", "two")] for d in range(DRAWS)] for s in (1, 2)])
    return found


def test_the_same_draws_as_evaluate_and_paired_differences(desk, by_hand, metaglot):
    said = metaglot("compare", "runs/new", desk, "tasks/one.csv", "tasks/two.csv", *SMALL, "--out", "both")
    assert said.code == 0, said.err
    for r in read_results("both"):
        assert r.score == by_hand[r.method][r.shot - 1, r.draw, ["one", "two"].index(r.task)]
    new, base = by_hand["new instant"], by_hand[f"{desk} instant"]
    assert (new != base).any()
    words = " ".join(said.out.split())
    assert f"new instant is {100 * abs((new - base).mean()):.1f} points" in words
    assert f"{desk} names no training text" in words
    again = metaglot("compare", "runs/new", desk, "--tasks", "tasks", *SMALL, "--out", "both", "--json")
    numbers = json.loads(again.out)
    found = {c["shot"]: c for c in numbers["comparisons"]}
    for number, shot in enumerate((1, 2)):
        wanted = t_interval(list((new - base)[number].mean(axis=1)))
        assert found[shot]["over_draws"]["mean"] == pytest.approx(wanted.mean)
        assert found[shot]["over_draws"]["low"] == pytest.approx(wanted.low)
    each = (new - base).mean(axis=(0, 1))
    assert found[None]["by_task"] == pytest.approx({"one": each[0], "two": each[1]})
    by_task = {(r["task"], r["shot"], r["method"]): r["accuracy"]["mean"] for r in numbers["by_task"]}
    assert by_task["two", 1, "new instant"] == pytest.approx(new[0, :, 1].mean())


@pytest.mark.slow
def test_results_resume_report_and_come_again(desk, metaglot):
    asked = ("compare", "runs/new", desk, "--tasks", "tasks", *SMALL, "--out", "both")
    assert metaglot(*asked, "-q").code == 0
    once, headline = Path("both/results.jsonl").read_bytes(), metaglot("report", "both", "--out", "page.html").out
    assert headline.startswith("new instant is ")
    assert f"{desk} instant" in headline
    assert "<svg" in Path("page.html").read_text()
    table = Path("both/table.md").read_text()
    for part in ("Mean over tasks", "Every task", "Paired differences", "new instant minus the other", "Cost"):
        assert part in table
    swapped = metaglot("compare", desk, "runs/new", "--tasks", "tasks", *SMALL, "--out", "both", "--json")
    assert json.loads(swapped.out)["headline"].startswith(f"{desk} instant is ")
    assert Path("both/results.jsonl").read_bytes() == once  # nothing was judged again
    assert metaglot("reproduce", "both", "-q").out == f"equal: {2 * 2 * DRAWS * 2} rows of results.jsonl\n"


@pytest.mark.slow
def test_an_interrupt_keeps_what_is_done(desk, metaglot, monkeypatch):
    from metaglot.evaluation import store

    asked = ("compare", "runs/new", desk, "--tasks", "tasks", *SMALL, "--out", "both")
    write, count = store.append, []

    def stopped(out, result):
        write(out, result)
        count.append(result)
        if len(count) == 10:  # in the second model
            raise KeyboardInterrupt

    monkeypatch.setattr("metaglot.evaluation.run.append", stopped)
    said = metaglot(*asked)
    assert said.code == 130
    assert "the results so far are saved" in said.err
    before = Path("both/results.jsonl").read_bytes()
    assert metaglot(*asked, "-q").code == 0
    assert Path("both/results.jsonl").read_bytes().startswith(before)
    assert len({r.cell for r in read_results("both")}) == len(read_results("both")) == 16
    with writing("both"):  # the lock was given back
        pass


@pytest.mark.slow
def test_queries_that_any_run_has_seen_are_left_out_for_all(desk, metaglot):
    own = [
        f"{kind} {' '.join(map(str, range(i, 999, 97 + i)))},{kind}"
        for kind in ("billing", "delivery")
        for i in range(9)
    ]
    Path("tasks/one.csv").write_text(Path("train.csv").read_text() + "\n".join(own) + "\n")
    Path("tasks/two.csv").write_text("text,label\n" + "\n".join(own) + "\n")
    asked = ("compare", desk, "runs/new", "--tasks", "tasks", *SMALL, "--exclude-overlap", "--out", "both")
    assert metaglot(*asked, "-q").code == 0
    unknown, run = read_leakages("both")
    assert (unknown.model, unknown.known, run.model, run.known) == (desk, False, "new", True)
    assert [task.excluded > 0 for task in run.tasks] == [True, False]  # train.csv holds the texts of the first
    assert [task.queries.seen for task in run.tasks] == [0, 0]
    sizes = {(r.task, r.method): r.queries for r in read_results("both")}
    assert sizes["one", f"{desk} instant"] == sizes["one", "new instant"]
    none = metaglot("compare", desk, "builtin:minilm", "--tasks", "tasks", "--exclude-overlap", "--out", "no")
    assert "builtin:tiny and builtin:minilm keep no hashes" in none.err


def test_an_adaptation_stands_for_its_model(desk, metaglot, tmp_path):
    assert metaglot("adapt", "runs/new", "tasks/one.csv", "--effort", "instant", "--out", "mine", "-q").code == 0
    found = split_words(["mine", desk, "tasks/two.csv"], [])
    assert found.models == [str(tmp_path / "runs" / "new"), desk]
    assert found.tasks == [Path("tasks/two.csv")]
    assert "mine is an adaptation" in found.notes[0]


MISTAKES = {
    "one model": (["MODEL", "tasks/one.csv"], "compare needs two models or more, and there is one, builtin:tiny"),
    "no model": (["tasks/one.csv", "tasks/two.csv"], "and there is none"),
    "no task": (["MODEL", "runs/new"], "no task is named beside the models builtin:tiny, runs/new. Models come first"),
    "twice": (["runs/new", "./runs/../runs/new", "tasks/one.csv"], "is named twice"),
    "a folder of tasks": (
        ["MODEL", "runs/new", "tasks"],
        "tasks: a folder of data, and no model; name the files in it",
    ),
    "an absent file": (["MODEL", "runs/new", "gone.csv"], "gone.csv: no such file"),
    "an absent model": (["MODEL", "runs/gone/away", "tasks/one.csv"], "runs/gone/away: no such model folder"),
    "an absent folder of tasks": (["MODEL", "runs/new", "--tasks", "runs"], "--tasks runs: no labelled file there"),
    "no effort": (["MODEL", "runs/new", "tasks/one.csv", "--efforts", ""], "--efforts is empty"),
    "no algorithm": (["MODEL", "runs/new", "tasks/one.csv", "--efforts", "as-trained"], "was not meta-trained by an"),
    "no pairs": (["MODEL", "runs/new", "tasks/one.csv", "--reads", "first"], "--reads has no use: no task has second"),
    "a device": (["MODEL", "runs/new", "tasks/one.csv", "--device", "gpu"], "--device gpu: unknown; use auto, cpu"),
    "a precision": (["MODEL", "runs/new", "tasks/one.csv", "--precision", "fp8"], "--precision fp8: unknown; use auto"),
}


def test_mistakes(desk, metaglot):
    for kind, (arguments, said) in MISTAKES.items():
        given = [desk if word == "MODEL" else word for word in arguments]
        found = metaglot("compare", *given, "--shots", "1", "--draws", 1, "--out", "o")
        assert (found.code, said in found.err) == (2, True), (kind, found.err)
        assert not Path("o").exists(), kind


def test_names_are_as_short_as_tells_them_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("a/x", "b/x", "b/y"):
        Path(folder).mkdir(parents=True)
    assert short_names(["a/x", "b/x", "b/y", "builtin:mini", "org/x"]) == ["a/x", "b/x", "y", "builtin:mini", "org/x"]
    with pytest.raises(MetaglotError, match=r"b/\.\./a/x is named twice"):
        short_names(["a/x", "b/../a/x"])
