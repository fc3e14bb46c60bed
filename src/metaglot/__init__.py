"""metaglot: language models that learn a new text task from a handful of examples.

import metaglot
model = metaglot.load("builtin:mini")
adapted = model.adapt(texts, labels)
adapted.predict(["a new text"])
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from metaglot.errors import MetaglotError
from metaglot.version import __version__

if TYPE_CHECKING:
    from metaglot.adaptation import Adapted, Model
    from metaglot.models.devices import Precision

__all__ = ["Adapted", "MetaglotError", "__version__", "load"]


@overload
def load(
    name: Literal["builtin:mini", "builtin:minilm", "builtin:tiny"],
    *,
    device: str = "auto",
    precision: "Precision" = "auto",
) -> "Model": ...


@overload
def load(name: "str | Path", *, device: str = "auto", precision: "Precision" = "auto") -> "Model | Adapted": ...


def load(name: "str | Path", *, device: str = "auto", precision: "Precision" = "auto") -> "Model | Adapted":
    """Return the model called `name`, ready to embed and adapt; of a folder that `adapt` saved, the `Adapted`.

    `name` is `builtin:mini` (meta-pretrained), `builtin:minilm` (its base), `builtin:tiny`, a Hugging Face folder, a
    hub id, a run directory, or the folder of an adaptation.  `device` is auto, cpu, cuda, cuda:N or mps; `precision` is
    auto (bf16 where the processor multiplies it in hardware), bf16 or fp32; an adaptation has by default the one that
    it was made in.  Raises MetaglotError where it is absent or damaged.
    """
    from metaglot.adaptation import load_any  # torch takes seconds to import

    return load_any(name, device=device, precision=precision)


def __getattr__(name: str) -> Any:
    if name == "Adapted":
        from metaglot.adaptation import Adapted

        return Adapted
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
