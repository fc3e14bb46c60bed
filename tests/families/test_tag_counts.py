"""How often tags and kinds of tags beside each other are expected, against derivatives of the likelihood."""

import pytest
import torch
from torch import Tensor

from metaglot.families.tag_chain import Chain, chain_of, log_likelihood
from metaglot.families.tag_counts import expected_counts, in_logarithms
from metaglot.seeds import torch_generator


def case(seed: int, types: int, spread: float) -> tuple[Tensor, Tensor, Chain]:
    """Return scores of three sentences of 7, 4 and 1 words, and a chain."""
    rng = torch_generator(seed, "counts")
    scores = spread * torch.randn(3, 7, 1 + 2 * types, generator=rng, dtype=torch.float64)
    mask = torch.arange(7)[None] < torch.tensor([7, 4, 1])[:, None]
    return scores, mask, chain_of(torch.randn(4, 3, generator=rng, dtype=torch.float64), types)


@pytest.mark.parametrize(("seed", "types"), [(0, 1), (1, 2), (2, 5)])
def test_counts_are_the_derivatives_of_the_likelihood(seed: int, types: int) -> None:
    scores, mask, chain = case(seed, types, 2.0)
    found, slow = expected_counts(scores, mask, chain), in_logarithms(scores, mask, chain)
    for quick, exact in zip(found, slow, strict=True):
        assert quick.numpy() == pytest.approx(exact.numpy(), rel=1e-11, abs=1e-12)
    assert found.tags.sum(2).numpy() == pytest.approx(mask.double().numpy())
    assert float(found.ways.sum()) == pytest.approx(float(mask.sum()))
    outside = torch.zeros(3, 7, dtype=torch.long)
    own = torch.where(mask, scores[..., 0], 0).sum(1) + chain.ways[3, 0] + (mask.sum(1) - 1) * chain.ways[0, 0]
    assert (own - found.total).numpy() == pytest.approx(log_likelihood(scores, outside, mask, chain).numpy())


def test_scores_that_are_very_far_apart_give_numbers_all_the_same() -> None:
    scores, mask, chain = case(0, 2, 1e5)
    found, slow = expected_counts(scores, mask, chain), in_logarithms(scores, mask, chain)
    for quick, exact in zip(found, slow, strict=True):
        assert torch.isfinite(quick).all()
        assert quick.numpy() == pytest.approx(exact.numpy())
