"""The language-model head of an encoder: its masked-LM model, with a stand-in where the base model was.

    logits = head(hidden),   hidden [M, D] -> [M, V]

transformers' masked-LM models call their base model and then layers of their own, one or several, each in its way.  The
stand-in gives back the hidden states that it is handed, so that what is left of the model is the head, whatever its
form, and can be run on chosen positions only.  Its parameters are `lm.*`; a weight that is tied to the input embedding
is none of them: it is the embedding, as it is substituted.
"""

import inspect
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.stateless import (
    _reparametrize_module,  # pyright: ignore[reportPrivateUsage]  # what functional_call itself uses
)
from transformers.modeling_outputs import BaseModelOutput

from metaglot.errors import MetaglotError
from metaglot.models.mode import in_mode
from metaglot.types import Params

LM = "lm."
PROBE = 4  # tokens on which a head is compared with the model that it was taken from
LARGE = 1e3  # what hidden states are multiplied by to find a bound


class Handed(nn.Module):
    """Stands where the base model was: it gives back the hidden states that it is handed as `inputs_embeds`."""

    def __init__(self, base: nn.Module) -> None:
        super().__init__()
        self._place = list(inspect.signature(base.forward).parameters).index("inputs_embeds")

    def forward(self, *args: Any, **kwargs: Any) -> BaseModelOutput:
        """Return `inputs_embeds` as the last hidden state."""
        hidden = kwargs["inputs_embeds"] if "inputs_embeds" in kwargs else args[self._place]
        return BaseModelOutput(last_hidden_state=hidden)


def take_head(whole: nn.Module) -> tuple[nn.Module, nn.Module]:
    """Return base model and head of a masked-LM model, which is taken apart; weights stay shared.

    Raises MetaglotError where the head, run by itself, does not give the logits of the whole model.
    """
    model = cast("Any", whole)
    base = cast("nn.Module", model.base_model)
    try:
        inputs = _probe(whole)
        with torch.no_grad():
            logits, hidden = model(**inputs).logits, cast("Any", base)(**inputs).last_hidden_state
            setattr(whole, model.base_model_prefix, Handed(base).train(whole.training))
            same = _close(scores(whole, hidden), logits)
    except Exception as error:  # every model has its own way to fail
        raise _inseparable(whole, f"{type(error).__name__}: {error!s:.150}") from error
    if not same:
        raise _inseparable(whole, "it gives other logits")
    return base, whole


def check_decoder(whole: nn.Module) -> None:
    """Raise MetaglotError unless a decoder's logits are its output embedding of the last hidden state.

    Some decoders scale or bound them beyond that; a bound shows where the hidden states are large.
    """
    model, inputs = cast("Any", whole), _probe(whole)
    seen: list[Tensor] = []

    def enlarge(_module: nn.Module, _inputs: Any, output: Any) -> Any:
        seen.append(LARGE * output[0])
        output["last_hidden_state"] = seen[0]
        return output

    handle = cast("nn.Module", model.base_model).register_forward_hook(enlarge)
    try:
        with torch.no_grad():
            same = _close(model(**inputs).logits, model.get_output_embeddings()(seen[0]))
    finally:
        handle.remove()
    if not same:
        raise _inseparable(whole, "it gives other logits")


def scores(head: nn.Module, hidden: Tensor) -> Tensor:  # [..., D] -> [..., V]
    """Return what a head makes of hidden states."""
    rows = hidden.reshape(1, -1, hidden.shape[-1])
    logits: Tensor = cast("Any", head)(inputs_embeds=rows).logits
    return logits.reshape(*hidden.shape[:-1], logits.shape[-1])


def own_parameters(head: nn.Module, body: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the parameters of a head that are not those of the body."""
    shared = {id(value) for value in body.values()}
    return {name: value for name, value in head.named_parameters() if id(value) not in shared}


@contextmanager
def substituted(
    head: nn.Module, params: Params, given: Mapping[str, Tensor], frozen: Mapping[str, Tensor], *, training: bool
) -> Generator[None]:
    """Within the block, the head has the `lm.*` of `params`, and what of the body's weights it shares as `given`.

    `frozen` are the body's own parameters by name, `given` those that stand in their place.  Raises MetaglotError for
    a name that the head lacks.
    """
    own = {name.removeprefix(LM): value for name, value in params.items() if name.startswith(LM)}
    lacking = sorted(own.keys() - own_parameters(head, frozen).keys())
    if lacking:
        raise MetaglotError(
            f"the language-model head {type(head).__name__} has no parameter {LM}{lacking[0]}; load the backbone that "
            "the parameters were made for"
        )
    named = {id(value): name for name, value in frozen.items()}
    tied = {name: named[id(value)] for name, value in head.named_parameters() if id(value) in named}
    own |= {name: given[of] for name, of in tied.items() if of in given}
    with in_mode(head, training=training), _reparametrize_module(head, own, tie_weights=True):
        yield


def _probe(whole: nn.Module) -> dict[str, Tensor]:
    here = next(whole.parameters()).device
    ids = torch.arange(PROBE, device=here)[None]
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def _close(ours: Tensor, theirs: Tensor) -> bool:
    return ours.shape == theirs.shape and torch.allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def _inseparable(whole: nn.Module, why: str) -> MetaglotError:
    return MetaglotError(
        f"the language-model head of {type(whole).__name__} cannot be run apart from its base model ({why}); use "
        "another model, such as one of the kind bert, roberta or gpt2"
    )
