"""Draws are by the position of rows: the file's format does not matter, the order of its rows does."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from metaglot.evaluation import Plan, TaskSet
from metaglot.evaluation.protocol import query_rows

PLAN = Plan((1, 2), draws=4, queries=10, seed=3)
ROWS = [{"text": f"word{i % 7} of text {i}", "label": "abc"[i % 3]} for i in range(60)]


def _written(folder, rows, ending):
    folder.mkdir(exist_ok=True)
    file, table = folder / f"task{ending}", pa.Table.from_pylist(rows)
    if ending == ".csv":
        pyarrow.csv.write_csv(table, file)
    elif ending == ".parquet":
        pyarrow.parquet.write_table(table, file)
    else:
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TaskSet.load(file, seed=PLAN.seed)


def _drawn(task):
    """Return the texts of every support, in their order, and those of the queries."""
    supports = [task.support(shot, draw).inputs.texts for shot in PLAN.shots for draw in range(PLAN.draws)]
    return supports, task.examples(query_rows(task, PLAN)).inputs.texts


def test_every_format_gives_the_same_draws(tmp_path):
    found = [_written(tmp_path, ROWS, ending) for ending in (".csv", ".jsonl", ".parquet")]
    assert _drawn(found[0]) == _drawn(found[1]) == _drawn(found[2])
    assert len({task.fingerprint() for task in found}) == 1


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_another_order_of_rows_gives_others(tmp_path, ending):
    mixed = [ROWS[i] for i in np.random.default_rng(0).permutation(len(ROWS))]
    task, other = _written(tmp_path / "a", ROWS, ending), _written(tmp_path / "b", mixed, ending)
    assert task.fingerprint() != other.fingerprint()  # so that a folder of results takes one order alone
    (supports, queries), (others, other_queries) = _drawn(task), _drawn(other)
    assert all(sorted(one) != sorted(two) for one, two in zip(supports, others, strict=True))
    assert set(queries) != set(other_queries)
