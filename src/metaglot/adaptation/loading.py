"""One call loads all that metaglot makes or takes: a model, a run, an adaptation."""

import os
from pathlib import Path

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.arguments import check_text, shown
from metaglot.adaptation.load import load_model
from metaglot.adaptation.model import Model
from metaglot.adaptation.storage import load_adapted
from metaglot.data.folders import ADAPTED, folder_of, is_file
from metaglot.errors import MetaglotError
from metaglot.models import Runtime
from metaglot.models.devices import Precision


def load_any(name: str | Path, *, device: str = "auto", precision: Precision = "auto") -> Model | Adapted:
    """Return the model called `name`, or the adaptation in the folder of that name; see `metaglot.load`."""
    if not isinstance(name, str | os.PathLike) or not isinstance(name := os.fspath(name), str):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise MetaglotError(f"load: expected the name of a model as text or a path, got {shown(name)}")
    check_text("precision", precision)
    runtime = Runtime(precision=precision, device=check_text("device", device))
    folder = folder_of(name)
    return load_adapted(folder, runtime=runtime) if is_file(folder / ADAPTED) else load_model(name, runtime)
