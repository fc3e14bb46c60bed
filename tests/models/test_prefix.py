"""A prefix is keys and values before a text's: those of tokens are the tokens, in every attention, cache and layout."""

from dataclasses import replace

import pytest
import torch
from tests.language import decoder, noise
from tests.models.test_checkpointing import ESTIMATORS, gap
from tests.models.test_seq2seq import module_of
from torch import Tensor

from metaglot.algorithms import GradientBased
from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.inner import Sgd, Unrolled
from metaglot.models import HfLearner, Prefix, Zeros
from metaglot.models.prefix import HELD
from metaglot.types import Params, Problem

KINDS = ("gpt2", "llama")
X, Y = torch.tensor([[7, 9, 11, 5, 30, 8]]), torch.tensor([[4, 17, 3], [21, 6, 6]])


def batch_of(ids: Tensor, **more: Tensor) -> dict[str, Tensor]:
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), **more}


def prefix(learner: HfLearner, size: int = 3, seed: int = 1) -> dict[str, Tensor]:
    meta = {n: v.to(learner.module.dtype) for n, v in Prefix(size).init(learner.body(), seed=0).items()}
    rng = torch.Generator().manual_seed(seed)
    return {n: v + torch.randn(v.shape, generator=rng, dtype=v.dtype) for n, v in Prefix(size).start(meta).items()}


