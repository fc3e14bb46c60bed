"""A context moves every input embedding, in every backbone, and leaves the module as it was."""

import pytest
import torch

from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.models import Context
from metaglot.models.context import CODE, MAP

BACKBONES = ("bert", "gpt2", "xlnet", "xlnet_lm")


@pytest.fixture(params=BACKBONES)
def learner(request):
    return request.getfixturevalue(request.param)


def with_code(learner, *, seed: int = 1):
    own = {n: v.double() for n, v in Context(size=3).init(learner.body(), seed=0).items()}
    rng = torch.Generator().manual_seed(seed)
    return {**own, CODE: torch.randn(3, generator=rng, dtype=torch.float64)}


def test_it_is_another_table_of_embeddings(learner, support):
    params = with_code(learner)
    assert params[MAP].shape == (16, 3)
    name = f"body.{learner.embedding.name}"
    table = {name: learner.body()[name] + params[MAP] @ params[CODE]}
    found, expected = (learner.forward(p, support).hidden for p in (params, table))
    assert torch.allclose(found, expected, atol=1e-12)
    assert not torch.allclose(found, learner.forward({}, support).hidden, atol=1e-3)


def test_zero_is_no_context_and_where_there_is_none_nothing_happens(learner, support):
    meta = {**learner.body(), **Context(size=3).init(learner.body(), seed=0)}
    start = Context(size=3).start(meta)
    assert {name: value.tolist() for name, value in start.items()} == {CODE: [0.0, 0.0, 0.0]}
    plain = learner.forward({}, support).hidden
    assert torch.equal(learner.forward({**meta, **start}, support).hidden, plain)
    assert torch.equal(learner.forward(meta, support).hidden, plain)


def test_the_module_is_left_as_it_was_even_by_an_error(learner, support):
    def hooks() -> int:
        return sum(len(part._forward_hooks) for part in learner.module.modules())

    before = hooks()
    learner.forward(with_code(learner), support)
    assert hooks() == before
    with pytest.raises((RuntimeError, ValueError, IndexError)):
        learner.forward(with_code(learner), {**support, "input_ids": support["input_ids"] + 1000})
    assert hooks() == before


def test_it_reaches_what_a_decoder_writes(gpt2, support):
    rows = {name: value[:2, :3] for name, value in support.items() if name != "labels"}
    rows = {**rows, "attention_mask": torch.ones_like(rows["attention_mask"])}
    params = with_code(gpt2)
    params = {**params, CODE: 20 * params[CODE]}
    decoding = Decoding(max_new_tokens=4)
    assert gpt2.generate(params, rows, decoding).tokens != gpt2.generate({}, rows, decoding).tokens


def test_a_code_without_its_map_is_an_error(bert, support):
    with pytest.raises(MetaglotError, match=r"context.code without algorithm.context.weight"):
        bert.forward({CODE: torch.zeros(3)}, support)


def test_wrong_options_name_the_way_out(bert):
    with pytest.raises(MetaglotError, match="size ≥ 1, got 0"):
        Context(size=0).init(bert.body(), seed=0)
    with pytest.raises(MetaglotError, match=r"no input embedding among the parameters .known names: word_embeddings"):
        Context().init({"body.linear.weight": torch.zeros(3, 3)}, seed=0)
