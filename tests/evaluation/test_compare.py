"""benchmarks/compare.py, tiny: trains, judges, goes on where it stopped, tells of what fails."""

import json

import pytest

from metaglot.choices import ALGORITHMS
from metaglot.errors import MetaglotError
from metaglot.evaluation import read_results

pytestmark = pytest.mark.slow  # a benchmark, no part of the package


@pytest.fixture(scope="module")
def compare(benchmark_called):
    return benchmark_called("compare")


@pytest.fixture
def asked(small_recipe, tmp_path, write_csv):
    """Arguments of a small comparison: two algorithms, two steps, one task in each of two groups."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        write_csv(tmp_path / name / f"{name}-task.csv", 8, start=200)
    groups = f"first={tmp_path / 'first'},second={tmp_path / 'second'}"
    sizes = ["--shots", "1,2", "--draws", "2", "--queries", "6", "--groups", groups]
    recipe = ["--recipe", str(small_recipe), "--set", "training.steps=2", "--minutes", "5"]
    return ["--out", str(tmp_path / "out"), *sizes, *recipe]


def test_it_trains_and_judges_and_goes_on(compare, asked, tmp_path, capsys):
    first = [*asked, "--algorithms", "protonet", "--json"]
    compare.main(first)
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["algorithm"], row["steps"]) == ("protonet", 2)
    assert set(row["accuracy"]) == {"first", "second"}
    assert row["accuracy"]["first"]["2"]["draws"] == 2
    before = (tmp_path / "out/results.jsonl").read_bytes()
    compare.main([*asked, "--algorithms", "protonet,fomaml", "--option", "fomaml.steps=1", "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [one["algorithm"] for one in rows] == ["protonet", "fomaml"]
    assert rows[0] == row, "what was done stands"
    after = (tmp_path / "out/results.jsonl").read_bytes()
    assert after.startswith(before)
    results = read_results(tmp_path / "out")
    assert len(results) == 2 * 2 * 2 * 2  # algorithms, tasks, shots, draws
    assert json.loads((tmp_path / "out/compare.json").read_text()) == rows
    compare.main([*asked, "--algorithms", "protonet,fomaml", "--option", "fomaml.steps=1"])
    said = capsys.readouterr().out
    assert "| algorithm | steps | first 1 | first 2 | second 1 | second 2 | CPU-s to adapt |" in said
    assert said.count(" ± ") == 8
    assert (tmp_path / "out/table.md").read_text() == said
    tasks, (method,) = compare.tasks_and_methods(compare.arguments(first), "protonet")  # of a process on a cluster
    assert [task.name for task in tasks] == ["first-task", "second-task"]
    assert method.name == "protonet"


def test_what_fails_is_told_and_the_others_go_on(compare, asked, capsys):
    failing = ["--algorithms", "maml,protonet", "--option", "maml.steps=0", "--option", "maml.head=zeros", "--json"]
    compare.main([*asked, *failing])
    rows = json.loads(capsys.readouterr().out)
    assert "no inner step" in rows[0]["error"]
    assert rows[1]["steps"] == 2
    assert "| maml | failed:" in compare.table(rows, ["first", "second"], [1, 2])


def test_an_algorithm_adapts_as_it_trained(compare, asked, tmp_path, capsys):
    """Not by an effort: with no rate the inner loop of FOMAML from zeros leaves chance."""
    compare.main(
        [*asked, "--algorithms", "fomaml", "--option", "fomaml.lr=0.0", "--option", "fomaml.head=zeros", "--json"]
    )
    (row,) = json.loads(capsys.readouterr().out)
    assert row["accuracy"]["first"]["2"]["mean"] == pytest.approx(1 / 3, abs=0.2)


@pytest.mark.slow
def test_every_algorithm_by_default(compare, asked, tmp_path, capsys):
    quick = [
        "--groups",
        f"first={tmp_path / 'first'}",
        "--set",
        "training.steps=1",
        "--set",
        "validation.episodes=1",
        "--shots",
        "1",
        "--draws",
        "1",
    ]
    compare.main([*asked, *quick, "--json"])
    rows = json.loads(capsys.readouterr().out)
    assert [row["algorithm"] for row in rows] == [name for name in ALGORITHMS if name != "transfer"]
    assert [row.get("error") for row in rows] == [None] * len(rows)


@pytest.mark.parametrize(
    ("more", "message"),
    [(["--algorithms", "mamml"], "unknown algorithm 'mamml'"), (["--option", "lr=1"], "expected ALGORITHM.key=value")],
)
def test_mistakes(compare, asked, more, message):
    with pytest.raises(MetaglotError, match=message):
        compare.main([*asked, *more])
