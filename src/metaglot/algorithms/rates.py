"""The rate of a head in an inner loop, where none is given.

A head of prototypes begins near a solution, and a rate of 1 never overshoots there: over features of length one, the
cross-entropy of a linear head with a bias curves by ‖(x, 1)‖²/2 = 1 at most.  Polyak's rate follows the directions in
which classes differ, whose curvature is a hundredth of that, and throws the classes' common offset about: it tells the
support set apart and the queries no more (docs/tuning.md).  From zeros a rate of 1 takes hundreds of steps, so that
Polyak's is taken there.  Böhning 1992, "Multinomial logistic regression algorithm", has the bound.
"""

from metaglot.models import Head, Prototypes

SAFE = 1.0


def head_rate(head: Head, lr: float | None, head_lr: float | None) -> float | None:
    """Return the head's rate as given; where no rate is, 1 from prototypes, and None (Polyak's) from others."""
    return SAFE if lr is None and head_lr is None and isinstance(head, Prototypes) else head_lr
