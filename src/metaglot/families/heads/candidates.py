"""The head of candidates in closed form: one score, which sets the right candidates of a text apart from its others.

    w = argmin_w Σ_i ‖X_i w − y_i‖² + λ‖w − w₀‖²,    s = β·X w + γ·m,    p = softmax of s over the candidates of a text

X_i [C, F] are the features of the candidates of text i less their mean, and y_i the right ones (one over their number)
less the mean.  w₀ is the head that the model has learnt for all tasks, over β₀: without an example, or where examples
tell nothing, it decides.  m is what a memory of the examples says (`families/heads/recall.py`): how much a candidate is
like those that were right where the text was like this one.  λ, β and γ are those of least −Σ log p on texts that are
set aside in turn, neighbours together, since turns of a dialogue stand beside each other; what was learnt is left for a
clear gain alone (`TRUST`).  A text is never split.  All is computed in float64.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.families.heads.recall import STRENGTHS, recalled_by, remembered
from metaglot.models.heads.memory import MEMORY
from metaglot.types import Params

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)  # λ; the last one leaves nothing but w₀
USUAL = 10.0  # λ where no text can be set aside
SLOPES = tuple(2.0 ** (k / 4) for k in range(33))  # β, from 1 to 256
SLOPE = 10.0  # β₀
TRUST = 0.5  # how much (log β − log β₀)² and log(1000/λ) weigh beside −Σ log p
FOLDS = 5


class CandidateUnits(NamedTuple):
    """Candidates of texts."""

    features: Tensor  # [M, F]
    right: Tensor  # [M], 0 or 1
    owner: Tensor  # [M], the text of each
    beside: Tensor  # [M, 3 D] the text, its last line and the candidate, or [M, 0]: nothing can be remembered

    def at(self, rows: Tensor) -> "CandidateUnits":
        """Return some of the candidates."""
        return CandidateUnits(*(part[rows] for part in self))


class Chosen(NamedTuple):
    """What is of least loss on texts that are set aside."""

    penalty: float = USUAL  # λ
    slope: float = SLOPE  # β
    strength: float = 0.0  # γ


def candidate_head(units: CandidateUnits, learnt: Tensor, *, before: CandidateUnits | None = None) -> Params:
    """Return a head of these candidates, near the one that was `learnt` [F]: that itself, where there are none.

    After gradient steps λ, β and γ are found on the features from `before` them: the steps have seen every text.
    """
    units, lean = judged(units), learnt.double() / SLOPE
    if not len(units.owner):
        return _layer(learnt.double())
    best = chosen(units if before is None else judged(before), lean)
    (weight,) = weights(units, lean, (best.penalty,))
    layer = _layer(best.slope * weight)
    if not best.strength:
        return layer
    return layer | dict(zip(MEMORY, remembered(units.beside[units.right > 0], best.strength), strict=True))


def _layer(weight: Tensor) -> dict[str, Tensor]:  # [F]
    return {"head.weight": weight[None], "head.bias": weight.new_zeros(1)}


def judged(units: CandidateUnits) -> CandidateUnits:
    """Return the candidates of texts that have right ones and others, in float64."""
    texts, number = units.owner.unique(return_inverse=True)
    count = torch.bincount(number, minlength=len(texts))
    right = torch.bincount(number, weights=units.right.double(), minlength=len(texts))
    kept = units.at(((right > 0) & (right < count))[number])
    return CandidateUnits(kept.features.double(), kept.right.double(), kept.owner, kept.beside.double())


def weights(units: CandidateUnits, lean: Tensor, penalties: tuple[float, ...]) -> list[Tensor]:  # [F] each
    """Return w for each λ, near `lean`, w₀."""
    features = units.features - _mean(units.features, units.owner)
    share = units.right / _total(units.right, units.owner)
    rest = share - _mean(share, units.owner) - features @ lean
    values, vectors = torch.linalg.eigh(features.T @ features)
    along = vectors.T @ (features.T @ rest)
    return [lean + vectors @ (along / (values.clamp(min=0) + penalty)) for penalty in penalties]


def chosen(units: CandidateUnits, lean: Tensor) -> Chosen:
    """Return λ, β and γ of least loss on texts that are set aside in turn."""
    texts, number = units.owner.unique(return_inverse=True)
    folds = min(FOLDS, len(texts))
    if folds < 2:
        return Chosen()
    found = torch.zeros(len(PENALTIES), len(number), dtype=torch.float64, device=number.device)
    recalled = torch.zeros(len(number), dtype=torch.float64, device=number.device)
    for fold in range(folds):
        aside = number * folds // len(texts) == fold
        known = units.at(~aside)
        for i, weight in enumerate(weights(known, lean, PENALTIES)):
            found[i, aside] = units.features[aside] @ weight
        recalled[aside] = recalled_by(units.beside[aside], known.beside[known.right > 0])
    slopes = torch.tensor(SLOPES, dtype=torch.float64, device=number.device)
    strengths = STRENGTHS if units.beside.shape[1] else STRENGTHS[:1]
    losses = torch.stack(
        [torch.stack([_loss(scores, slopes, strength * recalled, units) for scores in found]) for strength in strengths]
    )  # [γ, λ, β]
    penalties = torch.tensor(PENALTIES, dtype=torch.float64, device=number.device)
    losses = losses + TRUST * ((slopes / SLOPE).log().square() + (penalties[-1] / penalties).log()[:, None])
    strength, penalty, slope = (int(place) for place in torch.unravel_index(losses.argmin(), losses.shape))
    return Chosen(PENALTIES[penalty], SLOPES[slope], strengths[strength])


def by_text(values: Tensor, owner: Tensor) -> Tensor:  # [M] -> [S, C]
    """Return a row for each text, in the order of the owners, −∞ behind its last candidate."""
    texts, number = owner.unique(return_inverse=True)
    order = number.argsort(stable=True)
    counts = torch.bincount(number, minlength=len(texts))
    place = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[number[order]]
    rows = values.new_full((len(texts), int(counts.max())), -torch.inf)
    return rows.index_put((number[order], place), values[order])


def _loss(scores: Tensor, slopes: Tensor, more: Tensor, units: CandidateUnits) -> Tensor:  # [M], [β], [M] -> [β]
    rows, also, right = (by_text(values, units.owner) for values in (scores, more, units.right))
    share = right.clamp(min=0) / right.clamp(min=0).sum(-1, keepdim=True)
    log_p = (slopes[:, None, None] * rows + also).log_softmax(-1)
    return -(share * log_p.masked_fill(right == -torch.inf, 0.0)).sum((-1, -2))


def _total(values: Tensor, owner: Tensor) -> Tensor:  # [M, ...] -> [M, ...]
    """Return for each candidate the sum over those of its text."""
    texts, number = owner.unique(return_inverse=True)
    return values.new_zeros(len(texts), *values.shape[1:]).index_add(0, number, values)[number]


def _mean(values: Tensor, owner: Tensor) -> Tensor:  # [M, ...] -> [M, ...]
    """Return for each candidate the mean over those of its text."""
    ones = values.new_ones(len(values), *(1 for _ in values.shape[1:]))
    return _total(values, owner) / _total(ones, owner)
