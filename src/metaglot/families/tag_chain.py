"""Sequences of tags: which can be, how likely each is, and how likely a span is, computed exactly.

Tags are numbered 0 for O, 1 + 2t for the first word of a span of type t, and 2 + 2t for the words behind it.  With
scores s of words and c of neighbours,

    log p(y | x) = c(start, y_1) + Σ_i s_i(y_i) + Σ_i c(y_{i−1}, y_i) − log Z(x)

where c is −∞ for what cannot be: a word behind the first without a first word of its type before it.  A span is there
where its first word, the words behind it, and what follows are: the sum over all sequences that have it is found
forwards and backwards (Rabiner 1989, https://doi.org/10.1109/5.18626).  Of the tag before, only its kind counts, but
for words behind the first: a step costs as many sums as there are tags, not their square.  All is computed in the
precision of the scores.
"""

import math
from bisect import bisect_right
from typing import NamedTuple

import torch
from torch import Tensor

OUTSIDE, FIRST, BEHIND, START = range(4)  # kinds of tags, and what stands before the first word
LOWEST = -1e30  # in place of the logarithm of 0


class Chain(NamedTuple):
    """Scores of tags that stand beside each other; −∞: they cannot."""

    start: Tensor  # [K]
    step: Tensor  # [K, K], from the tag of the row to that of the column
    ways: Tensor  # [4, 3], from the kind of the row to that of the column


class Likely(NamedTuple):
    """A span of a sequence, and how likely it is."""

    start: int  # its first word
    end: int  # one after its last
    type: int
    probability: float


def kinds(tags: Tensor) -> Tensor:
    """Return the kind of each tag: outside, the first word of a span, or a word behind it."""
    return torch.where(tags == 0, OUTSIDE, (tags - 1) % 2 + FIRST)


def chain_of(ways: Tensor, types: int) -> Chain:  # [4, 3]
    """Return the chain in which all types share the scores `ways`.

    A row is the kind of the tag before, the last row the start; a column is the kind of the tag.
    """
    kind = kinds(torch.arange(1 + 2 * types, device=ways.device))
    behind = kind == BEHIND
    follows = torch.zeros(len(kind), len(kind), dtype=torch.bool, device=ways.device)
    place = torch.nonzero(behind)[:, 0]
    follows[place, place] = follows[place - 1, place] = True
    step = ways[:START][kind][:, kind].masked_fill(behind[None] & ~follows, -math.inf)
    return Chain(ways[START][kind].masked_fill(behind, -math.inf), step, ways)


def possible(types: int, like: Tensor) -> Chain:
    """Return the chain under which all sequences that can be are alike."""
    return chain_of(like.new_zeros(4, 3), types)


def forwards(scores: Tensor, mask: Tensor, chain: Chain) -> Tensor:  # [B, W, K], [B, W] -> [B, W, K]
    """Return the log of the summed weight of all beginnings that end with each tag; of padding, that before it."""
    each = [(chain.start + scores[:, 0]).clamp(min=LOWEST)]  # sums of −∞ alone have no gradient
    for i in range(1, scores.shape[1]):
        reached = _reached(each[-1], chain) + scores[:, i]
        each.append(torch.where(mask[:, i, None], reached, each[-1]))
    return torch.stack(each, 1)


def backwards(scores: Tensor, mask: Tensor, chain: Chain) -> Tensor:  # [B, W, K], [B, W] -> [B, W, K]
    """Return the log of the summed weight of all that may follow each tag."""
    each = [torch.zeros_like(scores[:, 0])]
    for i in range(scores.shape[1] - 1, 0, -1):
        before = _before(scores[:, i] + each[-1], chain)
        each.append(torch.where(mask[:, i, None], before, each[-1]))
    return torch.stack(each[::-1], 1)


def _reached(before: Tensor, chain: Chain) -> Tensor:  # [B, K] -> [B, K]
    """Return the log of the summed weight of each tag behind tags of these weights."""
    pairs = before[:, 1:].unflatten(1, (-1, 2))  # [B, types, 2]: the first word of a span, and words behind it
    whole = torch.cat([before[:, :1], torch.logsumexp(pairs, 1)], 1)
    begun = torch.logsumexp(whole[:, :, None] + chain.ways[:START, :BEHIND], 1)  # of O, and of any first word
    on = torch.logsumexp(pairs + chain.ways[FIRST:START, BEHIND], 2)
    return torch.cat([begun[:, :1], torch.stack([begun[:, 1:].expand_as(on), on], 2).flatten(1)], 1)


def _before(after: Tensor, chain: Chain) -> Tensor:  # [B, K] -> [B, K]
    """Return the log of the summed weight of what may follow each tag, where tags have these weights."""
    ended = _ended(after, chain)
    on = after[:, 2::2, None] + chain.ways[FIRST:START, BEHIND]  # [B, types, 2]
    return torch.cat([ended[:, :1], torch.logaddexp(ended[:, None, 1:], on).flatten(1)], 1)


