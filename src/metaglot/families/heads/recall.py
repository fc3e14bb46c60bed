"""What examples that are remembered say of candidates: those like what was right where the text was like this one.

    m_c = Σ_i (a_i − 1/S) ⟨v_c, r_i⟩,    a = softmax_i τ(⟨u, u_i⟩ + ⟨ℓ, ℓ_i⟩)

u and ℓ are the features of the text and of its last line, v_c those of the candidate; r_i was right for text i of S.
τ, and what the strength of m may be beside other scores, were chosen on services that other models are trained on
(docs/results/choice.md).
"""

import torch
from torch import Tensor

from metaglot.models.heads.memory import recalled

SHARPNESS = 20.0  # τ
STRENGTHS = (0.0, 5.0, 10.0)  # γ


def remembered(beside: Tensor, strength: float) -> tuple[Tensor, Tensor]:  # [S, 3 D] -> [S, 2 D], [S, D]
    """Return the memory of right candidates as a head has it, `strength` times as strong as m."""
    asked, right = parts(beside)
    return SHARPNESS * asked, strength * right


def recalled_by(beside: Tensor, known: Tensor) -> Tensor:  # [M, 3 D], [S, 3 D] -> [M]
    """Return m of candidates, by a memory of those that are known to be right."""
    if not len(known) or not beside.shape[1]:
        return beside.new_zeros(len(beside))
    return recalled(*parts(beside), *remembered(known, 1.0))


def parts(beside: Tensor) -> tuple[Tensor, Tensor]:  # [M, 3 D] -> [M, 2 D], [M, D]
    """Return what is asked, a text and its last line, and what is offered, a candidate."""
    asked, offered = torch.tensor_split(beside, [2 * beside.shape[1] // 3], dim=1)
    return asked, offered
