import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.evaluation import Cell, Plan, TaskSet, cells, evaluate, evaluate_into, read_results
from metaglot.evaluation.protocol import Limit
from metaglot.evaluation.store import COSTS
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions

PLAN = Plan(shots=(1, 3), draws=2, queries=20, seed=5)


@pytest.fixture(name="job")
def _job(guess: Callable[..., Any], task: Callable[..., TaskSet]) -> Callable[..., Any]:
    """Two tasks and two methods, made anew at every call."""
    return lambda: ([task("one"), task("two", seed=1)], [guess("weak", 0.1), guess("strong", 2.0)])


def _bare(path: Path) -> list[dict[str, object]]:
    rows = [json.loads(line) for line in (path / "results.jsonl").read_text().splitlines()]
    return [{k: v for k, v in row.items() if k not in COSTS} for row in rows]


def test_one_row_a_cell_draw_by_draw(job: Callable[..., Any]) -> None:
    found = list(evaluate(*job(), PLAN))
    assert [result.cell for result in found] == list(cells(("one", "two"), ("weak", "strong"), PLAN))
    assert len({result.cell for result in found}) == 2 * 2 * 2 * 2
    assert [result.draw for result in found] == [0] * 8 + [1] * 8
    assert {(r.queries, r.support, r.seed) for r in found if r.shot == 3} == {(20, 9, 5)}


def test_every_method_sees_the_same_support_and_seed_and_draws_differ(job: Callable[..., Any]) -> None:
    tasks, methods = job()
    list(evaluate(tasks, methods, PLAN))
    assert methods[0].fits == methods[1].fits
    assert len(set(methods[0].fits)) == 8


def test_same_seed_same_results_and_another_seed_others(job: Callable[..., Any]) -> None:
    one, again, other = (
        [replace(r, cpu_seconds=0, peak_mb=None, seed=0) for r in evaluate(*job(), plan)]
        for plan in (PLAN, PLAN, PLAN._replace(seed=6))
    )
    assert one == again
    assert one != other


def test_a_dear_method_gets_less_of_the_plan(job: Callable[..., Any]) -> None:
    whole = list(evaluate(*job(), PLAN))
    less = list(evaluate(*job(), PLAN._replace(limits=(("strong", Limit((3,), 1, frozenset({"two"}))),))))
    assert [r.cell for r in less if r.method == "strong"] == [Cell("one", 3, 0, "strong")]
    assert [r.cell for r in less if r.method == "weak"] == [r.cell for r in whole if r.method == "weak"]
    assert {r.cell: r.score for r in less}.items() <= {r.cell: r.score for r in whole}.items()


def test_memory_is_that_of_the_fit(task: Callable[..., TaskSet]) -> None:
    class Large:
        name, model = "large", "none"
        settings: dict[str, object] = {}  # noqa: RUF012

        def why_not(self, family: AnyFamily) -> None:
            del family

        def fit(self, support: Examples[str], family: AnyFamily, *, shot: int, seed: int) -> "Large":
            self.labels = tuple(sorted(set(support.targets)))
            assert np.ones(shot * 30_000_000).sum()  # 240 MB for each shot, given back
            return self

        def predict(self, inputs: Inputs) -> Predictions:
            even = np.full((len(inputs), len(self.labels)), 1 / len(self.labels))
            return Predictions(self.labels, even, [self.labels[0]] * len(inputs))

    large, small = evaluate([task("one")], [Large()], Plan((2, 1), 1, 5, 0))
    if large.peak_mb is None or small.peak_mb is None:
        pytest.skip("memory is told on Linux only")
    assert large.peak_mb - small.peak_mb == pytest.approx(229, abs=60)


