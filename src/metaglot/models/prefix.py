"""Prefix tuning: P keys and values that no token has stand before those of the text, in every attention.

    attention(q) = softmax(q [K_p; K]ᵀ s + [0; mask]) [V_p; V],   K_p, V_p [P, H_kv · d] of each attention module

Li and Liang 2021, https://arxiv.org/abs/2101.00190.  The pair stands in the parameters as `prefix.<module>.k` and
`prefix.<module>.v`; where it starts is meta-learnt, as `algorithm.prefix.<module>.k` and `.v`, and stands in for a pair
that is not there, as with LoRA.  In an adaptation it begins as what the attention has of examples
(`HfLearner.read`), so that before any step the model writes as with them in its prompt: Lu et al. 2025, https://arxiv.org/abs/2507.04221.

Attention is reached through the interface of transformers; the text keeps its positions, its packing and its cache.
"""

import sys
from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import pad
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import eager_mask

from metaglot.errors import MetaglotError
from metaglot.models.lora import pairs_of
from metaglot.seeds import torch_generator
from metaglot.types import Batch, Params

PREFIX = "prefix."
LEARNT = "algorithm." + PREFIX  # where a pair starts
NAME = "metaglot_prefix"
HELD = "metaglot_prefix"  # the attribute of an attention module that has a prefix, for the length of a call
NOISE = 0.1  # of keys at random: small beside those of tokens
KEYS: Mapping[str, int] = {
    "query_key_value": 3,  # queries, keys and values in one, as in the next three
    "Wqkv": 3,
    "qkv_proj": 3,
    "c_attn": 3,
    "key": 1,
    "k_proj": 1,
    "k_lin": 1,
    "k": 1,
}
"""What the layer that makes the keys is called, and how many times as wide as the keys it is."""


@dataclass(eq=False)
class Held:
    """The prefix of an attention module during a call; without keys, those of the first row are kept."""

    keys: Tensor | None = None  # [P, H_kv · d]
    values: Tensor | None = None
    used: bool = field(default=False)


def prefix_init(body: Params, *, size: int, seed: int) -> dict[str, Tensor]:
    """Return small random keys and values of zero for each attention of the body: `prefix.<module>.k` and `.v`.

    Raises MetaglotError for a size below 1, and where no layer makes keys under a name that is known.
    """
    if size < 1:
        raise MetaglotError(f"a prefix needs size ≥ 1, got {size}; 32 is usual")
    start: dict[str, Tensor] = {}
    for module, (width, weight) in _widths(body).items():
        noise = torch.randn(size, width, generator=torch_generator(seed, "prefix", module)) * NOISE
        start[f"{PREFIX}{module}.k"] = noise.to(weight)
        start[f"{PREFIX}{module}.v"] = torch.zeros(size, width).to(weight)
    if not start:
        raise MetaglotError(
            f"no attention of this network makes its keys in a layer called {', '.join(KEYS)}; use the scope lora"
        )
    return start


def _widths(body: Params) -> dict[str, tuple[int, Tensor]]:
    """Return for each module with attention the width of its keys, and the weight that makes them."""
    found: dict[str, tuple[int, Tensor]] = {}
    for name, weight in body.items():
        module, layer, kind = ("." + name.removeprefix("body.")).rsplit(".", 2)
        if kind == "weight" and layer in KEYS and weight.ndim == 2:
            found[module[1:]] = max(weight.shape) // KEYS[layer] if KEYS[layer] > 1 else len(weight), weight
    return found


@contextmanager
def with_prefix(module: nn.Module, params: Params) -> Generator[None]:
    """Within the block, attention sees the prefix of the parameters, if they have one; the module's turn is held.

    Raises MetaglotError for a prefix of a module that is not there, and where the network attends in a way of its own.
    """
    held = {_part(module, name): Held(*pair) for name, pair in pairs_of(params, PREFIX, ("k", "v")).items()}
    if not held:
        yield
        return
    with holding(held, also=module):
        yield
    if not any(one.used for one in held.values()):
        raise _no_prefix(module)


@contextmanager
def holding(held: Mapping[nn.Module, Held], *, also: nn.Module | None = None) -> Generator[None]:
    """Within the block these modules have these prefixes."""
    if not held:
        yield
        return
    configs = _configs([*held, *([] if also is None else [also])])
    before = [config._attn_implementation for config in configs]
    try:
        for part, one in held.items():
            part.__dict__[HELD] = one
        for config in configs:
            config._attn_implementation = NAME
        yield
    finally:
        for config, own in zip(configs, before, strict=True):
            config._attn_implementation = own
        for part in held:
            part.__dict__.pop(HELD, None)


