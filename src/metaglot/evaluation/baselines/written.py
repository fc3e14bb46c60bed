"""Texts that are written without a model: one for all sources, that of the nearest example, or the source itself."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from metaglot.adaptation.alike import nearest
from metaglot.data.examples import Examples, Inputs
from metaglot.families.chrf import chrf
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions
from metaglot.families.write_tools import source_texts

FEW = 32  # different targets that are compared with each other


@dataclass(frozen=True)
class Written:
    """A fitted method whose texts are a function of the inputs."""

    columns: tuple[str, ...]
    texts: Callable[[Inputs], Sequence[str]]

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the texts; each counts as certain."""
        return Predictions(self.columns, np.ones((len(inputs), len(self.columns))), list(self.texts(inputs)))


def constant(family: AnyFamily, support: Examples[str]) -> Written:
    """Return the target that has most in common with the others, for every source."""
    few = list(dict.fromkeys(support.targets))[:FEW]
    best = max(few, key=lambda text: sum(chrf([text], [other]) for other in support.targets[:FEW]))
    return Written(_columns(family, support), lambda inputs: [best] * len(inputs))


def of_nearest(family: AnyFamily, support: Examples[str]) -> Written:
    """Return the target of the example whose source is most like each source."""
    known = source_texts(support.inputs)

    def texts(inputs: Inputs) -> list[str]:
        found = nearest(source_texts(inputs), known, 1)
        return [support.targets[one] for (one,) in found]

    return Written(_columns(family, support), texts)


def copied(family: AnyFamily, support: Examples[str]) -> Written:
    """Return each source as it is."""
    return Written(_columns(family, support), lambda inputs: list(inputs.texts))


def _columns(family: AnyFamily, support: Examples[str]) -> tuple[str, ...]:
    return family.columns(family.schema(support.targets))
