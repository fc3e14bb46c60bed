"""A body divided among ranks: each keeps its part of every layer, and all gather a layer for its pass alone.

torch's FSDP2 (`fully_shard`) divides each layer, and what stands outside the layers, along the first dimension of its
parameters.  Before a layer runs, forwards or backwards, its parameters are gathered, and dropped again after it: so of
N ranks each holds 1/N of the body, with one or two layers and what stands outside of them for the length of a pass.
Parameters that an inner loop moves are whole on every rank, since each rank adapts to an episode of its own.  LoRA is
therefore added within a layer, once that is gathered.

Ranks gather together, so each must run the body as often as the others, in the same order.

Zhao et al. 2023, https://arxiv.org/abs/2304.11277; https://docs.pytorch.org/docs/stable/distributed.fsdp.fully_shard.html
"""

import math
from collections.abc import Callable, Collection, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils.stateless import (
    _reparametrize_module,  # pyright: ignore[reportPrivateUsage]  # what functional_call itself uses
)

from metaglot.decoding import Continuations, Decoding
from metaglot.errors import MetaglotError
from metaglot.models.checkpointing import layers_of
from metaglot.models.learner import BODY, HfLearner
from metaglot.models.lora import LEARNT, PREFIX, apply_lora, pairs_of
from metaglot.models.releasing import release_large_blocks
from metaglot.models.turns import turn
from metaglot.models.warp import PREFIX as WARP
from metaglot.types import Batch, Embedding, Outputs, Params

T = TypeVar("T")
Pairs = Mapping[str, tuple[Tensor, Tensor]]


class Gathering(nn.Module):
    """A module that runs what it is given, while the parameters outside the layers are gathered."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, run: Callable[[], T]) -> T:
        """Return what `run` returns."""
        return run()


@dataclass(frozen=True)
class Sharded:
    """A Learner whose body is divided among ranks; made by `sharded`.

    It takes low-rank pairs, prefixes and contexts among its parameters, and none of the body: the values that `body`
    returns have shapes and types alone.
    """

    learner: HfLearner  # of the divided module
    gathering: Gathering
    layers: tuple[tuple[str, nn.Module], ...]  # by their names in the module
    parts: Params  # this rank's parts of what of the body is learnt, as `body.*`

    @property
    def embedding(self) -> Embedding | None:
        """The module that looks tokens up; its rows stay where they are, since no rank has all of them."""
        found = self.learner.embedding
        return None if found is None else found._replace(renumbers=False)

    @property
    def hidden_size(self) -> int:
        """D, the width of `pooled`."""
        return self.learner.hidden_size

    @property
    def device(self) -> torch.device:
        """Where its parameters live."""
        return self.learner.device

    def body(self) -> Params:
        """Return tensors like the body's parameters, without their values: not a number, wherever one is read."""
        return {name: _form_of(value) for name, value in self.learner.body().items()}

    def precise(self) -> "Sharded":
        """Return the learner in full precision."""
        return replace(self, learner=self.learner.precise())

    def forward(self, params: Params, batch: Batch, *, seed: int | None = None, logits: bool = False) -> Outputs:
        """Return the outputs for a batch; every rank must call this as often as the others.

        Raises MetaglotError for parameters of the body that differ from its own.
        """
        for name, value in params.items():
            if name.startswith((BODY, WARP)) and value is not self.parts.get(name):
                raise MetaglotError(
                    f"training.shard: an episode would move {name} of a body that is divided among ranks; move less "
                    "(algorithm.options.scope: lora or head)"
                )
        within, others = self._pairs(params)
        with turn(self.learner.module), _adapted(dict(self.layers), within):
            return self.gathering(lambda: _apart(self.learner.forward(others, batch, seed=seed, logits=logits)))

    def language_head(self) -> Params:
        """Return nothing: a divided body has no head that scores the vocabulary."""
        return {}

    def scoring(self, params: Params) -> Params:
        """Raise MetaglotError: a divided body scores no vocabulary."""
        del params
        raise _no_vocabulary()

    def score(self, params: Params, hidden: Tensor, batch: Batch, *, seed: int | None = None) -> Tensor:
        """Raise MetaglotError: a divided body scores no vocabulary."""
        del params, hidden, batch, seed
        raise _no_vocabulary()

    def generate(self, params: Params, batch: Batch, decoding: Decoding, *, tokenizer: Any = None) -> Continuations:
        """Raise MetaglotError: a divided body writes nothing."""
        del params, batch, decoding, tokenizer
        raise _no_vocabulary()

    def held_bytes(self) -> int:
        """Return how many bytes of the body this rank keeps between two passes."""
        parts = (cast("Any", value).to_local() for value in self.learner.module.parameters())
        return sum(part.numel() * part.element_size() for part in parts)

    def _pairs(self, params: Params) -> tuple[Pairs, Params]:
        """Return the low-rank pairs of weights in layers, and the other parameters."""
        inside = {weight: pair for weight, pair in pairs_of(params).items() if self._layer_of(weight)}
        names: set[str] = {f"{begin}{weight}.{one}" for weight in inside for begin in (PREFIX, LEARNT) for one in "ab"}
        return inside, {n: v for n, v in params.items() if n not in names and n not in self.parts}

    def _layer_of(self, weight: str) -> str:
        return next((name for name, _ in self.layers if weight.startswith(f"{name}.")), "")