def held_in(module: nn.Module) -> dict[nn.Module, Held]:
    """Return what parts of a module hold now, for whoever runs it again later."""
    return {part: part.__dict__[HELD] for part in module.modules() if HELD in part.__dict__}


def read_prefix(module: nn.Module, body: Params, batch: Batch, run: Callable[[Batch], object]) -> dict[str, Tensor]:
    """Return the keys and values that each attention has of the first row of a batch that is run, as `prefix.*`.

    Where keys turn with their positions, the row is read as if it ended before the first token of a text.  Raises
    MetaglotError where the network attends in a way of its own.
    """
    ids = batch["input_ids"]
    turns = any(name.endswith("rotary_emb") for name, _ in module.named_modules())
    before = {"position_ids": (torch.arange(ids.shape[1], device=ids.device) - ids.shape[1])[None]} if turns else {}
    held = {name: Held() for name in _widths(body)}
    with torch.no_grad(), holding({_part(module, name): one for name, one in held.items()}, also=module):
        run({**batch, **before})
    begun = _begun(held)
    if not begun:
        raise _no_prefix(module)
    return begun


def _no_prefix(module: nn.Module) -> MetaglotError:
    return MetaglotError(
        f"the attention of a {type(module).__name__} takes no prefix; use the scope lora, or an effort that moves LoRA "
        "updates, such as fast"
    )


def _begun(held: Mapping[str, Held]) -> dict[str, Tensor]:
    """Return the keys and values that were kept, as `prefix.*`."""
    found: dict[str, Tensor] = {}
    for name, one in held.items():
        if one.keys is not None and one.values is not None:
            found[f"{PREFIX}{name}.k"] = _to_learn(one.keys)
            found[f"{PREFIX}{name}.v"] = _to_learn(one.values)
    return found


def _to_learn(states: Tensor) -> Tensor:
    """Return a copy in a precision that steps can be taken in."""
    return states.detach().to(torch.promote_types(states.dtype, torch.float32)).clone()


def _part(module: nn.Module, name: str) -> nn.Module:
    try:
        return module.get_submodule(name)
    except AttributeError as error:
        raise MetaglotError(
            f"the backbone has no attention {name}; load the one that the prefix was made for"
        ) from error


def _configs(modules: Iterable[nn.Module]) -> list[Any]:
    configs = [getattr(module, "config", None) for module in modules]
    return list({id(config): config for config in configs if config is not None}.values())


def _attend(
    module: nn.Module, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **more: Any
) -> tuple[Tensor, Tensor | None]:
    """Return the attention that the network itself has, with the prefix of the module before keys and values."""
    held: Held | None = module.__dict__.get(HELD)
    if held is not None and held.keys is None:
        held.keys, held.values = (one[0].transpose(0, 1).flatten(1) for one in (key, value))
    elif held is not None and held.keys is not None and held.values is not None:
        held.used, size = True, len(held.keys)
        key, value = _before(held.keys, key), _before(held.values, value)
        attention_mask = _wider(attention_mask, size)
        if more.get("position_bias") is not None:  # of T5: a prefix has no position
            more["position_bias"] = pad(more["position_bias"], (size, 0))
    return _eager(module)(module, query, key, value, _added(attention_mask, query), **more)


def _before(own: Tensor, states: Tensor) -> Tensor:  # [P, H · d], [B, H, T, d] -> [B, H, P + T, d]
    count, heads, _, width = states.shape
    if own.shape[1] != heads * width:
        raise MetaglotError("the prefix does not fit the attention; load the backbone that it was made for")
    rows = own.view(len(own), heads, width).transpose(0, 1).to(states)
    return torch.cat([rows.expand(count, -1, -1, -1), states], dim=2)


def _wider(mask: Tensor | None, size: int) -> Tensor | None:  # [B, 1, T, S] -> [B, 1, T, P + S]
    return mask if mask is None else pad(mask, (size, 0), value=mask.dtype == torch.bool)


def _added(mask: Tensor | None, query: Tensor) -> Tensor | None:
    """Return a mask as eager attention adds it to scores."""
    if mask is None or mask.dtype != torch.bool:
        return mask
    return torch.zeros_like(mask, dtype=query.dtype).masked_fill(~mask, torch.finfo(query.dtype).min)


def _eager(module: nn.Module) -> Any:
    """Return the plain attention of the file that a network comes from."""
    return cast("Any", sys.modules[type(module).__module__]).eager_attention_forward


AttentionInterface.register(NAME, _attend)
AttentionMaskInterface.register(NAME, eager_mask)
