"""Features of the untouched backbone, with the queries of a task embedded once.

All draws of a task are judged on the same queries and a frozen encoder gives them the same features, so the
features of a list of queries are remembered.  Those of a support set never are: the seconds that a fit costs
include embedding it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from metaglot.data.examples import Inputs


class Encoder(Protocol):
    """What turns texts into features: `metaglot.adaptation.Model` is one."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def embed(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """Return features of length one, [n, D]."""
        ...


@dataclass(frozen=True)
class Remembered:
    """The features of lists of texts, each list embedded once."""

    encoder: Encoder
    memory: dict[Inputs, np.ndarray] = field(default_factory=dict[Inputs, np.ndarray], repr=False)

    def features(self, inputs: Inputs) -> np.ndarray:
        """Return the encoder's features of the inputs, [n, D], from memory when the same inputs came before."""
        if inputs not in self.memory:
            self.memory[inputs] = self.encoder.embed(inputs.texts, inputs.pairs)
        return self.memory[inputs]
