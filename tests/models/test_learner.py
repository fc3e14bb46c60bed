"""A backbone as a function of its parameters: pooling, substitution, dropout, generation."""

import copy
from dataclasses import replace

import pytest
import torch

from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate, take
from metaglot.models import HfLearner

NAMES = ("bert", "gpt2", "xlnet")


@pytest.fixture(params=NAMES)
def learner(request) -> HfLearner:
    return request.getfixturevalue(request.param)


def noise(learner: HfLearner, scale: float = 0.1) -> dict[str, torch.Tensor]:
    rng = torch.Generator().manual_seed(7)
    return {
        n: v + scale * torch.randn(v.shape, generator=rng, dtype=torch.float64).to(v) for n, v in learner.body().items()
    }


def copied(learner: HfLearner, params: dict[str, torch.Tensor]) -> HfLearner:
    module = copy.deepcopy(learner.module)
    with torch.no_grad():
        for name, value in module.named_parameters():
            value.copy_(params[f"body.{name}"])
    return replace(learner, module=module)


def widened(batch, extra: int, token: int):
    """The batch with `extra` more padded positions that hold any token."""
    rows, length = batch["input_ids"].shape
    more = {"input_ids": torch.full((rows, length + extra), token), "attention_mask": torch.zeros(rows, length + extra)}
    for name in more:
        more[name][:, :length] = batch[name]
    return {name: value.to(batch[name].dtype) for name, value in more.items()}


def test_mean_pooling_is_the_mean_over_real_tokens_of_length_one(learner, support):
    assert not bool(support["attention_mask"].all()), "the batch must hold padding"
    out = learner.forward({}, support)
    rows = []
    for hidden, mask in zip(out.hidden, support["attention_mask"], strict=True):
        mean = hidden[: int(mask.sum())].mean(0)
        rows.append(mean / mean.norm())
    assert torch.allclose(out.pooled, torch.stack(rows), atol=1e-12, rtol=0)
    assert out.pooled.dtype == torch.float64
    assert out.pooled.shape == (support["input_ids"].shape[0], learner.hidden_size)
    assert torch.equal(out.mask, support["attention_mask"])
    assert out.logits is None
    plain = replace(learner, normalise=False).forward({}, support).pooled
    assert torch.allclose(plain / plain.norm(dim=1, keepdim=True), out.pooled, atol=1e-12, rtol=0)
    assert not torch.allclose(plain.norm(dim=1), torch.ones(()).double())


def test_other_poolings_take_the_first_and_the_last_token(bert, support):
    hidden = bert.forward({}, support).hidden
    lengths = support["attention_mask"].sum(1)
    plain = replace(bert, normalise=False)
    assert torch.equal(replace(plain, pooling="cls").forward({}, support).pooled, hidden[:, 0])
    last = torch.stack([row[n - 1] for row, n in zip(hidden, lengths, strict=True)])
    assert torch.equal(replace(plain, pooling="last").forward({}, support).pooled, last)
    assert len(set(lengths.tolist())) > 1


@pytest.mark.parametrize("pooling", ["mean", "cls", "last"])
def test_padding_does_not_change_features(learner, support, pooling):
    pooled = replace(learner, pooling=pooling)
    expected = pooled.forward({}, support).pooled
    for extra, token in ((1, 0), (5, 3)):
        found = pooled.forward({}, widened(support, extra, token)).pooled
        assert (found - expected).abs().max() < 1e-10
    alone = take(support, torch.tensor([int(support["attention_mask"].sum(1).argmin())]))
    length = int(alone["attention_mask"].sum())
    short = {name: alone[name][:, :length] for name in ("input_ids", "attention_mask")}
    assert (pooled.forward({}, short).pooled - pooled.forward({}, alone).pooled).abs().max() < 1e-10
    assert length < alone["input_ids"].shape[1]


def test_substituted_parameters_equal_a_module_with_those_weights(learner, support):
    params = noise(learner)
    expected = copied(learner, params).forward({}, support)
    found = learner.forward(params, support)
    assert torch.equal(found.hidden, expected.hidden)
    assert torch.equal(found.pooled, expected.pooled)
    assert not torch.allclose(found.pooled, learner.forward({}, support).pooled)


def test_absent_names_come_from_the_module(learner, support):
    params = noise(learner)
    some = {n: v for n, v in params.items() if ".layer.1." in n or ".h.1." in n}
    assert 0 < len(some) < len(params)
    expected = copied(learner, {**learner.body(), **some}).forward({}, support).pooled
    assert torch.equal(learner.forward(some, support).pooled, expected)
    head = {"head.weight": torch.ones(2, 16), "algorithm.x": torch.ones(1), "heads.a.weight": torch.ones(1)}
    assert torch.equal(learner.forward({**some, **head}, support).pooled, expected)


def test_a_name_the_module_lacks_is_an_error(bert, support):
    with pytest.raises(MetaglotError, match=r"body\.encoder\.layer\.9\.x"):
        bert.forward({"body.encoder.layer.9.x": torch.ones(1)}, support)
    with pytest.raises(MetaglotError, match=r"nowhere"):
        bert.forward({"lora.nowhere.weight.a": torch.ones(1, 1), "lora.nowhere.weight.b": torch.ones(1, 1)}, support)


