"""The effort `auto`: closed form or gradient steps, as cross-validation inside the support set finds.

Both efforts are fitted to one half of the examples and judged on the other, in turn, on the same halves; small
support sets are halved several times.  Gradient steps are chosen where they are ahead by at least one standard error
of the paired difference: closed form is the default, since where both are as good it costs a hundredth.  The probe
takes half the steps of `thorough`, on half the examples.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np

from metaglot.adaptation.effort import EFFORTS, Effort
from metaglot.adaptation.model import Model
from metaglot.seeds import fold, generator

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
    model: Model, texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str] | None, *, seed: int
) -> Choice:
    """Return the effort for these examples; a function of the seed."""
    fewest = min(labels.count(label) for label in set(labels))
    if fewest < 2:
        return Choice("instant", None, None, 0.0, "a class has one example, so none can be set aside")
    right: list[list[bool]] = [[], []]
    for number, (inside, outside) in enumerate(halves(labels, seed)):
        told = [labels[i] for i in inside]
        for effort, found in zip(candidates(), right, strict=True):
            adapted = model.adapt(
                [texts[i] for i in inside], told, pairs=_of(pairs, inside), effort=effort, seed=fold(seed, number)
            )
            predicted = adapted.predict([texts[i] for i in outside], _of(pairs, outside))
            found += [label == labels[i] for label, i in zip(predicted, outside, strict=True)]
    ahead = np.array(right[1], dtype=float) - np.array(right[0], dtype=float)
    error = float(ahead.std(ddof=1) / np.sqrt(len(ahead)))
    gain = float(ahead.mean())
    steps = gain > 0 and gain >= error
    said = f"gradient steps {100 * gain:+.1f} ± {100 * error:.1f} points on examples set aside"
    return Choice("thorough" if steps else "instant", float(np.mean(right[0])), float(np.mean(right[1])), error, said)


def halves(labels: Sequence[str], seed: int) -> Iterator[tuple[list[int], list[int]]]:
    """Yield (inside, outside) rows, each class halved; both halves of a halving take both parts."""
    for number in range(-(-JUDGED // len(labels))):
        first: list[int] = []
        for label in sorted(set(labels)):
            members = [i for i, one in enumerate(labels) if one == label]
            order = generator(seed, "halves", number, label).permutation(members)
            first += [int(i) for i in order[: len(members) // 2]]
        second = sorted(set(range(len(labels))) - set(first))
        yield sorted(first), second
        yield second, sorted(first)


def _of(pairs: Sequence[str] | None, rows: Sequence[int]) -> list[str] | None:
    return None if pairs is None else [pairs[i] for i in rows]
