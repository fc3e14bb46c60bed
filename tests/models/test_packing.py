"""Texts that share a row are computed as if each had a row of its own."""

from dataclasses import replace

import pytest
import torch
from tests.learners import VOCAB, random_module
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

from metaglot.models import Context, HfLearner
from metaglot.models.context import CODE
from metaglot.models.packing import DECODERS, FIRST_POSITION, packed

SHAPES = {
    "gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "distilbert": {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32, "max_position_embeddings": 64},
}
SHAPE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "num_key_value_heads": 2,
}
TYPED = {"bert", "electra"}
ROTARY = {"llama", "qwen2", "gpt_neox"}  # which turn by angles in single precision


def learner_of(kind: str, attention: str = "eager") -> HfLearner:
    shape = SHAPES.get(kind, {**SHAPE, "max_position_embeddings": 64})
    values = {
        **shape,
        "vocab_size": VOCAB,
        "initializer_range": 0.25,
        "pad_token_id": 0,
        "attn_implementation": attention,
    }
    config = AutoConfig.for_model(kind, **values)
    causal = kind in DECODERS
    auto = AutoModelForCausalLM if causal else AutoModel
    return HfLearner(random_module(lambda: auto.from_config(config)), decoder=causal)


def batch_of(lengths, *, seed: int = 0, width: int | None = None, typed: bool = False):
    rng = torch.Generator().manual_seed(seed)
    shape = (len(lengths), width or max(lengths))
    mask = (torch.arange(shape[1]) < torch.tensor(lengths)[:, None]).long()
    batch = {"input_ids": torch.randint(1, VOCAB, shape, generator=rng) * mask, "attention_mask": mask}
    return {**batch, "token_type_ids": torch.randint(0, 2, shape, generator=rng) * mask} if typed else batch


LENGTHS = [3, 12, 5, 1, 8, 2, 12, 4, 6]


def both(learner: HfLearner, batch, params=None):
    assert packed(learner.module.base_model, batch) is not None, "this test packs nothing"
    return [replace(learner, packs=packs).forward(params or {}, batch) for packs in (True, False)]


@pytest.mark.parametrize("kind", sorted(DECODERS))
@pytest.mark.parametrize("sees_all", [False, True])
def test_a_decoder_without_its_head_hides_what_comes_later_as_its_config_says(kind, sees_all):
    """As a folder of a bare GPT2Model, LlamaModel … is loaded."""
    given = learner_of(kind).module.config
    given.is_causal = not sees_all
    learner = HfLearner(random_module(lambda: AutoModel.from_config(given)), decoder=False)
    batch = batch_of(LENGTHS)
    found, expected = both(learner, batch)
    real = batch["attention_mask"].bool()
    assert torch.allclose(found.hidden[real], expected.hidden[real], atol=1e-5)
    last = batch["input_ids"].clone()
    last[1, -1] = 1 + last[1, -1] % (VOCAB - 1)
    other = learner.forward({}, {**batch, "input_ids": last})
    assert torch.allclose(other.hidden[1, 0], found.hidden[1, 0], atol=1e-5) != sees_all


@pytest.mark.parametrize(
    ("kind", "attention"),
    [(kind, how) for kind in FIRST_POSITION for how in ("eager", "sdpa") if (kind, how) != ("mpnet", "sdpa")],
)  # transformers has no fused attention of MPNet
def test_states_and_gradients_are_those_of_the_padded_batch(kind, attention):
    learner = learner_of(kind, attention)
    batch = batch_of(LENGTHS, typed=kind in TYPED)
    body = {name: value.requires_grad_() for name, value in learner.body().items()}
    weight = torch.linspace(-1, 1, 16, dtype=torch.float64)
    found, expected = both(learner, batch, body)
    real, close = batch["attention_mask"].bool(), 1e-5 if kind in ROTARY else 1e-10
    assert torch.allclose(found.hidden[real], expected.hidden[real], atol=close)
    assert not bool(found.hidden[~real].any())
    assert torch.allclose(found.pooled, expected.pooled, atol=close)
    assert torch.equal(found.mask, expected.mask)
    grads = [
        torch.autograd.grad((o.pooled @ weight).sum(), list(body.values()), allow_unused=True)
        for o in (found, expected)
    ]
    moved = 0
    for name, mine, other in zip(body, *grads, strict=True):
        assert (mine is None) == (other is None), name
        if mine is not None and other is not None:
            assert torch.allclose(mine, other, atol=10 * close), name
            moved += bool(other.abs().max() > 1e-6)
    assert moved > 10


