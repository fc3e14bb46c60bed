"""Draws: balanced, disjoint from the queries, deterministic; fixed ones as the table has them."""

import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.cli.shared.checks import check_tasks
from metaglot.cli.shared.judging import LabelledTask
from metaglot.data.draw_notes import draw_notes
from metaglot.data.draws import FixedDraws, RandomDraws, draws_of
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.tfidf import Tfidf
from metaglot.evaluation.judge import Judge
from metaglot.evaluation.protocol import Plan, TaskSet

Make = Callable[..., pa.Table]


def labelled(counts: dict[str, int]) -> pa.Table:
    labels = [name for name, count in counts.items() for _ in range(count)]
    labels = np.random.default_rng(0).permutation(labels).tolist()
    return pa.table({"text": [f"t{i}" for i in range(len(labels))], "label": labels, "row": range(len(labels))})


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(2, 30), min_size=2),
    st.integers(1, 20),
    st.integers(0, 9),
    st.integers(1, 50),
)
def test_random_draws(counts: dict[str, int], shot: int, draw: int, n: int) -> None:
    table = labelled(counts)
    draws = draws_of(table)
    assert isinstance(draws, RandomDraws)
    labels = np.array(table["label"].to_pylist())
    support = draws.support(shot, draw)
    pool = draws.queries(10_000, 0)
    queries = draws.queries(n, 3)
    assert Counter(labels[support].tolist()) == {c: min(shot, k - k // 2) for c, k in counts.items()}
    assert not set(support.tolist()) & set(pool.tolist())
    assert len(pool) <= table.num_rows / 2
    assert len(queries) == min(n, len(pool))
    assert set(queries.tolist()) <= set(pool.tolist())
    assert support.tolist() == draws_of(table).support(shot, draw).tolist()
    assert queries.tolist() == draws_of(table).queries(n, 3).tolist()
    assert set(support.tolist()) <= set(draws.support(shot + 1, draw).tolist())


def test_draws_and_seeds_differ() -> None:
    draws = draws_of(labelled({"a": 100, "b": 100}))
    supports = {tuple(draws.support(4, draw).tolist()) for draw in range(10)}
    queries = {tuple(draws.queries(20, seed).tolist()) for seed in range(10)}
    assert len(supports) == len(queries) == 10


def test_split_column(make_table: Make) -> None:
    split = ["train"] * 6 + ["dev"] * 4 + ["test"] * 5
    label = ["a", "b"] * 3 + ["a", "b"] * 2 + ["a", "b", "a", "new", None]
    draws = draws_of(make_table(text=["t"] * 15, label=label, split=split))
    assert draws.queries(100, 0).tolist() == [10, 11, 12]  # "new" has no support, the last has no label
    assert draws.labels == ("a", "b")
    assert sorted(draws.support(16, 0).tolist()) == [0, 1, 2, 3, 4, 5]


def fixed(make: Make) -> pa.Table:
    rows: list[tuple[str, str, str | None, int | None, int | None]] = []
    for draw in range(2):
        for shot in (2, 4):
            rows += [(f"{c}{shot}{draw}{i}", c, "support", shot, draw) for i in range(shot) for c in "yx"]
    rows += [(f"q{i}", "xy"[i % 2], "query", None, None) for i in range(9)]
    columns = zip(*rows, strict=True)
    return make(**dict(zip(("text", "label", "part", "shot", "draw"), map(list, columns), strict=True)))


def test_fixed_draws(make_table: Make) -> None:
    table = fixed(make_table)
    draws = draws_of(table)
    assert isinstance(draws, FixedDraws)
    assert (draws.shots, draws.draws, draws.labels) == ((2, 4), (0, 1), ("x", "y"))
    texts = table["text"].to_pylist()
    assert [texts[i] for i in draws.support(2, 1)] == ["y210", "x210", "y211", "x211"]
    assert [texts[i] for i in draws.support(3, 0)] == ["x400", "x401", "x402", "y400", "y401", "y402"]
    assert [texts[i] for i in draws.support(1, 1)] == ["x210", "y210"]
    assert [texts[i] for i in draws.queries(100, 5)] == [f"q{i}" for i in range(9)]
    assert draws.queries(4, 5).tolist() == draws.queries(4, 5).tolist()
    for shot, draw, says in [(5, 0, "at most 4"), (2, 7, "no fixed draw 7"), (0, 0, "one or more")]:
        with pytest.raises(MetaglotError, match=says):
            draws.support(shot, draw)
    with pytest.raises(MetaglotError, match="one or more"):
        draws.queries(0, 0)


def test_tables_without_draws(make_table: Make) -> None:
    cases: list[tuple[pa.Table, str]] = [
        (make_table(text=["a", "b"]), "no labels"),
        (make_table(text=["a", "b"], label=pa.array([None, None], pa.string())), "no labels"),
        (labelled({"a": 9}), "only one class"),
        (labelled({"a": 1, "b": 1}), "no rows are left for queries"),
        (fixed(make_table).slice(0, 12), "not both support and query"),
    ]
    for table, says in cases:
        with pytest.raises(MetaglotError, match=says):
            draws_of(table)


def test_leopard_draws() -> None:
    if "METAGLOT_DATA" not in os.environ:
        pytest.skip("METAGLOT_DATA is not set")
    paths = sorted((Path(os.environ["METAGLOT_DATA"]) / "leopard").glob("*.parquet"))
    if not paths:
        pytest.skip("METAGLOT_DATA has no folder leopard")
    for path in paths:
        table = read_table(path)
        draws = draws_of(table)
        labels = np.array(table["label"].to_pylist())
        assert (draws.shots, draws.draws) == ((4, 8, 16), tuple(range(10)))
        for shot in (1, 4, 5, 8, 16):
            counts = Counter(labels[draws.support(shot, 3)].tolist())
            assert counts == dict.fromkeys(draws.labels, shot), path.name
        assert not set(draws.queries(300, 0).tolist()) & set(draws.support(16, 3).tolist())


def test_rows_without_a_label_are_no_examples_of_fixed_draws(make_table: Make) -> None:
    table = fixed(make_table)
    labels = table["label"].to_pylist()
    part = table["part"].to_pylist()
    gone = [part.index("support"), part.index("query")]
    table = table.set_column(
        table.column_names.index("label"), "label", pa.array([None if i in gone else v for i, v in enumerate(labels)])
    )
    draws = draws_of(table)
    assert gone[0] not in draws.support(draws.shots[-1], draws.draws[0])
    assert gone[1] not in draws.queries(10_000, 0)
    assert not set(gone) & {int(i) for pool in draws.pools for i in pool}


def test_notes_say_what_draws_cannot(make_table: Make) -> None:
    one = labelled({"a": 40, "b": 40})
    texts = [f"text {i}" for i in range(80)]
    one = one.set_column(one.column_names.index("text"), "text", pa.array(texts))
    assert list(draw_notes("one", draws_of(one), 1)) == []
    (note,) = draw_notes("one", draws_of(one), 2)
    assert note.startswith("one: 2 shots are 10% of the 20 texts of a class that draws are made from")
    twice = one.set_column(one.column_names.index("text"), "text", pa.array([f"Text {i // 2}" for i in range(80)]))
    draws = draws_of(twice)
    (note,) = draw_notes("two", draws, 1)
    support, query = draws.pools
    count = sum(i // 2 in {j // 2 for j in support} for i in query)
    assert count > 5
    assert note.startswith(f"two: {count} of 40 texts to judge on stand among those to learn from too")


def test_a_draw_that_one_shot_lacks(make_table: Make) -> None:
    table = fixed(make_table)
    draws = draws_of(table)
    shot, gone = draws.shots[-1], draws.draws[-1]
    keep = [
        not (part == "support" and s == shot and d == gone)
        for part, s, d in zip(*(table[name].to_pylist() for name in ("part", "shot", "draw")), strict=True)
    ]
    less = draws_of(table.filter(pa.array(keep)))
    assert less.draws == draws.draws
    assert less.draws_at(shot) == draws.draws[:-1]
    assert less.draws_at(draws.shots[0]) == (draws.draws[:-1] if len(draws.shots) == 1 else draws.draws)
    with pytest.raises(MetaglotError, match=f"no fixed draw {gone} of {shot} shots; the table has draws 0 of these"):
        less.support(shot, gone)
    plan = Plan(shots=[draws.shots[0], shot], draws=len(draws.draws), queries=2, seed=0)
    judge = Judge.of([TaskSet("task", less.table, less)], [Tfidf()], plan)
    found = {(cell.shot, cell.draw) for cell in judge.cells()}
    assert found == {(s, d) for s in plan.shots for d in range(plan.draws)} - {(shot, plan.draws - 1)}
    (note,) = check_tasks([LabelledTask("task", less.table, less)], plan.shots, plan.draws)
    assert f"lacks draw {gone} of {shot} shots" in note
