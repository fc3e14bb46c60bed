"""Several labels a text and numbers on real data, by the commands alone: from examples to predictions."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from metaglot.data.label_lists import labels_in
from metaglot.families.multilabel import MultiLabelFamily
from metaglot.families.records import Predictions

DATA = Path(os.environ.get("METAGLOT_DATA", ""))
pytestmark = [
    pytest.mark.skipif(not os.environ.get("METAGLOT_DATA"), reason="METAGLOT_DATA does not name the data sets"),
    pytest.mark.slow,
]


def predicted(metaglot: Any, folder: Path, train: pa.Table, test: pa.Table, *asked: str) -> list[dict[str, Any]]:
    """Return what the commands predict of the test texts."""
    pq.write_table(train, folder / "train.parquet")
    pq.write_table(test, folder / "test.parquet")
    made = metaglot("adapt", "builtin:mini", folder / "train.parquet", "--out", folder / "m", *asked)
    assert made.code == 0, made.err
    said = metaglot("predict", folder / "m", folder / "test.parquet", "--json", "--quiet")
    assert said.code == 0, said.err
    return [json.loads(line) for line in said.out.splitlines()]


def test_emotions(metaglot, tmp_path):
    kept = ("gratitude", "anger", "love", "curiosity", "sadness")
    table = pq.read_table(DATA / "multilabel" / "goemotions.parquet", columns=["text", "label", "split"])
    own = [labels_in(label, "") for label in table["label"].to_pylist()]
    good = [i for i, labels in enumerate(own) if labels <= set(kept)]
    split = table["split"].to_pylist()
    of = {label: [i for i in good if split[i] == "train" and label in own[i]][:8] for label in kept}
    train = sorted({i for rows in of.values() for i in rows})
    test = [i for i in good if split[i] != "train"][:300]
    texts = table.select(["text", "label"])
    rows = predicted(metaglot, tmp_path, texts.take(train), texts.take(test), "--task", "multilabel")
    truth = [own[i] for i in test]
    names = tuple(sorted(kept))
    values = np.array([[row["probabilities"][name] for name in names] for row in rows])
    found = MultiLabelFamily().score(Predictions(names, values, [frozenset(row["label"]) for row in rows]), truth)
    shares = np.array([np.mean([name in labels for labels in truth]) for name in names])
    always = float((2 * shares / (1 + shares)).mean())  # macro F1 of giving every label to every text
    print(f"macro F1 {found.metrics['macro_f1']:.3f} of {len(test)} texts, {always:.3f} where every label is given")
    assert found.metrics["macro_f1"] > always + 0.2


def test_films_of_one_user(metaglot, tmp_path):
    table = pq.read_table(DATA / "recommendation" / "movielens.parquet")
    own = table.filter(pc.equal(table["user"], 599)).select(["text", "rating"]).rename_columns(["text", "label"])
    train, test = own.take(list(range(0, 400, 4))), own.take(list(range(1, 801, 4)))
    rows = predicted(metaglot, tmp_path, train, test, "--effort", "instant")
    numbers, truth = np.array([row["label"] for row in rows]), np.array(test["label"].to_pylist())
    mean = np.mean(train["label"].to_pylist())
    ours, theirs = np.abs(numbers - truth).mean(), np.abs(mean - truth).mean()
    print(f"MAE {ours:.3f} of {len(truth)} films, {theirs:.3f} by the mean of {len(train)} others")
    assert np.isfinite(numbers).all()
    assert ours < theirs + 0.02
