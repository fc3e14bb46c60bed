"""Permutation language modelling: the chain of conditionals in a drawn order, by two-stream attention."""

import json
import math
from typing import Any

import numpy as np
import pytest
import torch
from tests.learners import VOCAB, XLNET, random_module
from torch import Tensor
from transformers import XLNetLMHeadModel

from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate
from metaglot.families.language import PermutationLm, objective_of
from metaglot.models import Backbone, HfLearner
from metaglot.models.two_streams import ORDER, hidden_from, places_of
from metaglot.seeds import generator
from metaglot.types import Batch

SPECIAL = frozenset({0, 1})


@pytest.fixture(scope="module")
def xlnet_lm() -> HfLearner:
    """In fp64: transformers makes the positions of two-stream attention in fp32, whatever the weights are."""
    module: Any = random_module(lambda: XLNetLMHeadModel(XLNET))
    own = module.transformer.relative_positional_encoding
    module.transformer.relative_positional_encoding = lambda *args, **more: own(*args, **more).double()
    return HfLearner(module, decoder=True)


def batch_of(share: float = 0.5, *, lengths: tuple[int, ...] = (7, 5, 6), seed: int = 0) -> Batch:
    rng = generator(seed, "permuted")
    objective = PermutationLm(0, SPECIAL, share)
    rows = [{"input_ids": [1, *rng.integers(2, VOCAB, length - 1).tolist()]} for length in lengths]
    return objective.collate(objective.prepare(rows, rng))


def logits_of(learner: HfLearner, batch: Batch) -> Tensor:
    found = learner.forward({}, batch, logits=True).logits
    assert found is not None
    return found


def test_a_share_of_the_ordinary_tokens_is_ranked_and_labelled():
    batch = batch_of(lengths=(9, 3))
    judged = batch["labels"] != -100
    assert judged.sum(1).tolist() == [4, 1]
    assert torch.equal(judged, batch[ORDER] > -1)
    assert torch.equal(batch["labels"][judged], batch["input_ids"][judged])
    assert sorted(batch[ORDER][0][judged[0]].tolist()) == [0, 1, 2, 3]
    assert not bool(judged[:, 0].any()), "special tokens are seen and not predicted"
    assert not torch.equal(batch_of(seed=1)[ORDER], batch_of(seed=2)[ORDER])


def test_logits_are_those_of_transformers(xlnet_lm):
    batch = batch_of()
    module: Any = xlnet_lm.module
    own = {name: batch[name] for name in ("input_ids", "attention_mask")}
    masks = {"perm_mask": hidden_from(batch[ORDER]).double(), "target_mapping": places_of(batch[ORDER]).double()}
    theirs = module(**own, **masks).logits  # [B, K, V], a place each in the order of the text
    judged = [theirs[i, : int((row > -1).sum())] for i, row in enumerate(batch[ORDER])]
    assert torch.allclose(logits_of(xlnet_lm, batch), torch.cat(judged), atol=1e-10)


def test_a_place_depends_on_what_comes_before_it_and_on_nothing_else(xlnet_lm):
    batch = batch_of(1.0, lengths=(7,))
    order, ids = batch[ORDER][0], batch["input_ids"]
    judged = torch.arange(7)[order > -1].tolist()
    plain = logits_of(xlnet_lm, batch)
    for changed in range(7):
        other = ids.clone()
        other[0, changed] = (ids[0, changed] + 1) % VOCAB
        moved = (logits_of(xlnet_lm, {**batch, "input_ids": other}) - plain).abs().amax(1) > 1e-9
        expected = [int(order[changed]) < int(order[place]) for place in judged]
        assert moved.tolist() == expected, changed


def test_the_perplexity_is_that_of_the_chain(xlnet_lm):
    """Each conditional is computed by itself, with the tokens before it as context and the others out of the text."""
    objective, batch = PermutationLm(0, SPECIAL, 1.0), batch_of(1.0, lengths=(6,))
    loss = float(objective.loss(logits_of(xlnet_lm, batch), batch))
    order, ids, module = batch[ORDER][0], batch["input_ids"], xlnet_lm.module
    total, ranked = 0.0, [place for place in range(6) if order[place] > -1]
    for place in ranked:
        unseen = torch.zeros(1, 6, 6, dtype=torch.float64)
        for other in ranked:
            unseen[0, :, other] = float(order[other] >= order[place])
        mapping = torch.zeros(1, 1, 6, dtype=torch.float64)
        mapping[0, 0, place] = 1
        # What is before the place is seen in its own order, as a chain of predictions would have seen it.
        unseen = torch.maximum(unseen, hidden_from(order[None]).double())
        logits = module(input_ids=ids, perm_mask=unseen, target_mapping=mapping).logits[0, 0]
        total -= float(torch.log_softmax(logits, -1)[ids[0, place]])
    assert loss == pytest.approx(total / len(ranked), abs=1e-9)
    assert objective.metrics(logits_of(xlnet_lm, batch), batch)["perplexity"] == pytest.approx(math.exp(loss))


