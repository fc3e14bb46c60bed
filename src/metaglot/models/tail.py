"""Layers on the pooled vector, as sentence-transformers has them: Dense, LayerNorm, Normalize.

They are a part of the network called `sentence`, so that their weights are parameters `body.sentence.*` like any
other of the body: they are meta-learnt, adapted, saved and read with it, and gradients reach the tokens through them.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from metaglot.data.sentence import WAY_OUT, Layer
from metaglot.errors import MetaglotError

TAIL = "sentence"
ACTIVATIONS: Mapping[str, type[nn.Module]] = {
    f"torch.nn.modules.{where}.{kind.__name__}": kind
    for where, kinds in {
        "activation": (nn.Tanh, nn.ReLU, nn.GELU, nn.SiLU, nn.Sigmoid, nn.ELU, nn.Mish, nn.LeakyReLU),
        "linear": (nn.Identity,),
    }.items()
    for kind in kinds
}


class Dense(nn.Module):
    """act(W x + b), and x (or R x, where widths differ) added to it where there is a residual."""

    def __init__(self, shape: tuple[int, int], act: nn.Module, *, bias: bool, residual: bool) -> None:
        super().__init__()
        self.linear = nn.Linear(*shape, bias=bias)
        self.act = act
        self.adds = residual
        self.residual = nn.Linear(*shape, bias=False) if residual and shape[0] != shape[1] else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:  # [B, D] -> [B, E]
        """Return the layer's output."""
        features = self.act(self.linear(x))
        return features + self.residual(x) if self.adds else features


class Norm(nn.Module):
    """Layer normalisation."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:  # [B, D] -> [B, D]
        """Return the normalised vectors."""
        return self.norm(x)


class Unit(nn.Module):
    """x / ‖x‖."""

    def forward(self, x: Tensor) -> Tensor:  # [B, D] -> [B, D]
        """Return vectors of length one."""
        return nn.functional.normalize(x, dim=-1)


def read_tail(folder: Path, layers: Sequence[Layer]) -> nn.Module | None:
    """Return the layers with their weights; None where there are none but a last normalisation, which is the learner's.

    Raises MetaglotError where weights are absent or do not fit, and for an activation that is not supported.
    """
    kept = layers[:-1] if layers and layers[-1].kind == "Normalize" else layers
    if not kept:
        return None
    tail = nn.Sequential()
    for at, layer in enumerate(kept, 1):
        # No name is a bare number: those are numbers of a network's layers.
        tail.add_module(f"{at}_{layer.kind}", _read(folder / layer.path, layer))
    return tail


def tail_of(module: nn.Module) -> nn.Module | None:
    """Return the layers on the pooled vector that a network has, or None."""
    return dict(module.named_children()).get(TAIL)


def _read(folder: Path, layer: Layer) -> nn.Module:
    if layer.kind == "Normalize":
        return Unit()
    file = folder / "model.safetensors"
    try:
        module = _dense(folder, layer.settings) if layer.kind == "Dense" else Norm(_width(layer.settings, "dimension"))
    except (KeyError, TypeError, ValueError) as error:
        raise MetaglotError(f"{folder / 'config.json'}: damaged ({error!r:.150}); download the model again") from error
    if not file.is_file():
        raise MetaglotError(
            f"{file}: no such file; where only pytorch_model.bin is there, save the model again with "
            "sentence-transformers (model.save_pretrained), which writes safetensors"
        )
    try:
        module.load_state_dict({name: value.to(torch.float32) for name, value in load_file(file).items()})
    except (OSError, SafetensorError, RuntimeError) as error:
        raise MetaglotError(f"{file}: its weights do not fit ({' '.join(str(error).split()):.200})") from error
    return module


def _dense(folder: Path, settings: Mapping[str, Any]) -> Dense:
    name = str(settings.get("activation_function", "torch.nn.modules.activation.Tanh"))
    if name not in ACTIVATIONS:
        names = ", ".join(kind.__name__ for kind in ACTIVATIONS.values())
        raise MetaglotError(f"{folder / 'config.json'}: the activation {name} is not supported ({names}); {WAY_OUT}")
    shape = _width(settings, "in_features"), _width(settings, "out_features")
    bias, residual = bool(settings.get("bias", True)), bool(settings.get("use_residual", False))
    return Dense(shape, ACTIVATIONS[name](), bias=bias, residual=residual)


def _width(settings: Mapping[str, Any], name: str) -> int:
    width = int(cast("int", settings[name]))
    if not 1 <= width <= 1 << 20:
        raise ValueError(f"{name} {width}")
    return width
