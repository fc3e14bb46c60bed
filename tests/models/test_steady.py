"""A text has the same bits whatever texts are beside it, and the states that it has by itself."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.learners import VOCAB, random_module
from transformers import AutoConfig, AutoModel

from metaglot.models import HfLearner
from metaglot.models.steady import PLAIN

SHAPE = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 3, "intermediate_size": 96}
SHAPES = {"distilbert": {"dim": 48, "n_layers": 2, "n_heads": 3, "hidden_dim": 96}}
OTHERS = ("gpt2", "xlnet")  # which run padded texts
LEARNERS: dict[tuple[str, bool], HfLearner] = {}


def learner_of(kind: str, *, bf16: bool = False) -> HfLearner:
    if (kind, bf16) not in LEARNERS:
        shape = {"gpt2": {"n_embd": 48, "n_layer": 2, "n_head": 3}, "xlnet": {"d_model": 48, "n_layer": 2, "n_head": 3}}
        values = {**shape.get(kind, SHAPES.get(kind, SHAPE)), "vocab_size": VOCAB, "initializer_range": 0.25}
        if kind != "xlnet":
            values["max_position_embeddings"] = 80
        config = AutoConfig.for_model(kind, **values, pad_token_id=0, attn_implementation="eager")
        LEARNERS[kind, bf16] = HfLearner(
            random_module(lambda: AutoModel.from_config(config)).float(), bf16=bf16, steady=True
        )
    return LEARNERS[kind, bf16]


def batch_of(lengths: list[int], seed: int) -> dict[str, torch.Tensor]:
    """Texts whose tokens follow from their length, so that one of a length is the same in every batch."""
    batch = torch.zeros(len(lengths), max(lengths), dtype=torch.long)
    for i, length in enumerate(lengths):
        batch[i, :length] = torch.randint(1, VOCAB, (length,), generator=torch.Generator().manual_seed(seed + length))
    return {"input_ids": batch, "attention_mask": (batch > 0).long()}


def outputs(learner: HfLearner, lengths: list[int], seed: int = 0):
    with torch.no_grad():
        return learner.forward({}, batch_of(lengths, seed))


@pytest.mark.parametrize(
    ("kind", "bf16"), [*((kind, bf16) for kind in PLAIN for bf16 in (False, True)), *((kind, False) for kind in OTHERS)]
)
@settings(max_examples=15, deadline=None)
@given(mine=st.integers(1, 64), others=st.lists(st.integers(1, 64), max_size=12), place=st.integers(0, 12))
def test_a_text_has_the_same_bits_whatever_is_beside_it(kind, bf16, mine, others, place):
    learner = learner_of(kind, bf16=bf16)
    place = min(place, len(others))
    alone, among = outputs(learner, [mine]), outputs(learner, [*others[:place], mine, *others[place:]])
    assert torch.equal(alone.hidden[0, :mine], among.hidden[place, :mine])
    assert torch.equal(alone.pooled[0], among.pooled[place])


@pytest.mark.parametrize("kind", [*PLAIN, *OTHERS])
def test_the_states_are_those_of_the_padded_batch(kind):
    learner = learner_of(kind)
    lengths = [3, 64, 1, 17, 8, 9, 40, 8]
    found, padded = outputs(learner, lengths), outputs(replace(learner, steady=False, packs=False), lengths)
    real = padded.mask.bool()
    assert torch.allclose(found.hidden[real], padded.hidden[real], atol=2e-5)
    assert not bool(found.hidden[~real].any())
    assert torch.allclose(found.pooled, padded.pooled, atol=1e-5)


def test_token_types_and_a_text_without_a_token_are_read():
    learner = learner_of("bert")
    batch = batch_of([5, 12, 7], 0)
    batch["token_type_ids"] = (torch.arange(12) > 3).long() * batch["attention_mask"]
    with torch.no_grad():
        found, padded = (replace(learner, steady=steady, packs=False).forward({}, batch) for steady in (True, False))
        assert torch.allclose(found.pooled, padded.pooled, atol=1e-5)
        batch["attention_mask"][1] = 0
        assert bool(learner.forward({}, batch).pooled.isfinite().all())


def test_gradients_take_the_usual_way():
    learner = learner_of("bert")
    batch = batch_of([5, 12, 7], 0)
    assert torch.equal(learner.forward({}, batch).pooled, replace(learner, steady=False).forward({}, batch).pooled)
