"""Explanations of what an adaptation predicts: its examples, with what each of them adds."""

from collections.abc import Iterator, Mapping

import numpy as np
from torch import Tensor

from metaglot.adaptation.encoder import BATCH
from metaglot.adaptation.fit import Fit
from metaglot.data.labels import label_text
from metaglot.data.names import words_of
from metaglot.errors import MetaglotError
from metaglot.families.classes.explanation import Evidence, Explanation, Shares, heaviest
from metaglot.families.classes.tools import ClassTools
from metaglot.families.support_units import SupportUnits


def units_of(fit: Fit, purpose: str) -> tuple[ClassTools, SupportUnits]:
    """Return the tools of classes, and the units that a head in closed form was solved from, on the CPU.

    Raises MetaglotError, which names the purpose, for another head and for another kind of task than classes.
    """
    tools = tools_of(fit, purpose)
    if fit.units is None or fit.effort.head != "blend":
        raise MetaglotError(
            f"{purpose} needs a head in closed form; adapt with the effort instant, fast, thorough or auto"
        )
    return tools, SupportUnits(*(part.cpu() for part in fit.units))


def tools_of(fit: Fit, purpose: str) -> ClassTools:
    """Return the tools of classes; raise MetaglotError, which names the purpose, for another kind of task."""
    if fit.family.exclusive is None:
        raise MetaglotError(f"{purpose} works for classes alone; this is a task of {fit.family.name}")
    return fit.family.exclusive


def shares_of(fit: Fit) -> Shares:
    """Return what each example adds to the scores of any text; raise MetaglotError as `units_of` does."""
    tools, units = units_of(fit, "an explanation")
    return tools.shares(units, len(fit.labels), fit.encoder.metric, fit.solver)


def explanations(fit: Fit, shares: Shares, features: Tensor, count: int) -> Iterator[Explanation]:  # [n, D] unit
    """Yield the explanation of each text, with at most `count` examples."""
    for block in features.split(BATCH):
        cosines, offs = shares.cosines(block)
        for i, chances in enumerate(fit.values(block.numpy())):
            yield _explanation(fit, shares, chances, (cosines[:, i], offs[:, i]), count)


def _explanation(
    fit: Fit, shares: Shares, chances: np.ndarray, cosines: tuple[Tensor, Tensor], count: int
) -> Explanation:
    first, second = (int(i) for i in np.argsort(-chances, kind="stable")[:2])
    weights, bias = shares.gap(*cosines, (first, second))
    beta = float(fit.params["head.weight"].double().norm() / shares.length)
    evidence = tuple(_evidence(fit, shares.rows, row, beta * float(weights[row])) for row in heaviest(weights, count))
    rest = beta * (float(weights.sum()) + bias) - sum(one.weight for one in evidence)
    label, instead = (label_text(fit.labels[i]) for i in (first, second))
    return Explanation(label, float(chances[first]), instead, evidence, rest)


def _evidence(fit: Fit, rows: SupportUnits, row: int, weight: float) -> Evidence:
    label = label_text(fit.labels[int(rows.numbers[row])])
    if rows.is_class_name[row]:
        words = fit.class_names.get(label) if isinstance(fit.class_names, Mapping) else None
        return Evidence(words or words_of(label), label, None, weight)
    number = int((~rows.is_class_name[:row]).sum())
    return Evidence(fit.examples.inputs.texts[number] if len(fit.examples) else "", label, number, weight)