def sharded(learner: HfLearner, *, ranks: int, device: torch.device, learnt: Collection[str] = ()) -> Sharded:
    """Return the learner with its body divided among the ranks of the default process group, on `device`.

    The module is changed: what is not this rank's part of it is dropped.  Every rank gives the same values.  Gradients
    are recorded for the parameters `learnt` (`body.*`), and added up over the ranks.

    Raises MetaglotError for a network without a list of layers, one that writes or scores a vocabulary, and one that
    reads texts of each length apart.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import FSDPModule, fully_shard

    module = learner.module
    layers = tuple(
        (name, part) for name, part in module.named_modules() if any(part is one for one in layers_of(module))
    )
    if reason := _why_not(learner, layers):
        raise MetaglotError(f"training.shard: {reason}")
    mesh = init_device_mesh(device.type, (ranks,))
    if device.type == "cpu":
        release_large_blocks()
    gathering = Gathering(module)
    with turn(module):
        for name, value in module.named_parameters():
            value.requires_grad_(BODY + name in learnt)
        tables, tied = _tables(module)
        for part in (*(layer for _, layer in layers), *tables, gathering):
            for output in tied if part is gathering else ():
                output.weight = tables[0].weight  # divided by now, and read by no pass
            ignored = {cast("nn.Parameter", output.weight) for output in tied}
            fully_shard(
                part, mesh=mesh, reshard_after_forward=True, ignored_params=ignored if part is gathering else None
            )
            # Gradients are added up, with a sum that gloo has too; the loop divides by the number of episodes.
            shard = cast("FSDPModule", part)
            shard.set_gradient_divide_factor(1.0)
            shard.set_force_sum_reduction_for_comms(enable=True)
        parts = {BODY + name: value for name, value in module.named_parameters() if BODY + name in learnt}
    return Sharded(learner, gathering, layers, parts)


def _why_not(learner: HfLearner, layers: Sequence[object]) -> str:
    """Return why a body cannot be divided; nothing where it can."""
    kind = type(learner.module).__name__
    if learner.seq2seq or learner.language is not None:
        return f"a {kind} with the head that scores the vocabulary cannot be divided; train on labelled sets of texts"
    if not learner.pads:
        return f"a {kind} reads texts of each length apart, so that ranks would not run it equally often"
    if scalar := next((name for name, value in learner.module.named_parameters() if value.ndim == 0), None):
        return f"{scalar} of a {kind} is a single number, which cannot be divided"
    return "" if layers else f"there is no list of layers in a {kind} to divide"


def _tables(module: nn.Module) -> tuple[list[nn.Module], list[Any]]:
    """Return the modules that hold a row for each token, and the output embedding where it has the weight of the first.

    Such a module is gathered for the length of a lookup.  None is where several modules look up in one weight.
    """
    whole = cast("Any", module)
    found, output = whole.get_input_embeddings(), whole.get_output_embeddings()
    holders = [part for part in module.modules() if getattr(part, "weight", None) is found.weight]
    tied = [] if output is None or output.weight is not found.weight else [output]
    apart = [] if output is None or tied else [output]
    return ([found, *apart], tied) if len(holders) == 1 + len(tied) else (apart, [])


def _apart(outputs: Outputs) -> Outputs:
    """Return the outputs with states that are not the last layer's own tensor, as they are not in packed rows.

    Backwards, what stands outside the layers is gathered at the outputs and a layer at its states: were these one
    tensor on one rank alone, ranks would gather in unlike order.
    """
    return outputs._replace(hidden=outputs.hidden.clone())


@contextmanager
def _adapted(layers: Mapping[str, nn.Module], pairs: Pairs) -> Generator[None]:
    """Within the block each layer adds its low-rank pairs to its weights, once they are gathered."""
    changed: list[tuple[nn.Module, Any]] = []
    try:
        for name, layer in layers.items():
            own = {key.removeprefix(f"{name}."): pair for key, pair in pairs.items() if key.startswith(f"{name}.")}
            if own:
                changed.append((layer, layer.__dict__.get("forward")))
                layer.forward = _with_pairs(layer, layer.forward, own)
        yield
    finally:
        for layer, before in changed:
            if before is None:
                layer.__dict__.pop("forward", None)
            else:
                layer.forward = before


def _with_pairs(layer: nn.Module, forward: Callable[..., Any], pairs: Pairs) -> Callable[..., Any]:
    params = {
        f"{PREFIX}{name}.{one}": value for name, pair in pairs.items() for one, value in zip("ab", pair, strict=True)
    }

    def run(*args: Any, **kwargs: Any) -> Any:
        own: dict[str, Tensor] = dict(layer.named_parameters())  # gathered now
        moved = apply_lora(own, params, own)
        with _reparametrize_module(layer, {name: moved[name] for name in pairs}):
            return forward(*args, **kwargs)

    return run


def _form_of(value: Tensor) -> Tensor:
    """Return a tensor of the same shape, type and device that takes no memory and has no values."""
    nothing = torch.full((), math.nan if value.is_floating_point() else 0, dtype=value.dtype, device=value.device)
    return nothing.expand(value.shape)


def _no_vocabulary() -> MetaglotError:
    return MetaglotError("training.shard: a divided body scores no vocabulary; train on labelled sets of texts")