def test_its_gradient_is_that_of_finite_differences(xlnet_lm):
    objective, batch = PermutationLm(0, SPECIAL), batch_of(lengths=(7, 5))
    params = {n: v.contiguous().clone().requires_grad_() for n, v in xlnet_lm.body().items()}

    def loss() -> Tensor:
        return objective.loss(xlnet_lm.forward(params, batch, logits=True).logits, batch)

    grads = torch.autograd.grad(loss(), [*params.values()], allow_unused=True)
    used = {n: g for n, g in zip(params, grads, strict=True) if g is not None and bool(g.abs().max() > 1e-6)}
    assert any(name.endswith("mask_emb") for name in used), "the query stream begins there"
    assert len(used) > 20
    for name, grad in used.items():
        place, value = int(grad.abs().argmax()), params[name]
        with torch.no_grad():
            sides = []
            for step in (1e-5, -1e-5):
                value.view(-1)[place] += step
                sides.append(float(loss()))
                value.view(-1)[place] -= step
        assert (sides[0] - sides[1]) / 2e-5 == pytest.approx(float(grad.reshape(-1)[place]), rel=1e-4, abs=1e-7), name


def test_padding_and_other_rows_change_nothing(xlnet_lm):
    first, second = batch_of(lengths=(4,)), batch_of(lengths=(8,), seed=1)
    both = concatenate(first, second)
    apart = torch.cat([logits_of(xlnet_lm, one) for one in (first, second)])
    assert torch.allclose(logits_of(xlnet_lm, both), apart, atol=1e-10)


def test_only_networks_with_two_streams_learn_it(gpt2, xlnet_lm):
    with pytest.raises(MetaglotError, match="XLNet"):
        gpt2.forward({}, batch_of(), logits=True)

    class Tokenizer:
        pad_token_id, mask_token_id, all_special_ids = 0, 3, (0, 1)

    assert objective_of(Backbone(xlnet_lm, Tokenizer(), "x", ()), share=0.2) == PermutationLm(0, SPECIAL, 0.2)
    assert objective_of(Backbone(gpt2, Tokenizer(), "x", ())).name == "causal-lm"


def test_bf16_scores_are_near():
    module: Any = random_module(lambda: XLNetLMHeadModel(XLNET), dtype=torch.float32)
    plain, half = (logits_of(HfLearner(module, decoder=True, bf16=bf16), batch_of()) for bf16 in (False, True))
    assert half.dtype == torch.float32
    assert 0 < (plain - half).abs().max() < 0.1 * plain.abs().max()


WORDS = ("fox", "jumps", "over", "lazy", "dogs", "while", "rivers", "carry", "boats", "past", "old", "towns")
RECIPE = """
name: permuted
model:
  max_length: 16
  precision: fp32
  scratch: {type: xlnet, vocabulary: 300, config: {d_model: 16, n_layer: 1, n_head: 2, d_inner: 32, dropout: 0.0}}
text: {root: ., corpora: [notes.csv], length: 16, min_chars: 10}
tasks: [{kind: plain, batch: 8}]
algorithm: {name: protonet}
training: {steps: 24, meta_batch: 1, lr: 0.02, warmup: 0, save_every: 24}
validation: {every: 24, batches: 2}
"""


@pytest.mark.slow
def test_pretrain_learns_it_from_random_weights(metaglot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path / "cache"))
    lines = [" ".join(WORDS[(i * 7 + j * (1 + i % 5)) % len(WORDS)] for j in range(12)) for i in range(200)]
    rows = "\n".join(f"{line},{i % 20}" for i, line in enumerate(lines))
    (tmp_path / "notes.csv").write_text(f"text,document\n{rows}\n", "utf-8")
    (tmp_path / "mine.yaml").write_text(RECIPE, "utf-8")
    said = metaglot("pretrain", "mine.yaml", "--out", "run")
    assert said.code == 0, said.err
    records = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text("utf-8").splitlines()]
    losses = [record["text_loss"] for record in records if record["kind"] == "validation"]
    assert losses[-1] < 0.8 * losses[0]


def test_rows_of_special_tokens_have_nothing_to_judge():
    objective = PermutationLm(0, SPECIAL)
    (row,) = objective.prepare([{"input_ids": np.array([1, 0])}], generator(0, "none"))
    assert row["labels"].tolist() == [-100, -100]
