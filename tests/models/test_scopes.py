"""Scopes: what the inner loop starts from."""

import pytest
import torch

from metaglot.errors import MetaglotError
from metaglot.models import All, HeadOnly, Lora, Named
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
