"""The model that comes in the package: it loads, adapts the same each time, and is as good as its card says."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml
from tests.classes import FAMILY

from metaglot import load
from metaglot.adaptation import Model
from metaglot.adaptation.pair_choice import gains, nats_of
from metaglot.data.examples import Examples
from metaglot.data.readers import read_table
from metaglot.data.seen import find_seen, read_seen
from metaglot.data.shipped import WEIGHTS
from metaglot.errors import MetaglotError
from metaglot.evaluation import TaskSet
from metaglot.families.classes.tools import ClassTools

CARD = WEIGHTS / "mini" / "README.md"
HERE = "METAGLOT_DATA" in os.environ
TEXTS = ["where is my parcel", "it never came", "i was charged twice", "refund this invoice"]
LABELS = ["delivery", "delivery", "billing", "billing"]


@pytest.fixture(scope="module")
def mini() -> Model:
    try:
        return load("builtin:mini")
    except MetaglotError as error:
        pytest.skip(f"its base model is not at hand: {error}")


def test_it_is_not_its_base_and_adapts_the_same_each_time(mini, tmp_path):
    folders = [mini.adapt(TEXTS, LABELS, effort="fast", seed=1).save(tmp_path / name) for name in ("one", "other")]
    one, other = ((folder / "weights.safetensors").read_bytes() for folder in folders)
    assert one == other
    assert not np.allclose(mini.embed(TEXTS), mini.base().embed(TEXTS), atol=1e-2)
    assert mini.adapt(TEXTS, LABELS, effort="instant").predict(["a fee on my bill"]) == ["billing"]


PREMISES = [
    *(
        "The cat sleeps on the sofa.",
        "A man plays the guitar.",
        "The train leaves at noon.",
        "She bought three apples.",
    ),
    *("The museum is closed on Mondays.", "They walked along the river.", "The soup is cold.", "The lamp is broken."),
]
CLAIMS = [
    *("An animal rests.", "Someone makes music.", "The train departs at twelve.", "She has fruit."),
    *("You cannot visit on Monday.", "They were near water.", "The soup is not hot.", "There is no light from it."),
    *("The cat runs in the garden.", "The man is silent.", "The train leaves at midnight.", "She bought nothing."),
    *("It is open every day.", "They stayed at home.", "The soup burns the tongue.", "The lamp shines brightly."),
]  # eight follow from the premises, then eight speak against them


def test_how_two_texts_agree_is_read_where_a_premise_stands_under_both_labels(mini):
    texts, labels = PREMISES * 2, ["yes"] * 8 + ["no"] * 8
    nats = nats_of(mini.encoder, FAMILY, ClassTools(), Examples.of(texts, labels, CLAIMS))
    assert gains(nats)["first"] == pytest.approx(0, abs=1e-6)
    adapted = mini.adapt(texts, labels, pairs=CLAIMS, effort="instant")
    assert adapted.fit.encoder.reads == "apart"
    assert adapted.predict(texts, CLAIMS) == labels
    both = mini.adapt(texts, labels, pairs=CLAIMS, effort="instant", reads="both")
    assert both.predict(texts, CLAIMS) == labels


def test_the_file_is_small_and_has_a_card_and_a_notice():
    (weights,) = (WEIGHTS / "mini").glob("checkpoints/*/params.safetensors")
    assert weights.stat().st_size <= 4 * 10**6
    assert {"README.md", "NOTICE", "model.json"} <= {file.name for file in (WEIGHTS / "mini").iterdir()}


def test_it_keeps_the_hashes_of_its_training_texts():
    seen = read_seen(WEIGHTS / "mini")
    assert seen is not None
    assert seen.texts == 219_475
    assert sorted(one.name for one in seen.sets) == json.loads((WEIGHTS / "mini" / "model.json").read_text())["data"]


@pytest.mark.skipif(not HERE, reason="METAGLOT_DATA is not set")
@pytest.mark.parametrize(("name", "known"), [("train/snips", 1.0), ("dev/trec6", 0.0), ("leopard/airline", 0.0)])
def test_the_hashes_find_what_it_was_trained_on_and_nothing_else(name, known):
    seen = read_seen(WEIGHTS / "mini")
    table = read_table(Path(os.environ["METAGLOT_DATA"]) / f"{name}.parquet").slice(0, 2000)
    assert find_seen(seen, table).exact.mean() == known


def test_it_can_be_copied_and_used_as_a_run(mini, tmp_path):
    copied = load(str(shutil.copytree(WEIGHTS / "mini", tmp_path / "copied")))
    assert np.array_equal(copied.embed(TEXTS), mini.embed(TEXTS))


@pytest.mark.slow
@pytest.mark.skipif(not HERE, reason="METAGLOT_DATA is not set")
def test_it_is_as_good_as_its_card_says(mini):
    stated = yaml.safe_load(CARD.read_text("utf-8").split("---\n")[1])["model-index"][0]["results"]
    assert {one["dataset"]["name"] for one in stated} == {
        "agnews-test",
        "trec6",
        "tweeteval-emotion",
        "vader-tweets-nyt",
    }
    found, said = [], []
    for one in stated:
        args = one["dataset"]["args"]
        task = TaskSet.load(Path(os.environ["METAGLOT_DATA"]) / "dev" / f"{one['dataset']['name']}.parquet")
        support, asked = task.support(args["shots"], args["draw"]), task.examples(task.queries(args["queries"], 0))
        adapted = mini.adapt(support.inputs.texts, support.targets, effort=args["effort"])
        right = [a == b for a, b in zip(adapted.predict(asked.inputs.texts), asked.targets, strict=True)]
        found.append(100 * float(np.mean(right)))
        said.append(one["metrics"][0]["value"])
    assert np.mean(found) == pytest.approx(np.mean(said), abs=2)
