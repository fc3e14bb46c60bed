"""Leaving out the embedding rows that no token names changes no gradient."""

from dataclasses import replace

import pytest
import torch

from metaglot.algorithms import GradientBased
from metaglot.inner import Adam, Adjoint, Unrolled, reptile
from metaglot.models import All, Lora, Prototypes
from metaglot.models.rows import touched
from metaglot.types import Episode, HeadSpec, Problem

LOOP = GradientBased(All(), Prototypes(), Adam(lr=0.01), 2, Unrolled(), dropout=False)


@pytest.mark.parametrize("name", ["bert", "gpt2", "xlnet"])
@pytest.mark.parametrize("estimator", [Unrolled(), Adjoint(), reptile], ids=lambda e: e.name)
def test_the_meta_gradient_is_that_of_the_whole_embedding(name, estimator, episode, request):
    learner = request.getfixturevalue(name)
    problem = Problem(learner, episode.objective, episode.task)
    algorithm = replace(LOOP, estimator=estimator)
    meta = algorithm.init(learner, [episode.task], seed=0)
    found = algorithm.meta_grad([problem], meta, [episode], step=0, seed=0).grads
    whole, _ = estimator(algorithm.inner, problem, meta, episode, None)
    assert found.keys() == whole.keys()
    for parameter, grad in whole.items():
        assert torch.allclose(found[parameter], grad, rtol=1e-9, atol=1e-12), parameter
    kept = touched(problem, meta, episode)
    assert kept.rows is not None
    (embedding,) = kept.names
    assert len(kept.meta[embedding]) == len(kept.rows) < len(meta[embedding])
    assert bool(found[embedding][kept.rows].any())


def test_every_token_keeps_its_vector(bert, problem, episode):
    meta = {**bert.body()}
    small = touched(problem, meta, episode)
    name = "body.embeddings.word_embeddings.weight"
    for before, after in ((episode.support, small.episode.support), (episode.query, small.episode.query)):
        assert torch.equal(meta[name][before["input_ids"]], small.meta[name][after["input_ids"]])
    assert torch.equal(small.episode.support["labels"], episode.support["labels"])
    padding = bert.embedding.padding
    assert small.rows[padding] == padding


def test_what_cannot_be_left_out_stays(bert, problem, episode):
    meta = {**bert.body()}
    name = "body.embeddings.word_embeddings.weight"
    without = {n: v for n, v in meta.items() if n != name}
    assert touched(problem, without, episode).rows is None
    tangled = {**meta, **Lora(targets=("word_embeddings",)).init(meta, seed=0)}
    assert touched(problem, tangled, episode).meta is tangled

    class OverTokens(Problem):
        @property
        def head_spec(self) -> HeadSpec:
            return HeadSpec(4, 4, "vocabulary")

    assert touched(OverTokens(bert, problem.objective, problem.task), meta, episode).rows is None


def test_rates_of_the_embedding_go_with_it(problem, bert, episode):
    name = "body.embeddings.word_embeddings.weight"
    meta = {**bert.body(), f"algorithm.rule.rate.{name}": torch.rand_like(bert.body()[name])}
    small = touched(problem, meta, episode)
    assert small.names == {name, f"algorithm.rule.rate.{name}"}
    total = {n: torch.zeros_like(v) for n, v in meta.items()}
    small.add(total, {n: torch.ones_like(v) for n, v in small.meta.items()}, share=0.5)
    for whole in small.names:
        assert torch.equal(total[whole].sum(1) / 8, torch.isin(torch.arange(len(total[whole])), small.rows).double())


def test_the_padding_row_keeps_its_number(make_bert, family, episode: Episode):
    from metaglot.models.rows import kept_rows

    assert kept_rows(torch.tensor([3, 5, 9]), 1).tolist() == [3, 1, 5, 9]
    assert kept_rows(torch.tensor([0, 1, 2, 3]), 1).tolist() == [0, 1, 2, 3]
    assert kept_rows(torch.tensor([3]), 2) is None
    assert kept_rows(torch.tensor([3]), None).tolist() == [3]
