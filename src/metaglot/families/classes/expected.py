"""What accuracy to expect of an adaptation, and what more examples would bring, from the support set alone.

    a = (r + 1) / (n + 2) + δ/k + g,     half = z √(b (1 − b) / (n + 3)),     doubled = ρ k^−η (1 − a)
    k = C / Σ_c 1/n_c,     n = C k,     r = k Σ_c r_c / n_c,     b = min(a, 1 − 1/(n + 2))

r_c of the n_c distinct examples of each of C classes are right by heads in closed form that were made without them;
classes of unlike size count alike, and r, n and k are the plain numbers where sizes are equal.
δ/k is what the examples set aside cost, g what gradient steps are likely to bring.  However right all are, b leaves
room for error: from few examples nobody can be sure.  How much doubling improves one task cannot be estimated
from so few, so it is what other tasks gained, as a share of the error.  z is larger than 1.96, since examples are few
and a head differs by draw.

δ, z, ρ and η were fitted on nine sets of development; with them the interval holds the accuracy on 500 other texts in
90, 96, 99 and 98 % of draws at 2, 4, 8 and 16 shots (docs/tuning.md).
"""

from math import sqrt
from typing import NamedTuple

import torch

from metaglot.families.heads.classes import Solver, held_out, sizes
from metaglot.families.support_units import SupportUnits

SET_ASIDE = 0.086  # δ
WIDTH = 2.5  # z
SHARE, FADES = 0.2, 0.27  # ρ, η


class Expected(NamedTuple):
    """The accuracy to expect on other texts of the same kind, if classes are equally frequent.

    `Adapted.expected` holds it after the effort `auto`.

    Attributes
    ----------
    accuracy : float
        The accuracy, as a share of one.
    low, high : float
        The bounds of its interval: about 95 in 100 intervals hold the accuracy.
    per_class : float
        How many examples a class has, the harmonic mean over classes.
    doubled : float
        How much accuracy twice as many examples would add.

    Examples
    --------
    >>> import metaglot as mg
    >>> mg.Expected(0.8, low=0.7, high=0.9, per_class=8.0, doubled=0.03).sentence()
    'expect 80 % (70 to 90); 8 → 16 examples a class: about +3 points'
    """

    accuracy: float
    low: float
    high: float
    per_class: float
    doubled: float

    def sentence(self) -> str:
        """Return it in words.

        Returns
        -------
        str
            One line.

        Examples
        --------
        >>> import metaglot as mg
        >>> mg.Expected(1.0, low=0.9, high=1.0, per_class=2.0, doubled=0.0).sentence()
        'expect 100 % (90 to 100); 2 → 4 examples a class: about +0 points'
        """
        k = round(self.per_class)
        return (
            f"expect {100 * self.accuracy:.0f} % ({100 * self.low:.0f} to {100 * self.high:.0f}); "
            f"{k} → {2 * k} examples a class: about {100 * self.doubled:+.0f} points"
        )


def expected(
    rows: SupportUnits, classes: int, metric: str, *, gain: float = 0.0, solver: Solver = "ridge"
) -> Expected | None:
    """Return what to expect of these examples; None where a class has fewer than two, which tell next to nothing."""
    counts = sizes(rows, classes)
    scores, numbers = held_out(rows, classes, metric, solver)
    aside = torch.bincount(numbers, minlength=classes)
    if int(counts.min()) < 2 or int(aside.min()) < 1:
        return None
    hits = torch.bincount(numbers[scores.argmax(1) == numbers], minlength=classes)
    per_class = classes / float((1 / counts.double()).sum())
    n = classes * per_class
    right = per_class * float((hits / aside).double().sum())
    a = min(1.0, max(0.0, (right + 1) / (n + 2) + SET_ASIDE / per_class + gain))
    b = min(a, 1 - 1 / (n + 2))
    half = WIDTH * sqrt(b * (1 - b) / (n + 3))
    return Expected(a, max(0.0, a - half), min(1.0, a + half), per_class, SHARE * per_class**-FADES * (1 - a))