def _ended(after: Tensor, chain: Chain) -> Tensor:  # [..., K] -> [..., 3]
    """Return the log of the summed weight of what may follow each kind of tag, but for more words of its span."""
    begun = torch.stack([after[..., 0], torch.logsumexp(after[..., 1::2], -1)], -1)
    return torch.logsumexp(chain.ways[:START, :BEHIND] + begun[..., None, :], -1)


def log_likelihood(scores: Tensor, tags: Tensor, mask: Tensor, chain: Chain) -> Tensor:  # [B, W, K], [B, W] -> [B]
    """Return log p of each sequence of tags."""
    own = scores.gather(2, tags[..., None])[..., 0]
    steps = chain.step[tags[:, :-1], tags[:, 1:]]
    # `where`, since −∞ · 0 is no number.
    whole = torch.where(mask, own, 0).sum(1) + torch.where(mask[:, 1:], steps, 0).sum(1) + chain.start[tags[:, 0]]
    return whole - torch.logsumexp(forwards(scores, mask, chain)[:, -1], 1)


def likeliest(scores: Tensor, mask: Tensor, chain: Chain) -> Tensor:  # [B, W, K], [B, W] -> [B, W]
    """Return the likeliest sequence of tags of each row, which is always one that can be; O where it is padded."""
    best, came = chain.start + scores[:, 0], []
    for i in range(1, scores.shape[1]):
        value, place = (best[:, :, None] + chain.step).max(1)
        same = torch.arange(best.shape[1], device=best.device).expand_as(place)
        best = torch.where(mask[:, i, None], value + scores[:, i], best)
        came.append(torch.where(mask[:, i, None], place, same))
    tags = [best.argmax(1)]
    for place in reversed(came):
        tags.append(place.gather(1, tags[-1][:, None])[:, 0])
    return torch.where(mask, torch.stack(tags[::-1], 1), 0)


def likely_spans(scores: Tensor, mask: Tensor, chain: Chain, least: float) -> list[list[Likely]]:  # [B, W, K], [B, W]
    """Return, for each row, all spans whose probability is `least` or more, with that probability, by start and end.

    A span is grown word by word while it may still reach `least`: how likely it is to go on never rises.
    """
    ahead, after = forwards(scores, mask, chain), backwards(scores, mask, chain)
    total = torch.logsumexp(ahead[:, -1], 1)[:, None, None]
    words, tag = scores.shape[1], torch.arange(1, scores.shape[2], 2, device=scores.device)
    grown = torch.where(mask[..., None], ahead[..., tag], -math.inf) - total  # [B, W, types]
    ending = _ending(scores, mask, chain, after)
    found: list[list[Likely]] = [[] for _ in scores]
    for length in range(1, words + 1):
        here = tag if length == 1 else tag + 1
        probability = (grown + ending[:, length - 1 :][..., here]).exp()
        for row, start, kind in torch.nonzero(probability >= least).tolist():
            p = min(1.0, float(probability[row, start, kind]))
            found[row].append(Likely(start, start + length, kind, p))
        going = (grown + after[:, length - 1 :][..., here]).exp() >= least
        if length == words or not bool(going.any()):
            break
        grown = grown[:, :-1] + chain.step[here, tag + 1] + scores[:, length:][..., tag + 1]
        grown = torch.where(mask[:, length:, None], grown, -math.inf)
    return [sorted(row) for row in found]


def _ending(scores: Tensor, mask: Tensor, chain: Chain, after: Tensor) -> Tensor:  # [B, W, K]
    """Return the log of the summed weight of what may follow each tag where its span ends with it."""
    kind = kinds(torch.arange(scores.shape[2], device=scores.device))
    ending = torch.zeros_like(scores)
    ending[:, :-1] = torch.where(mask[:, 1:, None], _ended((scores + after)[:, 1:], chain)[..., kind], 0)
    return ending


def disjoint(spans: list[Likely], least: float) -> list[Likely]:
    """Return those of the spans of a text, none of which share a word, with the largest Σ (probability − least).

    A threshold of half the best F1 that can be had makes expected F1 the largest (Lipton et al. 2014,
    https://arxiv.org/abs/1402.1892).  From ½ on it is all spans that reach it: of two that overlap only one can be.
    """
    ordered = sorted(spans, key=lambda span: (span.end, span.start, span.type))
    values, ends = [0.0], [0]  # the largest sums of spans that end up to each of these words
    last: list[tuple[Likely, int]] = []  # the last span of each sum, and the number of the sum before it
    for span in ordered:
        before = bisect_right(ends, span.start) - 1
        value = values[before] + span.probability - least
        if value > values[-1]:
            values.append(value)
            ends.append(span.end)
            last.append((span, before))
    chosen: list[Likely] = []
    at = len(last)
    while at:
        span, at = last[at - 1]
        chosen.append(span)
    return chosen[::-1]
