"""Adapting to some of the examples and judging on the others, with folds that spread each class evenly.

Examples of a class that have the same text (case and punctuation apart) share a fold: one that is learnt from too says
nothing when it is judged.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from metaglot.adaptation.effort import Effort
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.fitting import fit_examples
from metaglot.adaptation.support import Names, names_given
from metaglot.data.examples import Examples
from metaglot.data.labels import Label, label_text
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions


class Judged(NamedTuple):
    """What a fit to the examples inside says of the classes of those outside."""

    scores: Tensor  # [m, C], float64
    numbers: Tensor  # [m], the class of each
    right: list[bool]


def predict_aside(
    encoder: Encoder,
    family: AnyFamily,
    examples: Examples[Any],
    rows: tuple[list[int], list[int]],
    effort: Effort,
    *,
    seed: int,
    names: Names,
) -> Predictions:
    """Return what a fit to the examples inside predicts for those outside."""
    inside, outside = (examples.at(part) for part in rows)
    if isinstance(names, Mapping):
        inside_labels = {label_text(label) for label in family.schema(inside.targets).outputs}
        names = {label: words for label, words in names_given(names).items() if label in inside_labels}
    fit = fit_examples(encoder, family, inside, effort, seed=seed, names=names)
    return fit.predict(outside.inputs)


def joined(parts: Sequence[Predictions], outputs: tuple[str, ...]) -> Predictions:
    """Return the predictions of several fits as one; an output that a fit has not learnt has the value 0."""
    values = np.zeros((sum(len(part.values) for part in parts), len(outputs)))
    at = 0
    for part in parts:
        values[at : at + len(part.values), [outputs.index(one) for one in part.outputs]] = part.values
        at += len(part.values)
    return Predictions(outputs, values, [target for part in parts for target in part.targets])


def judged(fit: Fit, examples: Examples[Label]) -> Judged:
    """Return how other examples of classes are judged."""
    chances = fit.values(fit.features(examples.inputs).cpu().numpy())
    scores = torch.as_tensor(chances).clamp(min=1e-30).log()
    numbers = torch.tensor([fit.labels.index(label) for label in examples.targets])
    return Judged(scores, numbers, (scores.argmax(1) == numbers).tolist())
