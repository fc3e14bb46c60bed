"""Overlap between what a run was meta-trained on and what it is judged on, found, reported and excluded."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from benchmarks import leakage as leakage_benchmark
from typer.testing import CliRunner

from metaglot.cli.app import app
from metaglot.data.builtin import fetch
from metaglot.data.draws import draws_of
from metaglot.data.readers import read_table
from metaglot.data.seen import Part, Seen, merged, read_seen, seen_of, whole_texts, write_seen
from metaglot.errors import MetaglotError
from metaglot.evaluation import Plan, TaskSet, evaluate_into, read_results
from metaglot.evaluation.baselines import Tfidf
from metaglot.evaluation.leakage import (
    class_name,
    merge_leakage,
    overlap_of,
    read_leakages,
    without_overlap,
    write_leakage,
)
from metaglot.evaluation.protocol import query_rows
from metaglot.report.leakage_tables import leakage_grids

PLAN = Plan(shots=(1, 3), draws=2, queries=20, seed=5)


def sentence(row: int) -> str:
    return f"row{row} speaks of thing{row} beside place{row} on day{row} of month{row} in year{row}"


def task_of(rows: int, name: str = "made", **columns: list[Any]) -> TaskSet:
    texts = columns.pop("text", [sentence(row) for row in range(rows)])
    labels = columns.pop("label", ["good" if row % 2 else "AtHome" for row in range(rows)])
    table = pa.table({"text": texts, "label": labels, **columns, "row": range(rows)})
    return TaskSet(name, table, draws_of(table))


def seen_from(*texts: str, labels: tuple[str, ...] = ("at_home", "bad")) -> Seen:
    table = pa.table({"text": list(texts)})
    return seen_of([Part("other", pa.table({"text": ["unlike"]}), np.array([0]), ()),
                    Part("train", table, np.arange(len(texts)), labels)])  # fmt: skip


@pytest.fixture(name="leaky")
def _leaky() -> tuple[TaskSet, Seen]:
    """A task of 200 rows; of its pool of queries, rows 3 and 5 of the pool were seen exactly, row 7 edited."""
    task = task_of(200)
    pool = task.draws.queries(200, 0)
    support = task.support(3, 1).inputs.texts[0]
    texts = [sentence(pool[3]).upper(), sentence(pool[5]) + "!", sentence(pool[7]).replace("speaks", "tells"), support]
    return task, seen_from(*texts)


def test_what_is_counted(leaky: tuple[TaskSet, Seen]) -> None:
    task, seen = leaky
    found = overlap_of(seen, [task]).leakage("run", [task], PLAN)
    (one,) = found.tasks
    assert (found.known, found.texts, found.excluded) == (True, 5, False)
    assert (one.pool, one.support.exact, one.support.near) == ((100, 2, 1), 1, 0)
    assert one.queries.rows == 20
    assert one.queries.seen == sum(
        text in _seen_texts(task) for text in task.examples(query_rows(task, PLAN)).inputs.texts
    )
    assert one.support.rows == len({t for k in (1, 3) for d in (0, 1) for t in task.support(k, d).inputs.texts})
    assert one.sets == {"train": 4}
    assert (one.classes, one.named, one.shared, one.excluded) == (2, 2, ("AtHome",), 0)


def _seen_texts(task: TaskSet) -> set[str]:
    pool = task.draws.queries(200, 0)
    return {sentence(pool[i]) for i in (3, 5, 7)}


def test_excluded_rows_are_no_queries_and_the_others_stay(leaky: tuple[TaskSet, Seen]) -> None:
    task, seen = leaky
    overlap = overlap_of(seen, [task])
    (less,) = without_overlap([task], overlap)
    pool = task.draws.queries(200, 0)
    assert less.left_out == tuple(int(pool[i]) for i in (3, 5, 7))
    for n in (1, 2, 20, 60, 97, 98, 1000):
        for seed in range(5):
            before, after = task.queries(n, seed), less.queries(n, seed)
            assert len(after) == min(n, 97)
            assert set(after).isdisjoint(less.left_out)
            assert set(before) - set(less.left_out) <= set(after)  # the clean ones are judged either way
    (one,) = overlap.leakage("run", [less], PLAN).tasks
    assert (one.queries, one.pool, one.excluded) == ((20, 0, 0), (100, 2, 1), 3)
    assert (less.support(3, 1), less.table.num_rows) == (task.support(3, 1), 200)


def test_a_task_that_was_seen_whole_cannot_be_judged() -> None:
    task = task_of(20)
    with pytest.raises(MetaglotError, match=r"made: every query .* --exclude-overlap"):
        without_overlap([task], overlap_of(seen_from(*(sentence(row) for row in range(20))), [task]))


def test_results_with_and_without_overlap_do_not_mix(leaky: tuple[TaskSet, Seen], tmp_path: Path) -> None:
    task, seen = leaky
    methods = [Tfidf()]
    less = without_overlap([task], overlap_of(seen, [task]))
    list(evaluate_into(tmp_path / "kept", [task], methods, PLAN))
    list(evaluate_into(tmp_path / "less", less, methods, PLAN))
    settings = [json.loads((tmp_path / name / "settings.json").read_text()) for name in ("kept", "less")]
    assert [one["overlap"] for one in settings] == ["kept", "excluded"]
    assert settings[0]["task made"] != settings[1]["task made"]
    for folder, other in (("kept", less), ("less", [task])):
        with pytest.raises(MetaglotError, match=r"another overlap.*--out.*--force"):
            next(evaluate_into(tmp_path / folder, other, methods, PLAN))
    old = {name: value for name, value in settings[0].items() if name != "overlap"}
    (tmp_path / "kept" / "settings.json").write_text(json.dumps(old))  # as versions before wrote it
    assert list(evaluate_into(tmp_path / "kept", [task], methods, PLAN)) == []
    assert len(read_results(tmp_path / "kept")) == 4
    (tmp_path / "kept" / "settings.json").write_text(json.dumps(old))
    nothing = [replace(task, left_out=())]  # asked for, and nothing found: still another setting
    with pytest.raises(MetaglotError, match="another overlap"):
        next(evaluate_into(tmp_path / "kept", nothing, methods, PLAN))


def test_fixed_draws_lose_queries_only() -> None:
    rows = [("support", 1, 0)] * 4 + [("query", None, None)] * 6
    part, shot, draw = (list(column) for column in zip(*rows, strict=True))
    task = task_of(10, part=part, shot=shot, draw=draw)
    seen = seen_from(sentence(1), sentence(4), sentence(9))
    overlap = overlap_of(seen, [task])
    (less,) = without_overlap([task], overlap)
    assert less.left_out == (4, 9)
    (one,) = overlap.leakage("run", [less], Plan((1,), 1, 10, 0)).tasks
    assert (one.queries, one.pool, one.support) == ((4, 0, 0), (6, 2, 0), (4, 1, 0))


def test_class_names() -> None:
    same = ["PlayMusic", "play_music", "play music", "Play-Music"]
    assert {class_name(label) for label in same} == {"play music"}
    assert {class_name(label) for label in ("0", "-1", "10", "2.5", " 3 ")} == {""}
    assert class_name("P31") == "p31"
    assert class_name("\U0001f602") == "\U0001f602"
    task = task_of(20, label=["0", "1"] * 10)
    (one,) = overlap_of(seen_from("a", labels=("0", "1")), [task]).leakage("run", [task], PLAN).tasks
    assert (one.classes, one.named, one.shared) == (2, 0, ())


def test_the_file_gives_back_what_was_written(leaky: tuple[TaskSet, Seen], tmp_path: Path) -> None:
    task, seen = leaky
    found = overlap_of(seen, [task]).leakage("run", [task], PLAN)
    assert read_leakages(tmp_path) == []
    write_leakage(tmp_path, found)
    assert read_leakages(tmp_path) == read_leakages(tmp_path / "leakage.json") == [found]
    (tmp_path / "leakage.json").write_text('{"tasks": 3}')
    with pytest.raises(MetaglotError, match=r"leakage.json: damaged"):
        read_leakages(tmp_path)
    unknown = overlap_of(None, [task]).leakage("builtin:tiny", [task], PLAN)
    assert (unknown.known, unknown.tasks, leakage_grids(unknown)) == (False, (), [])
    write_leakage(tmp_path, unknown)
    assert read_leakages(tmp_path) == [unknown]


def test_a_folder_that_grows_keeps_what_was_said_of_earlier_tasks(leaky: tuple[TaskSet, Seen]) -> None:
    task, seen = leaky
    other = task_of(40, "other")
    first, second = (overlap_of(seen, [t]).leakage("run", [t], PLAN) for t in (task, other))
    both = merge_leakage(second, first, {"made", "other"})
    assert [one.task for one in both.tasks] == ["made", "other"]
    assert merge_leakage(both, first, {"made", "other"}) == both
    assert merge_leakage(second, first, {"other"}) == merge_leakage(second, None, {"made"}) == second
    assert merge_leakage(replace(second, model="another"), first, {"made", "other"}).tasks == second.tasks
    (grid,) = leakage_grids(both)
    assert [[cell.text for cell in row][3] for row in grid.rows] == [
        f"1 exact, 0 near of {both.tasks[0].support.rows}",
        f"0 of {both.tasks[1].support.rows}",
    ]


def test_hashes_of_whole_texts_find_copies_and_say_that_edits_are_not_looked_for(
    leaky: tuple[TaskSet, Seen], tmp_path: Path
) -> None:
    task, seen = leaky
    write_seen(tmp_path, whole_texts(seen))
    small = read_seen(tmp_path)
    assert small is not None
    assert (small.near, small.texts, small.sets) == (False, seen.texts, seen.sets)
    assert (tmp_path / "seen" / "hashes.safetensors").stat().st_size < 8 * seen.texts + 100
    found = overlap_of(small, [task]).leakage("run", [task], PLAN)
    assert found.tasks[0].pool == (100, 2, 0)  # the edited row is not found
    (grid,) = leakage_grids(found)
    assert "edited copies are not found" in grid.note
    assert "near" not in grid.rows[0][3].text
    write_leakage(tmp_path, found)
    assert read_leakages(tmp_path) == [found]
    assert not merged([seen, small]).near


DATA = os.environ.get("METAGLOT_DATA", "")


@pytest.mark.slow
@pytest.mark.skipif(not DATA, reason="METAGLOT_DATA does not name the folder of the data sets")
def test_planted_overlap_of_five_percent_is_found_in_real_sets() -> None:
    names = ("clinc150", "huffpost41", "mr", "searchsnippets8", "tweeteval-hate")
    tables = {name: read_table(Path(DATA) / "train" / f"{name}.parquet") for name in names}
    parts = [Part(name, table, np.arange(table.num_rows), ()) for name, table in tables.items()]
    unrelated = ("leopard/airline", "leopard/conll", "dev/agnews-test", "train/stackoverflow20")
    found = leakage_benchmark.measure(Path(DATA), parts, unrelated=unrelated, related=(), seed=1)
    assert found["exact"]["of"] == found["lightly edited"]["of"] == 400
    assert found["exact"]["share"] >= 0.99
    assert found["lightly edited"]["share"] >= 0.90
    assert found["false alarms on unrelated sets"]["of"] == 15200
    assert found["false alarms on unrelated sets"]["share"] < 0.005


RECIPE = """
name: small
threads: 1
model: {name: "builtin:tiny", max_length: 16, precision: fp32}
data: {train: [{path: train.csv, min_per_class: 4, without: [spare]}]}
episodes: {ways: [2, 2], shots: [1, 2], queries: 2}
training: {steps: 1, meta_batch: 1, warmup: 0, save_every: 1}
"""


@pytest.fixture(name="run")
def _run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    try:
        fetch("tiny")
    except MetaglotError as error:
        pytest.skip(f"builtin:tiny cannot be had: {error}")
    monkeypatch.chdir(tmp_path)
    rows = [f"{sentence(row)},{('good', 'bad', 'spare')[row % 3]}\n" for row in range(60)]
    Path("train.csv").write_text("text,label\n" + "".join(rows))
    rows = [f"{sentence(row)},{('good', 'dull')[row % 2]}\n" for row in range(40, 100)]
    Path("task.csv").write_text("text,label\n" + "".join(rows))
    Path("small.yaml").write_text(RECIPE)

    def call(*arguments: str) -> Any:
        return CliRunner().invoke(app, [*arguments])

    assert call("pretrain", "small.yaml", "--out", "run", "-q").exit_code == 0
    return call


def test_the_command_reports_and_excludes(run: Callable[..., Any]) -> None:
    arguments = ("evaluate", "run", "task.csv", "--shots", "1", "--draws", "1", "--efforts", "instant")
    said = run(*arguments, "--against", "tfidf", "--out", "kept")
    assert said.exit_code == 0, said.output
    assert "Leakage" in said.output
    (found,) = read_leakages("kept")
    assert found is not None
    # Of rows 40 to 59, which both files have, those of the class that the recipe leaves out were not seen.
    task = TaskSet.load("task.csv")
    pool = set(task.draws.queries(60, 0).tolist())
    taught = {row - 40 for row in range(40, 60) if row % 3 != 2} & pool
    assert (found.texts, found.tasks[0].pool) == (40, (len(pool), len(taught), 0))
    assert found.tasks[0].shared == ("good",)
    assert f"{len(taught)} exact, 0 near of {len(pool)}" in Path("kept", "table.md").read_text()
    refused = run(*arguments, "--against", "tfidf", "--out", "kept", "--exclude-overlap")
    assert isinstance(refused.exception, MetaglotError)
    said = run(*arguments, "--against", "tfidf", "--out", "less", "--exclude-overlap", "--json")
    assert said.exit_code == 0, said.output
    (less,) = read_leakages("less")
    assert less is not None
    assert (less.tasks[0].queries, less.tasks[0].excluded) == ((len(pool) - len(taught), 0, 0), len(taught))
    assert {result.queries for result in read_results("less")} == {len(pool) - len(taught)}


def test_a_model_without_hashes_says_so_once(run: Callable[..., Any]) -> None:
    arguments = ("evaluate", "builtin:tiny", "task.csv", "--shots", "1", "--draws", "1", "--efforts", "instant")
    said = run(*arguments, "--against", "tfidf", "--out", "out")
    assert said.exit_code == 0, said.output
    assert said.output.count("names no training text") == 1
    assert Path("out", "table.md").read_text().count("names no training text") == 1
    (found,) = read_leakages("out")
    assert found is not None
    assert (found.known, found.model) == (False, "builtin:tiny")
    refused = run(*arguments, "--out", "out", "--exclude-overlap")
    assert isinstance(refused.exception, MetaglotError)
    assert "--exclude-overlap: builtin:tiny keeps no hashes" in str(refused.exception)
