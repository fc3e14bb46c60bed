"""The language-model head of an encoder is the one of its whole model, whatever its form."""

import copy
from dataclasses import replace

import pytest
import torch
from tests.language import KINDS, decoder, encoder, noise, whole_encoder

from metaglot.errors import MetaglotError
from metaglot.models import HfLearner, Lora
from metaglot.models.language import LM, check_decoder, take_head
from metaglot.models.lora import apply_lora


def batch_of(*, labels: bool = False) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(3)
    ids = torch.randint(4, 48, (3, 7), generator=rng)
    mask = torch.ones_like(ids)
    mask[1, 5:], mask[2, 4:] = 0, 0
    batch = {"input_ids": ids * mask, "attention_mask": mask}
    if labels:
        batch["labels"] = torch.where((torch.rand(ids.shape, generator=rng) < 0.4) & (mask > 0), ids, -100)
    return batch


def everything(learner: HfLearner) -> dict[str, torch.Tensor]:
    return {**learner.body(), **learner.language_head()}


@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_those_of_the_whole_model(kind):
    whole = whole_encoder(kind)
    learner = encoder(kind)
    params = noise(everything(learner))
    prefix = whole.base_model_prefix
    named = dict(whole.named_parameters())
    hit = 0
    with torch.no_grad():
        for name, value in params.items():
            own = name.removeprefix(LM) if name.startswith(LM) else f"{prefix}.{name.removeprefix('body.')}"
            named[own].copy_(value)
            hit += 1
    assert hit == len(named), "every parameter of the whole model is one of body or head"
    batch = batch_of()
    expected = whole(**batch).logits
    found = learner.forward(params, batch, logits=True)
    assert found.logits.shape == (*batch["input_ids"].shape, 48)
    assert torch.allclose(found.logits, expected, rtol=1e-10, atol=1e-10)
    unmoved = learner.forward({}, batch, logits=True).logits
    assert (unmoved - expected).abs().max() > 0.01
    assert torch.allclose(unmoved, whole_encoder(kind)(**batch).logits, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("name", ["bert", "albert", "gpt2"])
def test_only_judged_positions_go_through_the_vocabulary(name):
    learner = decoder() if name == "gpt2" else encoder(name)
    batch = batch_of(labels=True)
    chosen = batch["labels"] != -100
    assert 0 < int(chosen.sum()) < chosen.numel()
    whole = learner.forward({}, batch_of(), logits=True).logits
    found = learner.forward({}, batch, logits=True)
    assert found.logits.shape == (int(chosen.sum()), 48)
    assert torch.allclose(found.logits, whole[chosen], atol=1e-12, rtol=0)
    assert learner.forward({}, batch).logits is None
    assert torch.equal(found.hidden, learner.forward({}, batch).hidden)
    by_hand = learner.score({}, found.hidden, batch)
    assert torch.allclose(by_hand, found.logits, atol=1e-12, rtol=0)
    per_text = {**batch, "labels": torch.zeros(3, dtype=torch.int64)}
    assert learner.forward({}, per_text, logits=True).logits.shape == (3, 7, 48)
    none = {**batch, "labels": torch.full_like(batch["labels"], -100)}
    assert learner.forward({}, none, logits=True).logits.shape == (0, 48)


def test_a_tied_weight_is_the_embedding_and_no_parameter_of_the_head():
    learner = encoder("bert")
    names = set(learner.language_head())
    assert names == {f"lm.cls.predictions.{n}" for n in ("bias", *TRANSFORM)}
    assert all(value.shape[0] in (16, 48) and not value.requires_grad for value in learner.language_head().values())
    # The score of a token that no text holds has a gradient for its row: through the output side alone.
    name = "body.embeddings.word_embeddings.weight"
    weight = learner.body()[name].clone().requires_grad_()
    batch = batch_of()
    idle = next(t for t in range(4, 48) if t not in batch["input_ids"])
    scores = learner.forward({name: weight}, batch, logits=True).logits
    (grad,) = torch.autograd.grad(scores[..., idle].sum(), weight)
    assert bool(grad[idle].any())
    untied = encoder("bert", tie_word_embeddings=False)
    assert "lm.cls.predictions.decoder.weight" in untied.language_head()


TRANSFORM = ("transform.dense.weight", "transform.dense.bias", "transform.LayerNorm.weight", "transform.LayerNorm.bias")


def test_a_low_rank_update_of_the_embedding_moves_both_its_sides():
    learner = encoder("bert")
    update = noise(Lora(rank=2, targets=("word_embeddings",)).init(learner.body(), seed=0))
    update = {name.removeprefix("algorithm."): value for name, value in update.items()}
    bare = {n.removeprefix("body."): v for n, v in learner.body().items()}
    merged = {f"body.{n}": v for n, v in apply_lora(bare, update, {}).items()}
    found = learner.forward(update, batch_of(), logits=True).logits
    assert torch.allclose(found, learner.forward(merged, batch_of(), logits=True).logits, atol=1e-12, rtol=0)
    assert (found - learner.forward({}, batch_of(), logits=True).logits).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["bert", "rembert"])
