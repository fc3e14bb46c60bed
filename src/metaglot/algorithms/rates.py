"""The rate of a head in an inner loop, where none is given.

A head of prototypes begins near a solution, and with a rate of 1 a step of the head alone does not overshoot: over
features of length one, the cross-entropy of a linear head with a bias curves by ‖(x, 1)‖²/2 = 1 at most.  At Polyak's
rate the support loss falls and the queries are lost (docs/tuning.md).  From zeros a rate of 1 moves little in a few
steps, so that Polyak's is taken there.  Böhning 1992, "Multinomial logistic regression algorithm", has the bound.
"""

from metaglot.models import Head, Prototypes

SAFE = 1.0


def head_rate(head: Head, lr: float | None, head_lr: float | None) -> float | None:
    """Return the head's rate as given; where no rate is, 1 from prototypes, and None (Polyak's) from others."""
    return SAFE if lr is None and head_lr is None and isinstance(head, Prototypes) else head_lr
