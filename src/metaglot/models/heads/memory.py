"""A head that remembers examples beside its layer: what was right where the text was like this one.

    s = x wᵀ + b + Σ_i (a_i − 1/S) ⟨v, v_i⟩,    a = softmax_i ⟨k, k_i⟩

x, k and v stand beside each other in the features of a unit.  k says what is asked and v what is offered; of the S
remembered ones, v_i was right where k_i was asked.  A memory of one says nothing, and an offer that is like all of them
gains nothing.  It is the attention of Matching Networks (https://arxiv.org/abs/1606.04080) over pairs.
"""

from torch import Tensor

from metaglot.types import Params

ASKED, RIGHT = "head.memory.asked", "head.memory.right"  # [S, K], [S, V]
MEMORY = (ASKED, RIGHT)


def memory_scores(params: Params, features: Tensor) -> Tensor:  # [..., D + K + V] -> [..., 1]
    """Return the scores of units that a layer and a memory give together."""
    weight, asked, right = params["head.weight"], params[ASKED], params[RIGHT]
    own, key, value = features.split([weight.shape[1], asked.shape[1], right.shape[1]], -1)
    return own @ weight.T + params["head.bias"] + recalled(key, value, asked, right)[..., None]


def recalled(key: Tensor, value: Tensor, asked: Tensor, right: Tensor) -> Tensor:  # [..., K], [..., V] -> [...]
    """Return what S remembered ones, `asked` [S, K] and `right` [S, V], say for each unit."""
    attention = (key @ asked.T).softmax(-1) - 1 / len(asked)
    return (attention * (value @ right.T)).sum(-1)
