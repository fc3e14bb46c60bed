"""An encoder with a decoder: transformers' own loss and tokens, features of the encoder, gradients, saved folders."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from tests.learners import random_module
from tests.models.architectures import BART, FIRST, LAST, PAD, PLAIN, T5, VOCAB, word_tokenizer
from torch import Tensor
from transformers import (
    AutoConfig,
    AutoModelForSeq2SeqLM,
    BertConfig,
    EncoderDecoderConfig,
    EncoderDecoderModel,
    T5EncoderModel,
)

from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.models import HfLearner, Lora, Runtime, load_backbone
from metaglot.models.beginning import padded
from metaglot.models.learner import OUTPUT
from metaglot.models.positions import WRITTEN
from metaglot.models.quiet import quiet
from metaglot.models.seq2seq import UNJUDGED

KINDS = ("t5", "bart", "marian", "encoder-decoder")
GREEDY = Decoding(max_new_tokens=6)
RUNTIME = Runtime(precision="fp32", device="cpu")


def module_of(kind: str, dtype: torch.dtype = torch.float64) -> Any:
    special = {"vocab_size": VOCAB, "pad_token_id": PAD, "bos_token_id": FIRST, "eos_token_id": LAST}
    settings: dict[str, Any] = {"t5": T5, "bart": BART, "marian": BART}.get(kind, {})
    if kind == "encoder-decoder":
        halves = [BertConfig(**PLAIN, **special, initializer_range=0.3) for _ in range(2)]
        config: Any = EncoderDecoderConfig.from_encoder_decoder_configs(*halves)
        config.decoder_start_token_id, config.pad_token_id, config.eos_token_id = FIRST, PAD, LAST
        return random_module(lambda: EncoderDecoderModel(config), dtype=dtype)
    special |= {"decoder_start_token_id": FIRST, "forced_eos_token_id": None if kind == "t5" else LAST}
    config = AutoConfig.for_model(kind, **settings, **special, init_std=0.3)
    return random_module(lambda: AutoModelForSeq2SeqLM.from_config(config), dtype=dtype)


@pytest.fixture(scope="module", params=KINDS)
def learner(request) -> HfLearner:
    return HfLearner(module_of(request.param), seq2seq=True)


def batch_of(*, labels: bool = True) -> dict[str, Tensor]:
    rng = torch.Generator().manual_seed(5)
    ids, targets = (torch.randint(5, VOCAB, (3, width), generator=rng) for width in (7, 5))
    mask = torch.ones_like(ids)
    for i, (source, target) in enumerate(((7, 3), (4, 5), (1, 2))):
        mask[i, source:], ids[i, source:] = 0, PAD
        targets[i, target - 1], targets[i, target:] = LAST, UNJUDGED
    found = {"input_ids": ids, "attention_mask": mask}
    return {**found, "labels": targets} if labels else found


def test_the_loss_is_that_of_transformers(learner):
    batch = batch_of()
    found = learner.forward({}, batch, logits=True).logits
    labels = batch["labels"]
    assert found.shape == (int((labels != UNJUDGED).sum()), VOCAB)
    loss = torch.nn.functional.cross_entropy(found, labels[labels != UNJUDGED])
    assert loss == pytest.approx(float(learner.module(**batch).loss), abs=1e-6)


def test_features_are_those_of_the_encoder_and_padding_changes_none(learner):
    batch = batch_of(labels=False)
    out = learner.forward({}, batch)
    assert out.logits is None
    for i, size in enumerate(batch["attention_mask"].sum(1).tolist()):
        alone = {name: value[i : i + 1, :size] for name, value in batch.items()}
        states = learner.module.get_encoder()(**alone).last_hidden_state
        assert torch.allclose(out.hidden[i, :size], states[0], atol=1e-5)
        mean = torch.nn.functional.normalize(states[0].mean(0), dim=-1)
        assert torch.allclose(out.pooled[i], mean, atol=1e-5)


def test_gradients_of_low_rank_updates_reach_both_halves(learner):
    start = Lora(rank=2).init(learner.body(), seed=0)
    params = {n: (v + 0.1).requires_grad_() for n, v in start.items()}
    batch = batch_of()
    labels = batch["labels"]

    def loss() -> Tensor:
        logits = learner.forward(params, batch, logits=True).logits
        return torch.nn.functional.cross_entropy(logits, labels[labels != UNJUDGED])

    grads = dict(zip(params, torch.autograd.grad(loss(), [*params.values()]), strict=True))
    for half in ("encoder.", "decoder."):
        assert any(half in name and bool(grad.abs().max() > 0) for name, grad in grads.items()), half
    name = max(grads, key=lambda one: float(grads[one].abs().max()))
    place = int(grads[name].abs().argmax())
    slopes = []
    with torch.no_grad():
        for step in (1e-4, -1e-4):
            params[name].view(-1)[place] += step
            slopes.append(float(loss()))
            params[name].view(-1)[place] -= step
    assert (slopes[0] - slopes[1]) / 2e-4 == pytest.approx(float(grads[name].view(-1)[place]), rel=1e-3, abs=1e-6)


def test_an_output_embedding_that_moved_apart_scores_alone(learner):
    batch = batch_of()
    (weight,) = learner.scoring({}).values()
    plain = learner.forward({}, batch, logits=True)
    moved = {OUTPUT: 2 * weight}
    found = learner.forward(moved, batch, logits=True)
    assert torch.equal(found.hidden, plain.hidden)
    assert not torch.allclose(found.logits, plain.logits)
    assert torch.allclose(learner.score(moved, plain.hidden, batch), found.logits, atol=1e-9)


@pytest.mark.parametrize("beams", [1, 3])
def test_it_writes_what_transformers_writes(learner, beams):
    single = replace(learner, module=copy.deepcopy(learner.module).float())
    batch, decoding = batch_of(labels=False), replace(GREEDY, beams=beams)
    found = single.generate({}, batch, decoding)
    module: Any = single.module
    for i, row in enumerate(found.tokens):
        alone = padded({name: value[i : i + 1] for name, value in batch.items()}, left=False)
        tokens = module.generate(**alone, max_new_tokens=6, num_beams=beams, do_sample=False)[0, 1:].tolist()
        assert list(row) == tokens
    assert len(set(found.tokens)) > 1


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_folder_is_loaded_with_its_decoder(kind, tmp_path: Path):
    module = module_of(kind, torch.float32)
    with quiet():
        module.save_pretrained(tmp_path)
        word_tokenizer().save_pretrained(tmp_path)
    backbone = load_backbone(str(tmp_path), RUNTIME._replace(language=True))
    learner, batch = backbone.learner, batch_of()
    assert (learner.seq2seq, learner.decoder) == (True, False)
    with quiet():  # read anew, since Marian writes no positions: they are sines
        again = AutoModelForSeq2SeqLM.from_pretrained(tmp_path, dtype=torch.float32)
    mine = HfLearner(again, seq2seq=True).forward({}, batch, logits=True).logits
    assert torch.allclose(learner.forward({}, batch, logits=True).logits, mine, atol=1e-5)
    half = load_backbone(str(tmp_path), RUNTIME).learner
    assert half.seq2seq == (kind in ("marian", "encoder-decoder"))
    if kind == "t5":
        assert isinstance(half.module, T5EncoderModel)


def test_without_a_limit_of_positions_so_many_tokens_are_written_and_no_more():
    learner, batch = HfLearner(module_of("t5"), seq2seq=True), batch_of(labels=False)
    with pytest.raises(MetaglotError, match=r"4,097 tokens are to be written; .* 4,096 at most"):
        learner.generate({}, batch, Decoding(max_new_tokens=WRITTEN + 1))
    assert learner.generate({}, batch, Decoding(max_new_tokens=WRITTEN, ends=tuple(range(VOCAB)))).tokens


def test_what_is_missing_is_said(tmp_path: Path):
    learner = HfLearner(module_of("t5"), seq2seq=True)
    with pytest.raises(MetaglotError, match="labels"):
        learner.forward({}, batch_of(labels=False), logits=True)
    module = module_of("t5", torch.float32)
    module.config.decoder_start_token_id = module.generation_config.decoder_start_token_id = None
    with quiet():
        module.save_pretrained(tmp_path)
        word_tokenizer().save_pretrained(tmp_path)
    with pytest.raises(MetaglotError, match="decoder_start_token_id"):
        load_backbone(str(tmp_path), RUNTIME._replace(language=True))
