"""The scope of BitFit: every bias, and the gains of the norms (the parameters of a network that are vectors)."""

from dataclasses import dataclass

from metaglot.errors import MetaglotError
from metaglot.types import Params


@dataclass(frozen=True)
class Vectors:
    """The parameters `body.*` of one dimension, or with a name that ends in `bias`."""

    vectors: str = "biases and norms"  # for the record of settings

    def init(self, body: Params, *, seed: int) -> Params:
        """Return nothing; raise MetaglotError for a body without a vector."""
        del seed
        if not self.start(body):
            raise MetaglotError(
                "this backbone has neither biases nor norms, so bitfit has nothing to train; leave it out"
            )
        return {}

    def start(self, meta: Params) -> Params:
        """Return the vectors of the body."""
        body = {name: value for name, value in meta.items() if name.startswith("body.")}
        return {name: value for name, value in body.items() if value.ndim == 1 or name.endswith("bias")}