def test_the_scores_of_a_decoder_and_their_second_derivatives(gpt2):
    batch = batch_of(LENGTHS)
    labels = torch.where(batch["attention_mask"].bool(), batch["input_ids"], -100)
    name = "body.transformer.h.0.mlp.c_fc.weight"
    weight = gpt2.body()[name]
    rng = torch.Generator().manual_seed(1)
    ahead = torch.randn(weight.shape, generator=rng, dtype=torch.float64)
    products = []
    for packs in (True, False):
        at = weight.clone().requires_grad_()
        learner = replace(gpt2, packs=packs)
        scores = learner.forward({name: at}, {**batch, "labels": labels}, logits=True).logits
        loss = torch.nn.functional.cross_entropy(scores, labels[labels != -100])
        (grad,) = torch.autograd.grad(loss, at, create_graph=True)
        products.append((scores.detach(), grad.detach(), *torch.autograd.grad((grad * ahead).sum(), at)))
    for mine, other in zip(*products, strict=True):
        assert torch.allclose(mine, other, atol=1e-10)
        assert other.abs().max() > 1e-4


def test_a_context_reaches_every_text(bert):
    params = Context(size=3).init(bert.body(), seed=0) | {CODE: torch.ones(3)}
    found, expected = both(bert, batch_of(LENGTHS), params)
    assert torch.allclose(found.pooled, expected.pooled, atol=1e-10)
    assert not torch.allclose(found.pooled, bert.forward({}, batch_of(LENGTHS)).pooled, atol=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_every_token_has_a_place_of_its_own(bert, seed):
    rng = torch.Generator().manual_seed(seed)
    lengths = torch.randint(0, 15, (12,), generator=rng).tolist()
    batch = batch_of([*lengths, 15], width=20)
    rows = packed(bert.module, batch)
    assert rows is not None
    assert len(set(rows.place.tolist())) == len(rows.place) == sum(lengths) + 15
    ids = rows.inputs["input_ids"].flatten()
    assert torch.equal(ids[rows.place], batch["input_ids"][batch["attention_mask"].bool()])
    assert rows.inputs["input_ids"].numel() < batch["input_ids"].numel()
    alike = rows.inputs["attention_mask"][:, 0] == 0
    assert torch.equal(alike, alike.mT)
    assert alike.diagonal(dim1=1, dim2=2).all()


def test_what_stays_padded(bert, xlnet):
    assert packed(xlnet.module, batch_of(LENGTHS)) is None, "an XLNet takes no positions"
    assert packed(bert.module, batch_of([7] * 4)) is None, "nothing to spare"
    assert packed(bert.module, batch_of([12, 12, 11, 12])) is None, "little to spare"
    assert packed(bert.module, batch_of([3])) is None, "one text"
    assert packed(bert.module, batch_of([0, 0], width=3)) is None, "no text"
    left = {name: value.flip(1) for name, value in batch_of(LENGTHS).items()}
    assert packed(bert.module, left) is None, "padded on the left"


def test_rows_beyond_the_longest_text_are_cut(bert):
    batch = batch_of([7] * 4, width=14)
    rows = packed(bert.module, batch)
    assert rows is not None
    assert rows.inputs["input_ids"].numel() == 28
    found, expected = both(bert, batch)
    assert torch.allclose(found.pooled, expected.pooled, atol=1e-12)
