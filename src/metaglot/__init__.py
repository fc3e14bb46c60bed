"""metaglot: language models that learn a new text task from a handful of examples.

import metaglot
model = metaglot.load("builtin:mini")
adapted = model.adapt(texts, labels)
adapted.predict(["a new text"])
"""

from typing import TYPE_CHECKING, Any

from metaglot.errors import MetaglotError
from metaglot.version import __version__

if TYPE_CHECKING:
    from metaglot.adaptation import Adapted, Model

__all__ = ["Adapted", "MetaglotError", "__version__", "load"]


def load(name: str) -> "Model":
    """Return the model called `name`, ready to embed and adapt.

    `name` is `builtin:mini` (meta-pretrained), `builtin:minilm` (its base), `builtin:tiny`, a Hugging Face folder, a
    hub id, or a run directory.  Raises MetaglotError where it is absent or damaged.
    """
    from metaglot.adaptation import load_model  # torch takes seconds to import

    return load_model(name)


def __getattr__(name: str) -> Any:
    if name == "Adapted":
        from metaglot.adaptation import Adapted

        return Adapted
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