def test_the_head_changes_nothing_of_features_modules_and_generators(kind):
    learner = encoder(kind)
    plain = replace(learner, language=None)
    before = {n: v.clone() for part in (learner.module, learner.language) for n, v in part.state_dict().items()}
    torch.manual_seed(5)
    state = torch.get_rng_state()
    for seed in (None, 4):
        with_logits = learner.forward(noise(everything(learner)), batch_of(), seed=seed, logits=True)
        params = noise(everything(learner))
        assert torch.equal(with_logits.pooled, plain.forward(params, batch_of(), seed=seed).pooled)
        assert torch.equal(with_logits.hidden, learner.forward(params, batch_of(), seed=seed).hidden)
    assert torch.equal(torch.get_rng_state(), state)
    after = {n: v for part in (learner.module, learner.language) for n, v in part.state_dict().items()}
    assert all(torch.equal(before[n], after[n]) for n in before)
    assert not any(m.training for part in (learner.module, learner.language) for m in part.modules())
    assert set(plain.body()) == set(learner.body())
    assert plain.language_head() == {}


def test_bf16_logits_come_in_fp32():
    plain = encoder("bert", dtype=torch.float32)
    a, b = (one.forward({}, batch_of(labels=True), logits=True).logits for one in (plain, replace(plain, bf16=True)))
    assert a.dtype == b.dtype == torch.float32
    assert not torch.equal(a, b)
    assert (a - b).abs().max() < 0.05 * a.abs().max()


def test_layers_recomputed_give_the_same_gradient():
    learner = encoder("bert")
    batch = batch_of(labels=True)

    def gradients(one: HfLearner) -> tuple[torch.Tensor, ...]:
        params = {n: v.clone().requires_grad_() for n, v in noise(everything(one)).items()}
        loss = one.forward(params, batch, seed=3, logits=True).logits.logsumexp(-1).sum()
        return torch.autograd.grad(loss, list(params.values()))

    for a, b in zip(gradients(learner), gradients(replace(learner, checkpointing=True)), strict=True):
        assert torch.allclose(a, b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("tied", [True, False], ids=["tied", "untied"])
def test_a_decoders_head_can_move_apart_from_its_embedding(tied):
    learner = decoder("llama", tie_word_embeddings=tied)
    batch = batch_of(labels=True)
    params = noise(learner.body())
    (start,) = learner.scoring(params).items()
    name = "body.model.embed_tokens.weight" if tied else "body.lm_head.weight"
    assert start[0] == "lm.weight"
    assert start[1] is params[name]
    before = learner.forward(params, batch, logits=True)
    same = learner.forward({**params, "lm.weight": start[1]}, batch, logits=True)
    assert torch.equal(before.logits, same.logits)
    moved = learner.forward({**params, "lm.weight": 2 * start[1]}, batch, logits=True)
    assert torch.equal(moved.hidden, before.hidden)
    assert torch.allclose(moved.logits, 2 * before.logits, rtol=1e-12)
    assert torch.equal(learner.scoring({})["lm.weight"], learner.body()[name])
    assert learner.language_head() == {}


def test_an_encoders_head_is_what_moves_alone():
    learner = encoder("roberta")
    params = noise(everything(learner))
    assert learner.scoring(params) == {n: v for n, v in params.items() if n.startswith("lm.")}
    assert set(learner.scoring({})) == set(learner.language_head())


def test_padding_does_not_change_a_decoders_scores():
    learner = decoder()
    batch = batch_of(labels=True)
    wider = {
        n: torch.cat([v, torch.full((3, 4), fill)], 1) for (n, v), fill in zip(batch.items(), (9, 0, -100), strict=True)
    }
    a, b = (learner.forward({}, one, logits=True).logits for one in (batch, wider))
    assert torch.allclose(a, b, atol=1e-10, rtol=0)


def test_what_cannot_be_is_told():
    bare = replace(encoder("bert"), language=None)
    for call in (
        lambda: bare.forward({}, batch_of(), logits=True),
        lambda: bare.scoring({}),
        lambda: bare.score({}, torch.zeros(1, 1, 16), batch_of()),
    ):
        with pytest.raises(MetaglotError, match=r"no language-model head.*language=True"):
            call()
    with pytest.raises(MetaglotError, match=r"no parameter lm\.nowhere"):
        encoder("bert").forward({"lm.nowhere": torch.ones(1)}, batch_of(), logits=True)
    with pytest.raises(MetaglotError, match=r"LongformerForMaskedLM cannot be run apart.*bert, roberta"):
        take_head(whole_encoder("longformer", attention_window=4))


def test_a_head_that_gives_other_logits_is_refused(monkeypatch):
    whole = whole_encoder("bert")
    head = whole.cls
    monkeypatch.setattr(whole, "cls", _Twice(head))
    _, taken = take_head(copy.deepcopy(whole))  # a head of any form is taken as it is
    zeros = torch.zeros(1, 1, 16).double()
    assert torch.allclose(taken(inputs_embeds=zeros).logits, 2 * head(zeros))
    whole.get_submodule("bert").register_forward_hook(lambda m, i, o: _seen(whole, o))
    with pytest.raises(MetaglotError, match="it gives other logits"):
        take_head(whole)


@pytest.mark.parametrize(("kind", "plain"), [("gpt2", True), ("llama", True), ("gemma2", False), ("cohere", False)])
def test_a_decoder_that_does_more_to_its_logits_is_refused(kind, plain):
    more = {} if kind == "gpt2" else {"num_key_value_heads": 2, "head_dim": 8}
    module = decoder(kind, **more).module
    if plain:
        check_decoder(module)
    else:
        with pytest.raises(MetaglotError, match=r"ForCausalLM cannot be run apart .*it gives other logits"):
            check_decoder(module)
    assert not module.base_model._forward_hooks


class _Twice(torch.nn.Module):
    def __init__(self, head: torch.nn.Module) -> None:
        super().__init__()
        self.head = head

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return 2 * self.head(hidden)


def _seen(whole: torch.nn.Module, output):
    """Let the base model say something to the head beside the hidden states."""
    whole.cls.head.predictions.bias.data += 1
    return output
