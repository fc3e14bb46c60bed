"""A PEFT LoRA adapter is added to the weights that it was trained over: W ← W + s·B A.

s = alpha / r, or alpha / √r where the adapter says `use_rslora` (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732).
Weights that the adapter holds whole (`modules_to_save`, biases) take the place of the base's.  The formulas are those
of peft's `merge_and_unload`: https://huggingface.co/docs/peft/developer_guides/lora#merge-lora-weights-into-the-base-model
"""

import math
import re
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from metaglot.data.adapter import WAY_OUT, WEIGHTS, Adapter
from metaglot.errors import MetaglotError
from metaglot.models.finite import check_finite

PREFIX = "base_model.model."
BEFORE = ".original_module."  # of a layer that is saved whole: as it was in the base
WRAPPED = (".modules_to_save.", ".base_layer.")  # what peft puts around a layer
PAIRS = {".lora_A.weight": ".lora_B.weight", ".lora_embedding_A": ".lora_embedding_B"}


def add_adapter(module: nn.Module, adapter: Adapter, folder: Path) -> tuple[str, ...]:
    """Add an adapter to the weights of a network, in place; return a note about it.

    Raises MetaglotError where it is damaged, does not fit the network, or holds what is not supported.
    """
    file = folder / WEIGHTS
    try:
        given = {_plain(name): value for name, value in load_file(file).items() if BEFORE not in name}
    except (OSError, SafetensorError) as error:
        raise MetaglotError(f"{file}: the adapter is damaged ({error}); copy or download it again") from error
    check_finite(given, str(file))
    pairs = {name: end for name in given for end in PAIRS if name.endswith(end)}
    seconds = {name.removesuffix(end) + PAIRS[end] for name, end in pairs.items()}
    left: list[str] = []
    with torch.no_grad():
        for name, end in pairs.items():
            _add(module, given, name, end, adapter, file)
        for name in sorted(given.keys() - pairs.keys() - seconds):
            left += [] if _put(module, name, given[name], file) else [name]
    note = f"the adapter in {folder} is added to {len(pairs)} weights"
    return (note if not left else f"{note}; {', '.join(left)} of a task's head is left out",)


def _plain(name: str) -> str:
    """Return the name of a weight as the base model has it."""
    name = name.removeprefix(PREFIX)
    for part in WRAPPED:
        name = name.replace(part, ".")
    return name


def _add(module: nn.Module, tensors: dict[str, Tensor], name: str, end: str, adapter: Adapter, file: Path) -> None:
    at = name.removesuffix(end)
    a, b = tensors[name], tensors.get(at + PAIRS[end])
    owner, weight = _owner(module, at), _weight(module, at)
    if owner is None or weight is None or b is None or a.ndim != 2 or b.ndim != 2:
        raise MetaglotError(f"{file}: its {name} has no weight matrix in the base model; {WAY_OUT}")
    update = b.float() @ a.float() if a.shape[0] == b.shape[1] else a.new_empty(0, 0)
    # An embedding is looked up by its rows, and GPT-2's layers hold their matrices turned round.
    update = update.T if isinstance(owner, Conv1D) or end == ".lora_embedding_A" else update
    if update.shape != weight.shape:
        raise MetaglotError(f"{file}: its {name} does not fit the base model, whose weight is {list(weight.shape)}")
    weight.add_(update.to(weight), alpha=_scale(adapter, at, rank=a.shape[0]))


def _scale(adapter: Adapter, at: str, *, rank: int) -> float:
    patterns = adapter.alpha_pattern or {}
    own = next((value for key, value in patterns.items() if re.match(rf"(.*\.)?({key})$", at)), adapter.lora_alpha)
    return own / (math.sqrt(rank) if adapter.use_rslora else rank)


def _put(module: nn.Module, name: str, value: Tensor, file: Path) -> bool:
    """Put a whole weight in the base's place; return False where it is of a head that the network has not."""
    at, _, leaf = name.rpartition(".")
    owner = _owner(module, at)
    own = None if owner is None else dict(owner.named_parameters(recurse=False)).get(leaf)
    if own is None and at.split(".")[0] in ("classifier", "score", "pre_classifier", "qa_outputs", "lm_head"):
        return False
    if own is None or own.shape != value.shape:
        raise MetaglotError(f"{file}: its {name} is not supported, or does not fit the base model; {WAY_OUT}")
    own.copy_(value.to(own))
    return True


def _owner(module: nn.Module, at: str) -> nn.Module | None:
    """Return the layer at a path, which may begin with the name that a model with a head has for its base model."""
    prefix = f"{cast('Any', module).base_model_prefix}."
    layers = dict(module.named_modules())
    return layers.get(at) or layers.get(at.removeprefix(prefix)) or layers.get(prefix + at)


def _weight(module: nn.Module, at: str) -> Tensor | None:
    owner = _owner(module, at)
    return None if owner is None else dict(owner.named_parameters(recurse=False)).get("weight")
