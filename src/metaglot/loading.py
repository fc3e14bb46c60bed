"""`load` reads a model or an adaptation by name; torch is imported when it is called, not before."""

from pathlib import Path
from typing import TYPE_CHECKING, Literal, overload

if TYPE_CHECKING:
    from metaglot.adaptation import Adapted, Model
    from metaglot.models.devices import Precision


@overload
def load(
    name: Literal[
        "builtin:mini",
        "builtin:multilingual",
        "builtin:minilm",
        "builtin:e5",
        "builtin:mpnet",
        "builtin:smol",
        "builtin:tiny",
    ],
    *,
    device: str = "auto",
    precision: "Precision" = "auto",
) -> "Model": ...


@overload
def load(name: "str | Path", *, device: str = "auto", precision: "Precision" = "auto") -> "Model | Adapted": ...


def load(name: "str | Path", *, device: str = "auto", precision: "Precision" = "auto") -> "Model | Adapted":
    """Return the model of that name, ready to embed and adapt; from a folder that `Adapted.save` wrote, the adaptation.

    Parameters
    ----------
    name : str or Path
        `builtin:mini` (meta-pretrained), `builtin:multilingual` (of many languages), their bases `builtin:minilm` and
        `builtin:e5`, the larger English encoder `builtin:mpnet`, the decoder `builtin:smol`, `builtin:tiny`, a Hugging
        Face folder, a hub id, a run directory, or the folder of an adaptation.
    device : str, default="auto"
        auto, cpu, cuda, cuda:N or mps.
    precision : {"auto", "bf16", "fp32"}, default="auto"
        The precision of the network.  `auto` is bf16 where the processor multiplies it in hardware; for an adaptation,
        `auto` is the precision that it was made in.

    Returns
    -------
    Model or Adapted
        What the name stands for.

    Raises
    ------
    MetaglotError
        Where the model is absent or damaged, and for arguments of another type.

    Examples
    --------
    >>> import metaglot as mg
    >>> model = mg.load("builtin:mini")
    >>> adapted = model.adapt(["So good!", "Great.", "So bad!", "Awful."], [1, 1, 0, 0], names={1: "good", 0: "bad"})
    >>> adapted.predict("I love it.")
    1
    >>> mg.load(adapted.save("my-model")).predict("I love it.")
    1
    """
    from metaglot.adaptation import load_any  # torch takes seconds to import

    return load_any(name, device=device, precision=precision)
