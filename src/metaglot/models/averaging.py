"""A trained model averaged with the one it started from, weight by weight: θ = share·θ_base + (1 − share)·θ_trained.

What training on some tasks takes from others comes back, and most of what it gave stays.
Wortsman et al. 2022, https://arxiv.org/abs/2109.01903
"""

from metaglot.types import Params

UNREAD = ".pooler."  # nothing reads it, and of many checkpoints it is random at every loading


def averaged(base: Params, trained: Params, share: float) -> Params:
    """Return the trained parameters, those that the base has too averaged with them; `share` is that of the base."""
    if not share:
        return trained
    return {n: value.lerp(base[n], share) if n in base and UNREAD not in n else value for n, value in trained.items()}
