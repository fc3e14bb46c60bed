"""Two texts that are read apart: what is learnt is how they agree."""

import json

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from metaglot import Effort, Span
from metaglot.adaptation import Adapted
from metaglot.adaptation.pair_choice import best_of
from metaglot.adaptation.pair_features import CONTENT, LIKENESS, features_apart, shared_tokens, width_apart
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError

NONE = {"first": 0.0, "second": 0.0}


@pytest.fixture
def agreeing(sentences):
    """Return pairs, and whether the second text has the words of the first; either text alone tells nothing."""
    first = sentences(12, seed=3)[0]
    rng = np.random.default_rng(0)
    second = [" ".join(rng.permutation(text.split())) for text in first]
    same = ["yes" if i % 2 else "no" for i in range(len(first))]
    wrong = [i for i, label in enumerate(same) if label == "no"]
    for place, other in zip(wrong, [*wrong[7:], *wrong[:7]], strict=True):
        second[place] = " ".join(reversed(first[other].split()))
    return first, second, same


def test_the_features_by_hand():
    a, b = torch.tensor([[3.0, 0.0], [0.0, 2.0]]), torch.tensor([[1.0, 0.0], [1.0, 1.0]])
    shares = shared_tokens([{1, 2}, {1, 2, 3, 4}], [{1, 2}, {4, 5}])
    torch.testing.assert_close(shares, torch.tensor([[1, 1, 1], [1 / 4, 1 / 2, 1 / 5]]))
    half = 0.5**0.5
    whole = torch.tensor([[0.0, 4.0], [5.0, 0.0]])
    content = [CONTENT * torch.eye(2).flip(0), CONTENT * torch.tensor([[0, 0], [half, 1 - half]])]
    alike = torch.tensor([[LIKENESS / 2, 0.5, 0.5, 0.5], [LIKENESS * (half - 0.5), -0.25, 0.0, -0.3]])
    found = features_apart(whole, a, b, shares)
    torch.testing.assert_close(found, normalize(torch.cat([*content, alike], 1), dim=-1))
    assert found.shape[1] == width_apart(2)
    turned = features_apart(whole, b, a, shares[:, [1, 0, 2]])
    torch.testing.assert_close(turned[:, [0, 1, 2, 3, 4, 6, 5, 7]], found)
    assert shared_tokens([set()], [set()]).tolist() == [[0, 0, 0]]
    assert shared_tokens([], []).shape == (0, 3)


def test_what_is_read_is_chosen():
    for nats, way in (
        ((-0.1, 0.0, 0.0, -0.9), "apart"),  # a pass that tells less than nothing
        ((2.0, 0.0, 0.0, 2.1), "apart"),
        ((2.0, 0.0, 0.0, 1.9), "both"),
        ((0.0, 0.0, 0.0, 0.0), "both"),  # nothing could be set aside
        ((-1.0, 0.0, 4.0, 2.9), "second"),
        ((-1.0, 0.0, 4.0, 3.1), "apart"),
    ):
        assert best_of(dict(zip(("both", "first", "second", "apart"), nats, strict=True)), NONE) == way


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_how_texts_agree_is_learnt_from_a_few_examples(model, agreeing, tmp_path, effort):
    first, second, same = agreeing
    some = slice(0, 12)
    adapted = model.adapt(first[some], same[some], pairs=second[some], effort=effort)
    assert adapted.fit.pair_choice == "apart"
    found = adapted.predict(first[12:], second[12:])
    assert np.mean([one == other for one, other in zip(found, same[12:], strict=True)]) > 0.9
    loaded = Adapted.load(adapted.save(tmp_path / "agree", keep_examples=True))
    assert np.array_equal(loaded.predict_proba(first, second), adapted.predict_proba(first, second))
    assert "reads two texts together and apart" in (tmp_path / "agree" / "README.md").read_text("utf-8")
    assert json.loads((tmp_path / "agree" / "adapted.json").read_text("utf-8"))["reads"] == "apart"
    width = model.encoder.backbone.learner.hidden_size * 2 + 4
    assert loaded.embed(first[:1], second[:1]).shape == (1, width)
    assert loaded.embed([], []).shape == (0, width)


def test_steps_that_would_read_them_in_one_pass_are_taken_only_if_asked_for(model, agreeing):
    first, second, same = agreeing
    usual = model.adapt(first, same, pairs=second)
    assert usual.fit.pair_choice == "apart"
    assert usual.effort.closed_form
    assert np.array_equal(
        usual.predict_proba(first, second),
        model.adapt(first, same, pairs=second, effort="instant").predict_proba(first, second),
    )
    assert model.adapt(first, same, pairs=second, reads="both").effort.steps
    assert model.adapt(first, same).effort.steps, "single texts"


def test_examples_are_added_to_texts_read_apart(model, agreeing):
    first, second, same = agreeing
    whole = model.adapt(first, same, pairs=second, effort="instant", reads="apart")
    grown = model.adapt(first[:10], same[:10], pairs=second[:10], effort="instant", reads="apart")
    grown = grown.add_examples(first[10:], same[10:], pairs=second[10:])
    np.testing.assert_allclose(grown.predict_proba(first, second), whole.predict_proba(first, second), atol=1e-6)


def test_either_text_has_its_own_room(model):
    long, short = " ".join(["dog"] * 200), "a dog"
    reader = model.adapt([long, short] * 2, ["x", "y"] * 2, pairs=[short, short] * 2, reads="apart", effort="instant")
    encoder = reader.fit.encoder
    inputs = Inputs((long, short, short), (short, long, short))
    assert encoder.cut(inputs) == 2
    alone = Inputs((" ".join(["dog"] * (encoder.max_length - 10)),), (" ".join(["cat"] * (encoder.max_length - 10)),))
    assert encoder.cut(alone) == 0 < model.encoder.cut(alone)


def test_where_texts_cannot_be_read_apart(model, agreeing):
    first, second, same = agreeing
    own = Effort(2, 1e-4, 1e-4, head="own")
    with pytest.raises(MetaglotError, match="reads='apart' is not for an effort that keeps the head of its steps"):
        model.adapt(first, same, pairs=second, effort=own, reads="apart")
    assert model.adapt(first, same, pairs=second, effort=own).fit.pair_choice in ("both", "first", "second")
    tags = [[Span(0, len(text.split()[0]), "PER")] for text in first]
    with pytest.raises(MetaglotError, match="reads='apart' is not for a task of tagging"):
        model.adapt(first, tags, pairs=second, task="tagging", effort="instant", reads="apart")


def test_a_number_may_be_learnt_from_texts_read_apart(model, agreeing):
    first, second, same = agreeing
    numbers = [float(label == "yes") * 2.5 for label in same]
    adapted = model.adapt(
        first[:16], numbers[:16], pairs=second[:16], task="regression", effort="instant", reads="apart"
    )
    found = np.array(adapted.predict(first[16:], second[16:]))
    assert np.corrcoef(found, numbers[16:])[0, 1] > 0.8


def test_a_model_reads_pairs_in_one_pass_where_it_embeds(model):
    assert model.embed(["a dog"], ["a cat"]).shape == (1, model.encoder.backbone.learner.hidden_size)
