"""The head of tags: what it learns, what it is calibrated on, and how words become sentences."""

import math

import pytest
import torch

from metaglot.families.heads.tags import (
    CONFIDENCE,
    FOLDS,
    TagUnits,
    by_length,
    folds,
    followed,
    held_out,
    layer,
    link_of,
    sentences,
    tag_head,
)
from metaglot.families.tag_chain import chain_of, likeliest, log_likelihood
from metaglot.seeds import torch_generator

CENTRES = torch.eye(5, 16)


def units(seed: int, count: int, noise: float = 0.05, words: int = 9) -> TagUnits:
    """Return sentences whose words look like their tags; each has a span of one of two types."""
    rng = torch_generator(seed, "tags")
    tags = torch.zeros(count, words, dtype=torch.long)
    for row in range(count):
        start, length = int(torch.randint(0, 5, (), generator=rng)), 2 + int(torch.randint(0, 2, (), generator=rng))
        kind = row % 2
        tags[row, start], tags[row, start + 1 : start + length] = 1 + 2 * kind, 2 + 2 * kind
    flat = tags.flatten()
    features = CENTRES[flat] + noise * torch.randn(len(flat), 16, generator=rng)
    return TagUnits(features, flat, torch.arange(count).repeat_interleave(words))


def test_the_layer_is_the_minimum_of_its_loss() -> None:
    some = units(0, 6, noise=0.5)
    weight, bias = layer(some, 2)
    means = torch.stack([some.features[some.tags == k].double().mean(0) for k in range(5)])
    ridge = (weight - 0.5 * torch.nn.functional.normalize(means, dim=-1)).requires_grad_()
    level = bias.clone().requires_grad_()
    counts = torch.bincount(some.tags).double()
    share = len(some.tags) / 5 / counts[some.tags]
    gap = some.features.double() @ ridge.T + level - torch.eye(5, dtype=torch.float64)[some.tags]
    loss = (share * gap.square().sum(1)).sum() + 0.1 * ridge.square().sum()
    gradients = torch.autograd.grad(loss, [ridge, level])
    assert max(float(gradient.abs().max()) for gradient in gradients) < 1e-9


def test_ways_are_counted_within_sentences() -> None:
    some = TagUnits(torch.zeros(6, 1), torch.tensor([1, 2, 0, 0, 3, 0]), torch.tensor([0, 0, 0, 1, 1, 1]))
    ways = followed(some).exp()
    assert ways[3].tolist() == pytest.approx([0.5, 0.5, 0.0], abs=1e-9)  # one begins with O, one with a span
    assert ways[0].tolist() == pytest.approx([1 / 3, 2 / 3, 0.0], abs=1e-9)  # O to a first word
    assert ways[1].tolist() == pytest.approx([2 / 5, 1 / 5, 2 / 5])  # a first word to one behind it, and to O


def test_it_tags_new_sentences_and_is_surer_where_words_are_clearer() -> None:
    clear, blurred = tag_head(units(0, 12), 2), tag_head(units(0, 12, noise=0.8), 2)
    fresh = sentences(units(1, 10))
    scores = fresh.values.double() @ clear.weight.T + clear.bias
    assert torch.equal(likeliest(scores, fresh.mask, chain_of(clear.ways, 2)), fresh.tags)
    assert float(clear.weight.norm()) > 1.5 * float(blurred.weight.norm())


def test_what_it_is_calibrated_by_is_the_least_there_is() -> None:
    held, ways = held_out(units(0, 10, noise=0.7), 2), followed(units(0, 10))
    link, rows = link_of(held, 2, ways), sentences(held)

    def cost(slope: float, first: float, behind: float) -> float:
        own = torch.tensor([0.0, first, behind, first, behind], dtype=torch.float64)
        fit = log_likelihood(slope * rows.values + own, rows.tags, rows.mask, chain_of(link.ways, 2)).sum()
        return 2.0 * math.log(slope / CONFIDENCE) ** 2 + 0.2 * (first**2 + behind**2) - float(fit)

    slope, (first, behind) = float(link.slope), link.offset.tolist()
    least = cost(slope, first, behind)
    assert least < cost(CONFIDENCE, 0.0, 0.0)
    for moved in ((1.1 * slope, first, behind), (0.9 * slope, first, behind), (slope, first + 0.2, behind)):
        assert cost(*moved) > least


def test_no_fold_splits_a_sentence_and_order_is_nothing() -> None:
    some = units(0, 12)
    fold = folds(some)
    assert set(fold.tolist()) == set(range(FOLDS))
    assert all(len(set(fold[some.owner == owner].tolist())) == 1 for owner in range(12))
    back = TagUnits(some.features.reshape(12, 9, 16).flip(0).reshape(-1, 16), some.tags, some.owner)
    assert torch.equal(folds(back).reshape(12, 9).flip(0), fold.reshape(12, 9))
    twice = TagUnits(*(torch.cat([part, part]) for part in some))._replace(owner=torch.arange(24).repeat_interleave(9))
    assert torch.equal(folds(twice)[:108], folds(twice)[108:])


def test_one_sentence_gives_the_usual_confidence() -> None:
    link = link_of(held_out(units(0, 1), 2), 2, followed(units(0, 1)))
    assert float(link.slope) == CONFIDENCE
    assert link.offset.tolist() == [0.0, 0.0]
    assert torch.isfinite(tag_head(units(0, 1), 2).weight).all()


def test_a_type_that_one_sentence_alone_has_is_not_judged_and_is_learnt() -> None:
    some = units(0, 9)
    lonely = TagUnits(
        some.features, torch.where((some.owner == 8) & (some.tags > 0), some.tags + 4, some.tags), some.owner
    )
    assert 8 not in held_out(lonely, 4).owner.tolist()
    assert len(held_out(lonely, 4).owner.unique()) == 8
    assert torch.isfinite(tag_head(lonely, 4).weight).all()


def test_one_long_sentence_does_not_lengthen_all_others() -> None:
    short, long = units(0, 20), units(1, 1, words=300)
    words = TagUnits(*(torch.cat(parts) for parts in zip(short, long._replace(owner=long.owner + 20), strict=True)))
    groups = by_length(words)
    assert [tuple(group.mask.shape) for group in groups] == [(20, 9), (1, 300)]
    assert sum(int(group.mask.sum()) for group in groups) == len(words.tags)
    (whole,) = by_length(short)
    assert all(torch.equal(a, b) for a, b in zip(whole, sentences(short), strict=True))
