"""How often each tag, and each kind of tag beside another one, is expected: what a likelihood of tags has as gradient.

    ∂ log Z / ∂ s_i(k) = p(y_i = k),        ∂ log Z / ∂ t(a, b) = Σ_i p(y_{i−1} is of kind a, y_i of kind b)

with the chain of `families/tag_chain.py`.  Both are found forwards and backwards in plain numbers, and those of each
word are divided by their sum (Rabiner 1989, https://doi.org/10.1109/5.18626).  That is ten times as quick as logarithms
with automatic derivatives, which remain for scores so far apart that plain numbers overflow.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from metaglot.families.tag_chain import START, Chain, chain_of, forwards, kinds


class Counts(NamedTuple):
    """Expectations over all sequences of tags."""

    total: Tensor  # [B], log Z
    tags: Tensor  # [B, W, K], the probability of each tag of each word; 0 of padding
    ways: Tensor  # [4, 3], how often each kind of tag follows each other one, over all rows


def expected_counts(scores: Tensor, mask: Tensor, chain: Chain) -> Counts:  # [B, W, K], [B, W]
    """Return log Z and its derivatives by the scores of tags and of kinds of tags beside each other."""
    with np.errstate(all="ignore"):
        found = _scaled(scores.detach(), mask, chain)
    return found if all(bool(part.isfinite().all()) for part in found) else in_logarithms(scores, mask, chain)


def in_logarithms(scores: Tensor, mask: Tensor, chain: Chain) -> Counts:  # [B, W, K], [B, W]
    """Return the same by logarithms and automatic derivatives, whatever the scores are."""
    with torch.enable_grad():
        own, ways = (value.detach().requires_grad_() for value in (scores, chain.ways))
        total = torch.logsumexp(forwards(own, mask, chain_of(ways, scores.shape[2] // 2))[:, -1], 1)
        return Counts(total.detach(), *torch.autograd.grad(total.sum(), (own, ways)))


def _scaled(scores: Tensor, mask: Tensor, chain: Chain) -> Counts:
    rows, judged = scores.double().cpu().numpy(), mask.cpu().numpy()
    start, step = (part.detach().double().cpu().exp().numpy() for part in (chain.start, chain.step))
    top = rows.max(2, keepdims=True)
    weight = np.exp(rows - top)  # [B, W, K]
    ahead, size = _ahead(weight, start, step)
    after, onward = _after(weight / size, judged, step)
    tags = np.where(judged[..., None], ahead * after, 0)
    total = np.where(judged, np.log(size[..., 0]) + top[..., 0], 0).sum(1)
    pairs = step * (ahead[:, :-1][judged[:, 1:]].T @ onward[:, 1:][judged[:, 1:]])  # [K, K]
    of = np.eye(START)[kinds(torch.arange(scores.shape[2])).numpy()]  # [K, 3]
    ways = np.concatenate([of.T @ pairs @ of, (tags[:, 0].sum(0) @ of)[None]])
    return Counts(*(torch.from_numpy(part).to(scores) for part in (total, tags, ways)))


def _ahead(weight: np.ndarray, start: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how likely each tag is after the words up to it, and how likely each word is after those before it."""
    ahead, size = np.empty_like(weight), np.empty((*weight.shape[:2], 1))
    for i in range(weight.shape[1]):
        here = weight[:, i] * (ahead[:, i - 1] @ step if i else start)
        size[:, i] = here.sum(1, keepdims=True)
        ahead[:, i] = here / size[:, i]
    return ahead, size


def _after(weight: np.ndarray, judged: np.ndarray, step: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how likely all words behind each tag are, and the same with its own word; 1 where no word is behind it."""
    after, onward, back = np.ones_like(weight), np.empty_like(weight), np.ascontiguousarray(step.T)
    for i in range(weight.shape[1] - 1, 0, -1):
        onward[:, i] = weight[:, i] * after[:, i]
        after[:, i - 1] = np.where(judged[:, i, None], onward[:, i] @ back, 1.0)
    return after, onward