def test_queries_are_never_in_a_support(task: Callable[..., TaskSet]) -> None:
    draws = task("one").draws
    queries = set(draws.queries(1000, 1).tolist())
    assert queries
    assert all(queries.isdisjoint(draws.support(5, draw).tolist()) for draw in range(20))


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_resuming_after_a_kill_gives_the_same_file(job: Callable[..., Any], tmp_path: Path, cut: int) -> None:
    list(evaluate_into(tmp_path / "whole", *job(), PLAN))
    running = evaluate_into(tmp_path / "killed", *job(), PLAN)
    for _ in range(7):
        next(running)
    running.close()
    file = tmp_path / "killed" / "results.jsonl"
    file.write_bytes(file.read_bytes()[:-cut])  # a kill while a line was being written
    lost = 7 - file.read_bytes().count(b"\n")
    assert lost >= 1
    fresh = list(evaluate_into(tmp_path / "killed", *job(), PLAN))
    assert len(fresh) == 16 - 7 + lost
    assert _bare(tmp_path / "killed") == _bare(tmp_path / "whole")
    assert list(evaluate_into(tmp_path / "killed", *job(), PLAN)) == []


def test_a_directory_grows_by_methods_draws_and_tasks(job: Callable[..., Any], guess: Any, tmp_path: Path) -> None:
    tasks, methods = job()
    list(evaluate_into(tmp_path, tasks[:1], methods, PLAN))
    more = list(evaluate_into(tmp_path, tasks, [guess("third")], PLAN._replace(draws=3, shots=(1,))))
    assert {result.method for result in more} == {"third"}
    assert len(read_results(tmp_path)) == 8 + 6
    assert list(evaluate_into(tmp_path, tasks[:1], methods, PLAN)) == []


@pytest.mark.parametrize("what", ["seed", "queries", "task one", "method weak"])
def test_other_settings_are_refused_and_force_starts_afresh(
    job: Callable[..., Any], guess: Any, task: Callable[..., TaskSet], tmp_path: Path, what: str
) -> None:
    tasks, methods = job()
    list(evaluate_into(tmp_path, tasks, methods, PLAN))
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    changed = {
        "seed": (tasks, methods, PLAN._replace(seed=1)),
        "queries": (tasks, methods, PLAN._replace(queries=9)),
        "task one": ([task("one", seed=9)], methods, PLAN),
        "method weak": (tasks, [guess("weak", 0.9)], PLAN),
    }[what]
    with pytest.raises(MetaglotError, match=rf"another {what}.*--out.*--force"):
        next(evaluate_into(tmp_path, *changed))
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
    fresh = list(evaluate_into(tmp_path, *changed, force=True))
    assert read_results(tmp_path) == fresh


def test_results_without_settings_or_with_a_broken_line_are_an_error(job: Callable[..., Any], tmp_path: Path) -> None:
    list(evaluate_into(tmp_path, *job(), PLAN))
    file = tmp_path / "results.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([lines[0], "{}\n", *lines[1:]]))
    with pytest.raises(MetaglotError, match="line 2"):
        read_results(file)
    (tmp_path / "settings.json").unlink()
    with pytest.raises(MetaglotError, match="no settings"):
        next(evaluate_into(tmp_path, *job(), PLAN))
    with pytest.raises(MetaglotError, match="no such file"):
        read_results(tmp_path / "absent.jsonl")


@pytest.mark.parametrize(
    "plan", [PLAN._replace(shots=(0,)), PLAN._replace(shots=()), PLAN._replace(draws=0), PLAN._replace(queries=-1)]
)
def test_plans_that_ask_for_nothing(job: Callable[..., Any], plan: Plan) -> None:
    with pytest.raises(MetaglotError, match="1 or more"):
        next(evaluate(*job(), plan))


def test_names_twice(job: Callable[..., Any]) -> None:
    tasks, methods = job()
    for wrong in ((tasks[:1] * 2, methods), (tasks, methods[:1] * 2), ([], methods), (tasks, [])):
        with pytest.raises(MetaglotError, match="distinct names"):
            next(evaluate(*wrong, PLAN))


