"""The head of candidates in closed form: one score, which sets the right candidates of a text apart from its others.

    w = argmin_w Σ_i ‖X_i w − y_i‖² + λ‖w − w₀‖²,    s = β·X w,    p = softmax of s over the candidates of a text

X_i [C, F] are the features of the candidates of text i less their mean, and y_i the right ones (one over their number)
less the mean.  w₀ is the head that the model has learnt for all tasks, over β₀: without an example, or where examples
tell nothing, it decides.  λ and β are those of least −Σ log p on texts that are set aside in turn; a
text is never split.  All is computed in float64.
"""

from typing import NamedTuple

import torch
from torch import Tensor

PENALTIES = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0)  # λ; the last one leaves little but w₀
USUAL = 10.0  # λ where no text can be set aside
SLOPES = tuple(2.0 ** (k / 4) for k in range(33))  # β, from 1 to 256
SLOPE = 10.0  # β₀
TRUST = 0.5  # how much (log β − log β₀)² weighs beside −Σ log p
FOLDS = 5


class CandidateUnits(NamedTuple):
    """Candidates of texts."""

    features: Tensor  # [M, F]
    right: Tensor  # [M], 0 or 1
    owner: Tensor  # [M], the text of each

    def at(self, rows: Tensor) -> "CandidateUnits":
        """Return some of the candidates."""
        return CandidateUnits(*(part[rows] for part in self))


def candidate_head(
    units: CandidateUnits, learnt: Tensor, *, before: CandidateUnits | None = None
) -> Tensor:  # [F] -> [F]
    """Return β·w of these candidates, near the head that was `learnt`: that itself, where there are none.

    After gradient steps λ and β are found on the features from `before` them: the steps have seen every text.
    """
    units, lean = judged(units), learnt.double() / SLOPE
    if not len(units.owner):
        return learnt.double()
    penalty, slope = chosen(units if before is None else judged(before), lean)
    (weight,) = weights(units, lean, (penalty,))
    return slope * weight


def judged(units: CandidateUnits) -> CandidateUnits:
    """Return the candidates of texts that have right ones and others, in float64."""
    texts, number = units.owner.unique(return_inverse=True)
    count = torch.bincount(number, minlength=len(texts))
    right = torch.bincount(number, weights=units.right.double(), minlength=len(texts))
    kept = units.at(((right > 0) & (right < count))[number])
    return CandidateUnits(kept.features.double(), kept.right.double(), kept.owner)


def weights(units: CandidateUnits, lean: Tensor, penalties: tuple[float, ...]) -> list[Tensor]:  # [F] each
    """Return w for each λ, near `lean`, w₀."""
    features = units.features - _mean(units.features, units.owner)
    share = units.right / _total(units.right, units.owner)
    rest = share - _mean(share, units.owner) - features @ lean
    values, vectors = torch.linalg.eigh(features.T @ features)
    along = vectors.T @ (features.T @ rest)
    return [lean + vectors @ (along / (values.clamp(min=0) + penalty)) for penalty in penalties]


def chosen(units: CandidateUnits, lean: Tensor) -> tuple[float, float]:
    """Return λ and β of least loss on texts that are set aside in turn."""
    texts, number = units.owner.unique(return_inverse=True)
    folds = min(FOLDS, len(texts))
    if folds < 2:
        return USUAL, SLOPE
    found = torch.zeros(len(PENALTIES), len(number), dtype=torch.float64, device=number.device)
    for fold in range(folds):
        aside = number % folds == fold
        for i, weight in enumerate(weights(units.at(~aside), lean, PENALTIES)):
            found[i, aside] = units.features[aside] @ weight
    slopes = torch.tensor(SLOPES, dtype=torch.float64, device=number.device)
    losses = torch.stack([_loss(scores, slopes, units) for scores in found])  # [λ, β]
    losses = losses + TRUST * (slopes / SLOPE).log().square()
    place = int(losses.argmin())
    return PENALTIES[place // len(SLOPES)], SLOPES[place % len(SLOPES)]


def by_text(values: Tensor, owner: Tensor) -> Tensor:  # [M] -> [S, C]
    """Return a row for each text, in the order of the owners, −∞ behind its last candidate."""
    texts, number = owner.unique(return_inverse=True)
    order = number.argsort(stable=True)
    counts = torch.bincount(number, minlength=len(texts))
    place = torch.arange(len(order), device=order.device) - (counts.cumsum(0) - counts)[number[order]]
    rows = values.new_full((len(texts), int(counts.max())), -torch.inf)
    return rows.index_put((number[order], place), values[order])


def _loss(scores: Tensor, slopes: Tensor, units: CandidateUnits) -> Tensor:  # [M], [β] -> [β]
    rows, right = by_text(scores, units.owner), by_text(units.right, units.owner)
    share = right.clamp(min=0) / right.clamp(min=0).sum(-1, keepdim=True)
    log_p = (slopes[:, None, None] * rows).log_softmax(-1)
    return -(share * log_p.masked_fill(right == -torch.inf, 0.0)).sum((-1, -2))


def _total(values: Tensor, owner: Tensor) -> Tensor:  # [M, ...] -> [M, ...]
    """Return for each candidate the sum over those of its text."""
    texts, number = owner.unique(return_inverse=True)
    return values.new_zeros(len(texts), *values.shape[1:]).index_add(0, number, values)[number]


def _mean(values: Tensor, owner: Tensor) -> Tensor:  # [M, ...] -> [M, ...]
    """Return for each candidate the mean over those of its text."""
    ones = values.new_ones(len(values), *(1 for _ in values.shape[1:]))
    return _total(values, owner) / _total(ones, owner)
