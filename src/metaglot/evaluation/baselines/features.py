"""Features of the untouched backbone, with the queries of a task embedded once.

All draws of a task are judged on the same queries and a frozen encoder gives them the same features, so the
features of a list of queries are kept in memory.  Those of a support set never are: the seconds of a fit include its
embedding.
"""

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from metaglot.data.examples import Inputs


class FeatureEncoder(Protocol):
    """Turns texts into features: `metaglot.adaptation.Encoder` is one."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

    def embed(self, inputs: Inputs) -> np.ndarray:
        """Return features of length one, [n, D]."""
        ...


@dataclass(frozen=True)
class FeatureCache:
    """The features of lists of texts, each list embedded once."""

    encoder: FeatureEncoder
    memory: dict[Inputs, np.ndarray] = field(default_factory=dict[Inputs, np.ndarray], repr=False)

    def features(self, inputs: Inputs) -> np.ndarray:
        """Return the encoder's features of the inputs, [n, D]; from memory for inputs that were embedded before."""
        if inputs not in self.memory:
            self.memory[inputs] = self.encoder.embed(inputs)
        return self.memory[inputs]
