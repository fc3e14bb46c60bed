"""Scopes: what the inner loop starts from."""

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.models import All, AllBut, BiasNorm, HeadOnly, Lora, Named
from metaglot.models.scopes import match_names


@pytest.fixture
def meta(bert):
    return {**bert.body(), "algorithm.head.log_scale": torch.zeros(()), "heads.a.weight": torch.zeros(2, 16)}


def test_all_is_the_body_and_nothing_else(bert, meta):
    start = All().start(meta)
    assert list(start) == list(bert.body())
    assert all(start[name] is meta[name] for name in start)
    assert All().init(bert.body(), seed=0) == {}


def test_head_only_is_nothing(bert, meta):
    assert HeadOnly().start(meta) == {}
    assert HeadOnly().init(bert.body(), seed=0) == {}


def test_named_is_what_a_pattern_matches_in_the_order_of_the_body(bert, meta):
    scope = Named(("encoder.layer.1.*", "body.embeddings.LayerNorm.*"))
    assert scope.init(bert.body(), seed=0) == {}
    start = scope.start(meta)
    expected = [n for n in meta if n.startswith(("body.encoder.layer.1.", "body.embeddings.LayerNorm."))]
    assert list(start) == expected
    assert len(expected) == 16 + 2
    assert all(start[name] is meta[name] for name in start)
    assert list(Named(("*",)).start(meta)) == list(bert.body()), "no algorithm.* nor heads.*"


@pytest.mark.parametrize("patterns", [("encoder.layer.7.*",), ("encoder.layer.1.*", "encodr.layer.1.*")])
def test_a_pattern_that_matches_nothing_names_its_neighbours(bert, patterns):
    with pytest.raises(MetaglotError, match=r"matches no parameter of the body; names look like: body\.encoder"):
        Named(patterns).init(bert.body(), seed=0)


def test_no_pattern_at_all_is_an_error(bert):
    with pytest.raises(MetaglotError, match="at least one pattern"):
        Named(()).init(bert.body(), seed=0)


def test_lora_starts_from_what_is_meta_learnt(bert):
    scope = Lora(rank=2)
    own = scope.init(bert.body(), seed=0)
    assert len(own) == 8
    assert all(name.startswith("algorithm.lora.") for name in own)
    start = scope.start({**bert.body(), **own})
    assert {f"algorithm.{name}" for name in start} == set(own)
    assert all(own[f"algorithm.{name}"] is value for name, value in start.items())


def test_match_names_keeps_the_order_and_finds_each_once():
    params = {f"body.{n}": torch.zeros(1) for n in ("c.w", "a.w", "b.w")}
    assert match_names(params, ["a.*", "?.w", "body.c.w"]) == ["body.c.w", "body.a.w", "body.b.w"]


def test_all_but_is_the_rest_of_the_body(bert, meta):
    scope = AllBut(("encoder.layer.0.*", "pooler.*"))
    assert scope.init(bert.body(), seed=0) == {}
    start = scope.start(meta)
    assert list(start) == [n for n in bert.body() if not n.startswith(("body.encoder.layer.0.", "body.pooler."))]
    assert all(start[name] is meta[name] for name in start)
    with pytest.raises(MetaglotError, match="match the whole body: nothing would move"):
        AllBut(("*",)).init(bert.body(), seed=0)
    with pytest.raises(MetaglotError, match="matches no parameter"):
        AllBut(("encoder.layer.7.*",)).init(bert.body(), seed=0)


@pytest.mark.parametrize(("backbone", "extra"), [("bert", 0), ("gpt2", 0), ("xlnet", 6)])
def test_bias_norm_is_all_vectors(backbone, extra, request):
    body = request.getfixturevalue(backbone).body()
    assert BiasNorm().init(body, seed=0) == {}
    start = BiasNorm().start({**body, "algorithm.x": torch.zeros(3)})
    norms = [n for n in body if "norm" in n.lower() or ".ln_" in n]
    biases = [n for n in body if n.endswith("bias")]
    assert set(start) == {*norms, *biases}
    assert sum(value.ndim == 2 for value in start.values()) == extra, "XLNet's biases of each attention head"
    assert len(start) >= 16
    with pytest.raises(MetaglotError, match="no bias and no normalisation layer"):
        BiasNorm().init({"body.w": torch.zeros(2, 2)}, seed=0)
