"""Sequences of tags against a sum over all of them."""

import itertools
import math

import pytest
import torch
from torch import Tensor

from metaglot.families.tag_chain import (
    Chain,
    Likely,
    chain_of,
    disjoint,
    likeliest,
    likely_spans,
    log_likelihood,
    possible,
)
from metaglot.seeds import torch_generator


def spans_of(tags: tuple[int, ...]) -> set[tuple[int, int, int]]:
    """Return (start, end, type) of tags that can be."""
    starts = [i for i, tag in enumerate(tags) if tag % 2]
    ends = [next((j for j in range(i + 1, len(tags)) if tags[j] != tags[i] + 1), len(tags)) for i in starts]
    return {(i, j, (tags[i] - 1) // 2) for i, j in zip(starts, ends, strict=True)}


def can_be(tags: tuple[int, ...]) -> bool:
    return all(tag == 0 or tag % 2 or before in (tag - 1, tag) for before, tag in zip((0, *tags), tags, strict=False))


def weights(scores: Tensor, chain: Chain) -> dict[tuple[int, ...], float]:  # [W, K]
    """Return the weight of every sequence that can be, one by one."""
    words, tags = scores.shape
    found = {}
    for one in filter(can_be, itertools.product(range(tags), repeat=words)):
        steps = sum(float(chain.step[a, b]) for a, b in itertools.pairwise(one))
        found[one] = math.exp(
            float(chain.start[one[0]]) + steps + sum(float(scores[i, tag]) for i, tag in enumerate(one))
        )
    return found


def case(seed: int, types: int, words: int) -> tuple[Tensor, Chain]:
    rng = torch_generator(seed, "chain")
    scores = 2 * torch.randn(words, 1 + 2 * types, generator=rng, dtype=torch.float64)
    return scores, chain_of(torch.randn(4, 3, generator=rng, dtype=torch.float64), types)


CASES = [(seed, types, words) for seed in range(4) for types, words in ((1, 1), (1, 5), (2, 4), (3, 3))]


@pytest.mark.parametrize(("seed", "types", "words"), CASES)
def test_all_agrees_with_the_sum_over_all_sequences(seed: int, types: int, words: int) -> None:
    scores, chain = case(seed, types, words)
    every = weights(scores, chain)
    total = sum(every.values())
    padded = torch.cat([scores, scores.new_full((2, scores.shape[1]), 7.0)])[None]  # padding has no say
    mask = torch.arange(words + 2)[None] < words
    best = max(every, key=lambda one: every[one])
    assert tuple(likeliest(padded, mask, chain)[0].tolist()) == (*best, 0, 0)
    tags = torch.tensor([[*best, 0, 0]])
    assert float(log_likelihood(padded, tags, mask, chain)) == pytest.approx(math.log(every[best] / total))
    truth: dict[tuple[int, int, int], float] = {}
    for one, weight in every.items():
        for span in spans_of(one):
            truth[span] = truth.get(span, 0.0) + weight / total
    for least in (1e-12, 0.05):
        found = {(s.start, s.end, s.type): s.probability for s in likely_spans(padded, mask, chain, least)[0]}
        assert found == pytest.approx({span: p for span, p in truth.items() if p >= least})
    assert len(truth) == types * words * (words + 1) // 2


def test_rows_of_a_batch_are_as_they_are_alone() -> None:
    (long, chain), (short, _) = case(0, 2, 6), case(1, 2, 3)
    scores = torch.stack([long, torch.cat([short, torch.zeros(3, 5, dtype=torch.float64)])])
    mask = torch.tensor([[True] * 6, [True] * 3 + [False] * 3])
    both = likely_spans(scores, mask, chain, 0.01)
    for row, alone in zip(both, (long, short), strict=True):
        other = likely_spans(alone[None], torch.ones(1, len(alone), dtype=torch.bool), chain, 0.01)[0]
        assert [span[:3] for span in row] == [span[:3] for span in other]
        assert [span.probability for span in row] == pytest.approx([span.probability for span in other])


@pytest.mark.parametrize("seed", range(20))
def test_a_sequence_that_cannot_be_is_never_the_likeliest(seed: int) -> None:
    scores, _ = case(seed, 3, 12)
    tags = likeliest(scores[None], torch.ones(1, 12, dtype=torch.bool), possible(3, scores))[0]
    assert can_be(tuple(tags.tolist()))


def test_with_one_word_the_probability_is_a_softmax() -> None:
    scores = torch.tensor([[[0.0, math.log(3), 50.0]]], dtype=torch.float64)  # a word behind none cannot be
    spans = likely_spans(scores, torch.ones(1, 1, dtype=torch.bool), possible(1, scores), 0.01)[0]
    assert spans == [Likely(0, 1, 0, pytest.approx(0.75))]  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("seed", range(10))
def test_disjoint_spans_are_the_best_of_all_subsets(seed: int) -> None:
    rng = torch_generator(seed, "disjoint")
    spans = []
    for _ in range(8):
        start, length = (int(x) for x in torch.randint(0, 5, (2,), generator=rng))
        spans.append(Likely(start, start + length + 1, 0, float(torch.rand((), generator=rng))))
    least = 0.2

    def gain(subset: tuple[Likely, ...]) -> float:
        words = [i for span in subset for i in range(span.start, span.end)]
        return sum(s.probability - least for s in subset) if len(words) == len(set(words)) else -math.inf

    best = max((gain(s) for n in range(5) for s in itertools.combinations(spans, n)), default=0.0)
    assert gain(tuple(disjoint(spans, least))) == pytest.approx(best)


def test_spans_more_likely_than_not_never_overlap() -> None:
    for seed in range(10):
        scores, chain = case(seed, 2, 8)
        spans = likely_spans(3 * scores[None], torch.ones(1, 8, dtype=torch.bool), chain, 0.5 + 1e-9)[0]
        assert spans
        assert disjoint(spans, 0.5) == sorted(spans)


def test_a_step_keeps_as_many_numbers_as_there_are_tags() -> None:
    """With the square of the tags, some hundreds of texts with one long one would take gigabytes."""
    (scores, _), types = case(0, 40, 3), 40
    ways = torch.zeros(4, 3, dtype=torch.float64, requires_grad=True)
    sizes: list[int] = []

    def kept(value: Tensor) -> Tensor:
        sizes.append(value.numel())
        return value

    with torch.autograd.graph.saved_tensors_hooks(kept, lambda value: value):
        tags = torch.tensor([[1, 2, 0]])
        log_likelihood(scores[None], tags, torch.ones(1, 3, dtype=torch.bool), chain_of(ways, types)).sum().backward()
    squares = [size for size in sizes if size >= (1 + 2 * types) ** 2]
    assert len(squares) <= 2  # the chain itself, once, not at each word
    assert bool(ways.grad is not None and ways.grad.isfinite().all())