@pytest.mark.parametrize("kind", KINDS)
def test_the_prefix_of_tokens_is_these_tokens_before_the_text(kind):
    learner = decoder(kind)
    own = learner.read({}, batch_of(X))
    both = batch_of(torch.cat([X.expand(2, -1), Y], 1))
    if kind == "gpt2":  # positions of their own are in the keys; those of llama turn with the distance alone
        both["position_ids"] = torch.cat([torch.arange(6), torch.arange(3)])[None].expand(2, -1)
    found, truth = learner.forward(own, batch_of(Y)).hidden, learner.forward({}, both).hidden[:, 6:]
    assert torch.allclose(found, truth, atol=1e-5)
    assert not torch.allclose(learner.forward({}, batch_of(Y)).hidden, truth, atol=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_padded_packed_and_lone_texts_have_the_same_states(kind):
    learner = decoder(kind)
    own, rows = prefix(learner), [[4, 17, 3, 8, 9, 1], [21], [6, 6]]
    ids, mask = torch.zeros(3, 6, dtype=torch.int64), torch.zeros(3, 6, dtype=torch.int64)
    for i, row in enumerate(rows):
        ids[i, : len(row)], mask[i, : len(row)] = torch.tensor(row), 1
    batch = {"input_ids": ids, "attention_mask": mask}
    packed, padded = (replace(learner, packs=packs).forward(own, batch).hidden for packs in (True, False))
    for i, row in enumerate(rows):
        alone = learner.forward(own, batch_of(torch.tensor([row]))).hidden[0]
        assert torch.allclose(packed[i, : len(row)], alone, atol=1e-6)
        assert torch.allclose(padded[i, : len(row)], alone, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("beams", [1, 2])
def test_what_is_written_is_the_likeliest_by_whole_passes(kind, beams):
    learner = decoder(kind)
    learner = replace(learner, module=learner.module.float())
    own = {n: 3 * v.float() for n, v in prefix(learner).items()}
    shared = torch.arange(3, 23)[None].expand(2, -1)  # read once for both
    prompts = batch_of(torch.cat([shared, Y[:2]], 1))
    found = learner.generate(own, prompts, Decoding(5, beams=beams)).tokens
    if beams == 1:
        for prompt, tokens in zip(prompts["input_ids"], found, strict=True):
            whole = batch_of(torch.cat([prompt, torch.tensor(tokens)])[None])
            logits = learner.forward(own, whole, logits=True).logits.view(whole["input_ids"].shape[1], -1)
            assert logits[len(prompt) - 1 : -1].argmax(-1).tolist() == list(tokens)
    alone = [learner.generate(own, batch_of(p[None]), Decoding(5, beams=beams)).tokens[0] for p in prompts["input_ids"]]
    assert list(found) == alone
    assert found != learner.generate({}, prompts, Decoding(5, beams=beams)).tokens


@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_an_encoder_and_its_decoder_have_prefixes_of_their_own(kind):
    learner = HfLearner(module_of(kind), seq2seq=True)
    batch = batch_of(Y, labels=torch.tensor([[5, 2, -100], [9, 8, 7]]))
    plain = learner.forward({}, batch, logits=True).logits
    own = learner.read({}, batch_of(X, labels=X[:, :4]))
    parts = [{n: v for n, v in own.items() if part in n} for part in ("encoder.", "decoder.")]
    assert len(own) == sum(map(len, parts)) == 12
    for one in (*parts, own):
        moved = learner.forward(one, batch, logits=True).logits
        assert not torch.allclose(moved, plain, atol=1e-4)
    assert torch.equal(learner.forward({}, batch, logits=True).logits, plain)
    assert learner.generate(own, batch, Decoding(3)).tokens


def test_gradients_follow_finite_differences_and_the_start_is_learnt(problem, episode):
    algorithm = GradientBased(Prefix(2), Zeros(), Sgd(lr=0.1), 2, Unrolled(), dropout=False)
    rng = torch.Generator().manual_seed(2)
    meta = {
        n: v.double() + (0.3 * torch.randn(v.shape, generator=rng, dtype=torch.float64) if "prefix" in n else 0)
        for n, v in algorithm.init(problem.learner, [problem.task], seed=0).items()
    }
    along = {n: torch.randn(v.shape, generator=rng, dtype=v.dtype) for n, v in meta.items() if ".prefix." in n}
    grads = algorithm.meta_grad([problem], meta, [episode], step=0, seed=1).grads

    def loss(h: float) -> float:
        moved = {**meta, **{n: meta[n] + h * v for n, v in along.items()}}
        return float(algorithm.meta_grad([problem], moved, [episode], step=0, seed=1).records[0]["loss"])

    slope = (loss(1e-4) - loss(-1e-4)) / 2e-4
    assert slope == pytest.approx(float(sum((grads[n] * v).sum() for n, v in along.items())), rel=1e-5)
    assert abs(slope) > 1e-4
    fast = algorithm.adapt(problem, meta, episode.support, seed=0).params
    assert {n.partition(".")[0] for n in fast} == {"prefix", "head"}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_layers_that_are_recomputed_have_their_prefix_again(problem, episode, name):
    algorithm = GradientBased(Prefix(2), Zeros(), Sgd(lr=0.1), 2, ESTIMATORS[name], dropout=False)
    meta: Params = {n: v.double() + 0.2 for n, v in algorithm.init(problem.learner, [problem.task], seed=0).items()}
    lean = Problem(replace(problem.learner, checkpointing=True), problem.objective, problem.task)
    truth, found = (algorithm.meta_grad([p], meta, [episode], step=0, seed=1).grads for p in (problem, lean))
    assert gap(found, truth) < 1e-12


def test_the_network_is_left_as_it_was_and_what_does_not_fit_is_refused(xlnet_lm, bert):
    learner = decoder("llama")
    own, attention = prefix(learner), learner.module.config._attn_implementation
    odd = {n: v[:, :-1] for n, v in own.items()}
    for wrong, message in ((odd, "does not fit"), ({"prefix.x.k": X, "prefix.x.v": X}, "no attention x")):
        with pytest.raises(MetaglotError, match=message):
            learner.forward(wrong, batch_of(Y))
    learner.forward(own, batch_of(Y))
    assert learner.module.config._attn_implementation == attention
    assert not any(HELD in part.__dict__ for part in learner.module.modules())
    with pytest.raises(MetaglotError, match="a layer called"):
        Prefix(2).init(xlnet_lm.body(), seed=0)
    with pytest.raises(MetaglotError, match="the attention of a XLNetLMHeadModel takes no prefix"):
        xlnet_lm.read({}, batch_of(X))  # an adaptation would move nothing
    with pytest.raises(MetaglotError, match="size ≥ 1"):
        Prefix(0).init(learner.body(), seed=0)
    steady = replace(bert, steady=True)
    moved = noise(Prefix(2).start(Prefix(2).init(bert.body(), seed=0)))
    assert torch.allclose(steady.forward(moved, batch_of(Y)).pooled, bert.forward(moved, batch_of(Y)).pooled)
