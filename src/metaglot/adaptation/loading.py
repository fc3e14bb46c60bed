"""One call loads all that metaglot makes or takes: a model, a run, an adaptation."""

import os
from pathlib import Path

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.model import Model, load_model
from metaglot.adaptation.storage import load_adapted
from metaglot.data.folders import ADAPTED, folder_of, is_file
from metaglot.errors import MetaglotError
from metaglot.models import Runtime
from metaglot.models.devices import Precision


def load_any(name: str | Path, *, device: str = "auto", precision: Precision = "auto") -> Model | Adapted:
    """Return the model called `name`, or the adaptation in the folder of that name; see `metaglot.load`."""
    try:
        name = os.fspath(name)
    except TypeError as error:
        raise MetaglotError(f"load: expected the name of a model as text or a path, got {name!r:.100}") from error
    runtime = Runtime(precision=precision, device=device)
    folder = folder_of(name)
    return load_adapted(folder, runtime=runtime) if is_file(folder / ADAPTED) else load_model(name, runtime)
