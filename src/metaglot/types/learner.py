"""A network as an algorithm sees it."""

from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from metaglot.decoding import Continuations, Decoding
from metaglot.types.values import Batch, Outputs, Params


class Embedding(NamedTuple):
    """The input embedding of a learner."""

    name: str  # of its weight [V, D], without the prefix body.
    padding: int | None  # the row whose gradient it leaves out
    renumbers: bool = True  # whether its rows may be put in another order, with the numbers of the tokens


class Learner(Protocol):
    """A network as a function of its parameters."""

    @property
    def embedding(self) -> Embedding | None:
        """Its input embedding, or None if it looks nothing up."""
        ...

    @property
    def hidden_size(self) -> int:
        """D, the width of `pooled`."""
        ...

    @property
    def device(self) -> torch.device:
        """Where its parameters live."""
        ...

    def body(self) -> Params:
        """Return the frozen module's own parameters under the names `body.*`, detached."""
        ...

    def precise(self) -> "Learner":
        """Return the learner in full precision."""
        ...

    def forward(self, params: Params, batch: Batch, *, seed: int | None = None, logits: bool = False) -> Outputs:
        """Return the outputs for a batch with `params`; names absent come from the frozen module.

        With a seed, dropout is on and a function of it; without one, dropout is off.  With `logits` the language-model
        head scores every token [B, T, V]; where the batch has `labels` [B, T], only those positions whose label is not
        -100, [M, V] in row-major order.
        """
        ...

    def language_head(self) -> Params:
        """Return the parameters that the language-model head has for itself as `lm.*`, detached; none of a decoder."""
        ...

    def scoring(self, params: Params) -> Params:
        """Return what an inner loop may move of the language-model head without the body, as `lm.*`."""
        ...

    def score(self, params: Params, hidden: Tensor, batch: Batch, *, seed: int | None = None) -> Tensor:
        """Return the logits of `forward`, from the hidden states [B, T, D] that it gave."""
        ...

    def generate(self, params: Params, batch: Batch, decoding: Decoding, *, tokenizer: Any = None) -> Continuations:
        """Return what is written behind each prompt of the batch; stop strings need the tokenizer."""
        ...