def test_body_shares_memory_and_has_no_graph(learner):
    body = learner.body()
    own = dict(learner.module.named_parameters())
    assert set(body) == {f"body.{name}" for name in own}
    assert all(body[f"body.{name}"].data_ptr() == value.data_ptr() for name, value in own.items())
    assert not any(value.requires_grad for value in body.values())


def test_forward_leaves_module_mode_and_generators_as_they_were(learner, support):
    before = {name: value.clone() for name, value in learner.module.state_dict().items()}
    for training in (False, True):
        learner.module.train(training)
        torch.manual_seed(3)
        state = torch.get_rng_state()
        for seed in (None, 5):
            learner.forward(noise(learner), support, seed=seed)
        assert torch.equal(torch.get_rng_state(), state)
        assert all(module.training is training for module in learner.module.modules())
    learner.module.eval()
    with pytest.raises(IndexError):
        learner.forward(noise(learner), {**support, "input_ids": support["input_ids"] + 1000}, seed=1)
    assert not learner.module.training
    after = learner.module.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_part_in_another_mode_counts_as_the_others_and_keeps_its_own(learner, support):
    learner = replace(learner, module=copy.deepcopy(learner.module))
    expected = [learner.forward({}, support, seed=seed).pooled for seed in (None, 5)]
    dropout = next(part for part in learner.module.modules() if isinstance(part, torch.nn.Dropout))
    dropout.train()
    found = [learner.forward({}, support, seed=seed).pooled for seed in (None, 5)]
    assert all(torch.equal(one, other) for one, other in zip(expected, found, strict=True))
    assert [part for part in learner.module.modules() if part.training] == [dropout]


def test_dropout_is_a_function_of_the_seed(learner, support):
    def pooled(seed):
        return learner.forward({}, support, seed=seed).pooled

    assert torch.equal(pooled(1), pooled(1))
    assert not torch.allclose(pooled(1), pooled(2))
    assert not torch.allclose(pooled(1), pooled(None))
    assert torch.equal(pooled(None), pooled(None))
    torch.manual_seed(0)
    first = pooled(1)
    torch.manual_seed(1)
    assert torch.equal(first, pooled(1))


def test_gradients_reach_the_substituted_parameters_only(bert, support):
    params = {n: v.requires_grad_() for n, v in noise(bert).items() if "layer.1.output.dense" in n}
    loss = bert.forward(params, support).pooled.pow(3).sum()
    grads = torch.autograd.grad(loss, list(params.values()))
    assert len(grads) == 2
    assert all(bool(g.abs().max() > 0) for g in grads)
    assert all(value.grad is None and not value.requires_grad for value in bert.module.parameters())


def test_bf16_is_close_to_fp32(make_bert, support):
    plain = make_bert(dtype=torch.float32)
    fast = replace(plain, bf16=True)
    a, b = plain.forward({}, support), fast.forward({}, support)
    assert b.pooled.dtype == b.hidden.dtype == torch.float32
    assert not torch.equal(a.pooled, b.pooled)
    assert torch.nn.functional.cosine_similarity(a.pooled, b.pooled).min() > 0.999


def test_token_types_are_used(bert, support):
    kinds = {"token_type_ids": support["attention_mask"] * (torch.arange(support["input_ids"].shape[1]) > 2)}
    assert not torch.allclose(bert.forward({}, {**support, **kinds}).pooled, bert.forward({}, support).pooled)


@pytest.mark.parametrize("name", ["gpt2", "xlnet_lm"])
def test_language_model_logits(name, support, request):
    learner = request.getfixturevalue(name)
    params = noise(learner)
    expected = copied(learner, params).module(**{n: support[n] for n in ("input_ids", "attention_mask")}).logits
    found, real = learner.forward(params, support, logits=True).logits, support["attention_mask"].bool()
    assert torch.allclose(found[real], expected[real], atol=1e-12, rtol=0)
    assert found.shape == (*support["input_ids"].shape, learner.module.config.vocab_size)


def test_bf16_logits_come_in_fp32(gpt2, support):
    plain = replace(gpt2, module=copy.deepcopy(gpt2.module).float())
    a, b = (one.forward({}, support, logits=True).logits for one in (plain, replace(plain, bf16=True)))
    assert a.dtype == b.dtype == torch.float32
    assert not torch.equal(a, b)
    assert (a - b).abs().max() < 0.05 * a.abs().max()


def test_an_encoder_refuses_logits_and_generation(bert, support):
    with pytest.raises(MetaglotError, match="decoder"):
        bert.forward({}, support, logits=True)
    with pytest.raises(MetaglotError, match="decoder"):
        bert.generate({}, support, Decoding())


def test_a_joined_batch_has_the_features_of_its_parts(learner, episode):
    both = learner.forward({}, concatenate(episode.support, episode.query)).pooled
    parts = [learner.forward({}, part).pooled for part in (episode.support, episode.query)]
    assert torch.allclose(both, torch.cat(parts), atol=1e-10, rtol=0)
