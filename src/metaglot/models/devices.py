"""How a backbone runs: device, precision, attention."""

from typing import Any, Literal, NamedTuple, cast

import torch

from metaglot.errors import MetaglotError

Precision = Literal["auto", "bf16", "fp32"]
Attention = Literal["auto", "eager", "sdpa"]


class Runtime(NamedTuple):
    """How a backbone runs."""

    precision: Precision = "auto"
    attention: Attention = "auto"
    device: str = "auto"
    second_order: bool = False  # whether an algorithm differentiates its inner gradients
    checkpointing: bool = False  # whether layers are recomputed on the way back
    language: bool = False  # whether the language-model head is loaded too
    writes: bool = False  # whether a decoder behind an encoder is loaded too, which otherwise stays away


def pick_device(name: str) -> torch.device:
    """Return the device called `name`; `auto` is cuda, then mps, then cpu."""
    here = {"cuda": torch.cuda.device_count(), "mps": int(torch.backends.mps.is_available()), "cpu": 1}
    if name == "auto":
        return torch.device(next(kind for kind, count in here.items() if count))
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise MetaglotError(f"unknown device {name!r}; use auto, cpu, cuda, cuda:N or mps") from error
    number = int(name.partition(":")[2] or 0)  # torch keeps it in one byte: cuda:256 would be cuda:0
    if number >= here.get(device.type, 0):
        raise MetaglotError(f"the device {name!r} is not on this machine; use auto, cpu, cuda, cuda:N or mps")
    return device


def has_fast_bf16(device: torch.device) -> bool:
    """Return whether the processor multiplies bfloat16 in hardware."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type == "cpu":
        cpu = cast("Any", torch.cpu)
        probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
        return any(bool(getattr(cpu, probe, bool)()) for probe in probes)
    return False


def pick_bf16(precision: Precision, device: torch.device) -> bool:
    """Return whether a backbone runs in bfloat16; raise MetaglotError for an unknown precision."""
    choices = {"auto": has_fast_bf16(device), "bf16": True, "fp32": False}
    if precision not in choices:
        raise MetaglotError(f"unknown precision {precision!r}; use auto, bf16 or fp32")
    return choices[precision]


def pick_attention(runtime: Runtime, device: torch.device, *, bf16: bool) -> str | None:
    """Return the implementation to ask for; None is the fused one where the model has it, else the eager one."""
    if runtime.attention != "auto":
        if runtime.second_order and runtime.attention != "eager":
            raise MetaglotError(
                "an exact second-order algorithm needs attention=eager: the fused one has no double backward"
            )
        return runtime.attention
    # Fused attention has no double backward anywhere, and a slow bf16 backward on CPUs.
    return "eager" if runtime.second_order or (device.type == "cpu" and bf16) else None
