"""The effort `auto`: closed form or gradient steps, as cross-validation inside the support set finds.

Both efforts are fitted to one half of the examples and judged on the other, in turn, on the same halves; small
support sets are halved several times.  Gradient steps are chosen where they are ahead by at least one standard error
of the paired difference: closed form is the default, since where both are as good it costs a hundredth.  The probe
takes half the steps of `thorough`, on half the examples.
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np

from metaglot.adaptation.effort import EFFORTS, Effort
from metaglot.adaptation.held_out import Examples, folds_of, right_outside
from metaglot.adaptation.model import Model, Names
from metaglot.seeds import fold

JUDGED = 32  # examples judged at least, over all halvings


class Choice(NamedTuple):
    """An effort, and what cross-validation said of the two candidates."""

    effort: str
    instant: float | None  # accuracy on the halves set aside; None where nothing could be set aside
    thorough: float | None
    error: float  # standard error of the paired difference
    reason: str


def candidates() -> tuple[Effort, Effort]:
    """Return closed form, and the probe of gradient steps."""
    thorough = EFFORTS["thorough"]
    return EFFORTS["instant"], replace(thorough, steps=thorough.steps // 2)


def auto_settings() -> dict[str, object]:
    """Return what `auto` chooses between, and how."""
    return {"candidates": [asdict(effort) for effort in candidates()], "judged": JUDGED}


def choose(
    model: Model,
    texts: Sequence[str],
    labels: Sequence[str],
    pairs: Sequence[str] | None,
    *,
    seed: int,
    names: Names = True,
) -> Choice:
    """Return the effort for these examples; a function of the seed."""
    fewest = min(labels.count(label) for label in set(labels))
    if fewest < 2:
        return Choice("instant", None, None, 0.0, "a class has one example, so none can be set aside")
    examples = Examples(texts, labels, pairs, names)
    right: list[list[bool]] = [[], []]
    for number in range(-(-JUDGED // len(labels))):
        for k, half in enumerate(folds_of(labels, 2, seed, "halves", number)):
            for effort, found in zip(candidates(), right, strict=True):
                found += right_outside(model, examples, half, effort, seed=fold(seed, number, k))
    ahead = np.array(right[1], dtype=float) - np.array(right[0], dtype=float)
    error = float(ahead.std(ddof=1) / np.sqrt(len(ahead)))
    gain = float(ahead.mean())
    steps = gain > 0 and gain >= error
    said = f"gradient steps {100 * gain:+.1f} ± {100 * error:.1f} points on examples set aside"
    return Choice("thorough" if steps else "instant", float(np.mean(right[0])), float(np.mean(right[1])), error, said)