def test_cpu_seconds_are_those_of_fit_alone(guess: Any, task: Callable[..., TaskSet]) -> None:
    def burn(seconds: float) -> None:
        end = time.process_time() + seconds
        while time.process_time() < end:
            pass

    class Slow:
        name, model = "slow", "none"
        settings: dict[str, object] = {}  # noqa: RUF012

        def why_not(self, family: AnyFamily) -> None:
            del family

        def fit(self, support: Examples[str], family: AnyFamily, *, shot: int, seed: int) -> "Slow":
            burn(0.1)
            self.labels = tuple(sorted(set(support.targets)))
            return self

        def predict(self, inputs: Inputs) -> Predictions:
            burn(0.3)
            even = np.full((len(inputs), len(self.labels)), 1 / len(self.labels))
            return Predictions(self.labels, even, [self.labels[0]] * len(inputs))

    (result,) = evaluate([task("one")], [Slow()], Plan((1,), 1, 5, 0))
    assert 0.1 <= result.cpu_seconds < 0.25


def test_fixed_draws_from_a_file(guess: Any, tmp_path: Path) -> None:
    support = [
        (f"{label} {draw} {n}", label, "support", 2, draw) for draw in (3, 7) for label in "xy" for n in range(2)
    ]
    query = [(f"q {label} {n}", label, "query", None, None) for label in "xy" for n in range(5)]
    columns = dict(zip(("text", "label", "part", "shot", "draw"), zip(*support, *query, strict=True), strict=True))
    path = tmp_path / "fixed.parquet"
    pq.write_table(pa.table({name: list(values) for name, values in columns.items()}), path)
    loaded = TaskSet.load(path)
    assert loaded.name == "fixed"
    assert loaded.support(2, 1).inputs.texts == ("x 7 0", "x 7 1", "y 7 0", "y 7 1")
    assert loaded.support(1, 1).inputs.texts == ("x 7 0", "y 7 0")
    for wrong in (Plan((2,), 3, 5, 0), Plan((4,), 1, 5, 0)):
        with pytest.raises(MetaglotError, match=r"2 draws|file fixes 2|at most 2"):
            next(evaluate([loaded], [guess("g")], wrong))


def test_pairs_reach_the_method(task: Callable[..., TaskSet]) -> None:
    table = pa.table({"text": ["a", "b"], "text_pair": ["c", None], "label": ["x", "y"]})
    found = replace(task("one"), table=table).examples(np.array([1, 0]))
    assert found == Examples.of(["b", "a"], ["y", "x"], ["", "c"])


def test_the_cell_of_a_result_survives_the_file(job: Callable[..., Any], tmp_path: Path) -> None:
    made = list(evaluate_into(tmp_path, *job(), PLAN))
    assert read_results(tmp_path) == made
    assert asdict(made[0]).keys() >= {"task", "shot", "draw", "method", "metrics", "cpu_seconds"}
    assert made[0].metrics.keys() == {"accuracy", "macro_f1", "ece"}
    assert made[0].cell == Cell("one", 1, 0, "weak")


def test_rows_written_before_there_were_bins_are_read(job: Callable[..., Any], tmp_path: Path) -> None:
    made = list(evaluate_into(tmp_path, *job(), PLAN))
    assert all(sum(one.size for one in result.bins) == result.queries for result in made)
    assert read_results(tmp_path) == made
    lines = (tmp_path / "results.jsonl").read_text().splitlines()
    old = [{name: value for name, value in json.loads(line).items() if name != "bins"} for line in lines]
    (tmp_path / "results.jsonl").write_text("".join(json.dumps(row) + "\n" for row in old))
    assert [result.bins for result in read_results(tmp_path)] == [()] * len(made)


def test_the_fingerprint_of_a_task_knows_its_split(tmp_path):
    for name, split in (("one", "train"), ("other", "test")):
        rows = [f"text {i},{'ab'[i % 2]},{split if i < 4 else 'train'}" for i in range(12)]
        (tmp_path / f"{name}.csv").write_text("text,label,split\n" + "\n".join(rows) + "\n")
    one, other = (TaskSet.load(tmp_path / f"{name}.csv") for name in ("one", "other"))
    assert one.fingerprint() != other.fingerprint()
