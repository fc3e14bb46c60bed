"""The head of tags in closed form: a score of each tag for each word, and of each tag beside another.

    s_k(x) = f_k(x) + c·cos(x, μ_k)        f = argmin_f Σ_i v_i ‖f(x_i) − y_i‖² + λ‖W‖²,  f(x) = W(x − μ) + b
    log p(y | x) = Σ_i (β·s(x_i) + o)(y_i) + Σ_i t(y_{i−1}, y_i) − log Z(x)

with the tags of `families/tag_chain.py`, all of which weigh the same (v_i).  β, the offset o of first words and words
behind them over O, and the scores t of the kinds of tags beside each other are found on sentences that are set aside in
turn, whose words heads of the other sentences have scored:

    β, o, t = argmin −Σ log p(y | x) + π (log β − log β₀)² + ρ ‖o‖² + σ ‖t − t₀‖²

where t₀ are the smoothed logarithms of how often the kinds follow each other.  A sentence is never split.  λ, c, β₀, π,
ρ and σ were chosen on development tasks (docs/results/tagging.md).  All is computed in float64.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from metaglot.families.heads.classes import balance
from metaglot.families.tag_chain import BEHIND, START, chain_of, kinds
from metaglot.families.tag_counts import expected_counts
from metaglot.models.heads import class_means
from metaglot.models.heads.solution import least_squares

PENALTY = 0.1  # λ
NEARNESS = 0.5  # c
CONFIDENCE = 4.0  # β₀
TRUST = 2.0  # π
OFFSET_TRUST = 0.2  # ρ
WAY_TRUST = 0.5  # σ
FOLDS = 5
SEEN = 1.0  # how often each kind of tag has followed each other one before the first sentence
STEPS = 40  # of the optimiser
TOGETHER = 5  # sentences of up to 2⁵ words are fitted as rows of one length
NEVER = -30.0  # the score of a kind of tag behind another one that it cannot follow; it is not used


class TagUnits(NamedTuple):
    """Words of sentences, in their order."""

    features: Tensor  # [M, F]
    tags: Tensor  # [M]
    owner: Tensor  # [M], the sentence of each

    def at(self, rows: Tensor) -> "TagUnits":
        """Return some of the words."""
        return TagUnits(*(part[rows] for part in self))


class Sentences(NamedTuple):
    """Words as rows of sentences, padded."""

    values: Tensor  # [S, W, N]
    tags: Tensor  # [S, W]
    mask: Tensor  # [S, W]


class Link(NamedTuple):
    """How scores of words become those of a chain."""

    slope: Tensor  # β, above 0
    offset: Tensor  # [2], o, of first words and of words behind them
    ways: Tensor  # [4, 3], t


class Cost(NamedTuple):
    """What the link is to make small, and its derivatives by log β, o and t."""

    value: Tensor
    slope: Tensor
    offset: Tensor  # [2]
    ways: Tensor  # [4, 3]


class TagHead(NamedTuple):
    """Scores of the tags of a word, and of kinds of tags beside each other."""

    weight: Tensor  # [K, F], float64; β and o are in them
    bias: Tensor  # [K]
    ways: Tensor  # [4, 3], t


def tag_head(units: TagUnits, types: int, *, before: TagUnits | None = None) -> TagHead:
    """Return the head of these words, calibrated on sentences that are set aside in turn.

    After gradient steps it is calibrated on the features from `before` them: the steps have seen every sentence.
    """
    weight, bias = layer(units, types)
    link = link_of(held_out(units if before is None else before, types), types, followed(units))
    return TagHead(link.slope * weight, link.slope * bias + offsets(link.offset, types), link.ways)


def layer(units: TagUnits, types: int) -> tuple[Tensor, Tensor]:  # [K, F], [K]
    """Return weight and bias of s: balanced ridge regression of the tags plus the cosine with their means."""
    count = 1 + 2 * types
    weights = balance(units.tags, count)[:, None]
    features, targets = units.features.double(), one_hot(units.tags, count).double()
    centre, level = ((weights * of).mean(0) for of in (features, targets))
    root = weights.sqrt()
    solution = least_squares(root * (features - centre), root * (targets - level), features.new_tensor(PENALTY))
    means = normalize(class_means(features, targets), dim=-1)
    return solution.T + NEARNESS * means, level - centre @ solution


def held_out(units: TagUnits, types: int) -> TagUnits:
    """Return the scores of words in place of their features, by heads made without their sentence.

    Sentences with a tag that no other one has are left out.
    """
    fold = folds(units)
    parts = [units.at(units.owner < 0)]
    parts[0] = parts[0]._replace(features=units.features.new_zeros(0, 1 + 2 * types).double())
    for k in range(FOLDS):
        inside, outside = units.at(fold != k), units.at(fold == k)
        there = torch.bincount(inside.tags, minlength=1 + 2 * types) > 0
        outside = outside.at(~torch.isin(outside.owner, outside.owner[~there[outside.tags]]))
        if len(outside.tags) and int(there.sum()) > 1:
            weight, bias = layer(inside, types)
            parts.append(outside._replace(features=outside.features.double() @ weight.T + bias))
    return TagUnits(*(torch.cat(part) for part in zip(*parts, strict=True)))


def folds(units: TagUnits) -> Tensor:  # [M]
    """Return the fold of each word: that of its sentence, whatever the order of the sentences; repeats share one."""
    owners, place = units.owner.unique(return_inverse=True)
    total = units.features.new_zeros(len(owners)).double().index_add_(0, place, units.features.double().sum(1))
    _, rank = (1e4 * total).round().unique(return_inverse=True)
    return (rank % FOLDS)[place]


def followed(units: TagUnits) -> Tensor:  # [4, 3]
    """Return t₀: the logarithm of how often each kind of tag follows each other one, smoothed."""
    kind = kinds(units.tags)
    first = torch.ones_like(units.owner, dtype=torch.bool)
    first[1:] = units.owner[1:] != units.owner[:-1]
    before = torch.where(first, START, kind.roll(1))
    counts = SEEN + torch.bincount(3 * before + kind, minlength=12).double().reshape(4, 3)
    counts[0, BEHIND] = counts[START, BEHIND] = 0.0
    return (counts / counts.sum(1, keepdim=True)).log().clamp(min=NEVER)


def offsets(offset: Tensor, types: int) -> Tensor:  # [2] -> [K]
    """Return the offset of each tag: none of O."""
    return torch.cat([offset.new_zeros(1), offset.repeat(types)])


def link_of(held: TagUnits, types: int, ways: Tensor) -> Link:
    """Return β, o and t; the usual ones where no sentence could be set aside."""
    change = [torch.zeros(shape, dtype=torch.float64, device=ways.device) for shape in ((), (2,), (4, 3))]
    if not len(held.tags):
        return _link(change, ways)
    groups = by_length(held)
    own, trusts = [_true_counts(rows) for rows in groups], (TRUST, OFFSET_TRUST, WAY_TRUST)

    def cost() -> Cost:
        link = _link(change, ways)
        each = [_cost_of(rows, mine, link, types) for rows, mine in zip(groups, own, strict=True)]
        total, *slopes = (torch.stack(part).sum(0) for part in zip(*each, strict=True))
        pull = torch.stack([trust * value.square().sum() for trust, value in zip(trusts, change, strict=True)]).sum()
        return Cost(
            total + pull,
            *(slope + 2 * trust * value for slope, trust, value in zip(slopes, trusts, change, strict=True)),
        )

    _minimise(cost, change)
    return _link(change, ways)


def _true_counts(rows: Sentences) -> Tensor:  # [4, 3]
    """Return how often each kind of tag follows each other one."""
    kind = kinds(rows.tags)
    before = torch.cat([torch.full_like(kind[:, :1], START), kind[:, :-1]], 1)
    return torch.bincount((3 * before + kind)[rows.mask], minlength=12).double().reshape(4, 3)


def _cost_of(rows: Sentences, own: Tensor, link: Link, types: int) -> Cost:
    """Return −Σ log p(y | x) of some sentences, and its derivatives by log β, o and t."""
    scores = link.slope * rows.values + offsets(link.offset, types)
    counts = expected_counts(scores, rows.mask, chain_of(link.ways, types))
    truth = one_hot(rows.tags, scores.shape[2]).double() * rows.mask[..., None]
    over = counts.tags - truth  # [S, W, K]
    likelihood = (truth * scores).sum() + (own * link.ways.where(own > 0, 0)).sum() - counts.total.sum()
    return Cost(
        -likelihood,
        link.slope * (over * rows.values).sum(),
        torch.stack([over[..., 1::2].sum(), over[..., 2::2].sum()]),
        counts.ways - own,
    )


def by_length(units: TagUnits) -> list[Sentences]:
    """Return the words as rows of sentences: those up to 32 words together, and above that of up to 64, 128, …

    One long sentence then does not make rows of its length of all others.
    """
    _, place, counts = units.owner.unique(return_inverse=True, return_counts=True)
    size = counts.double().log2().ceil().clamp(min=TOGETHER)[place]
    return [sentences(units.at(size == one)) for one in size.unique()]


def sentences(units: TagUnits) -> Sentences:
    """Return the words as rows of sentences, padded on the right."""
    _, place, counts = units.owner.unique(return_inverse=True, return_counts=True)
    order = place.argsort(stable=True)
    row = place[order]
    column = torch.arange(len(row), device=row.device) - (counts.cumsum(0) - counts)[row]
    shape = (len(counts), int(counts.max()) if len(counts) else 0)
    values = units.features.new_zeros(*shape, units.features.shape[1])
    tags, mask = units.tags.new_zeros(shape), torch.zeros(shape, dtype=torch.bool, device=row.device)
    values[row, column], tags[row, column], mask[row, column] = units.features[order], units.tags[order], True
    return Sentences(values, tags, mask)


def _link(change: list[Tensor], ways: Tensor) -> Link:
    return Link(CONFIDENCE * change[0].exp(), change[1], ways + change[2])


def _minimise(cost: Callable[[], Cost], values: Sequence[Tensor]) -> None:
    """Change the values in place until the cost, which is smooth in them, is least."""
    optimiser = torch.optim.LBFGS(values, max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> float:
        loss, *slopes = cost()
        for value, slope in zip(values, slopes, strict=True):
            value.grad = slope
        return float(loss)

    cast("Any", optimiser).step(closure)
