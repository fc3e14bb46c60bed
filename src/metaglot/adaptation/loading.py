"""One call loads all that metaglot makes or takes: a model, a run, an adaptation."""

from pathlib import Path

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.load import load_model
from metaglot.adaptation.model import Model
from metaglot.adaptation.storage import load_adapted
from metaglot.data.arguments import check_name, check_text
from metaglot.data.folders import ADAPTED, folder_of, is_file
from metaglot.models import Runtime
from metaglot.models.devices import Precision


def load_any(name: str | Path, *, device: str = "auto", precision: Precision = "auto") -> Model | Adapted:
    """Return the model called `name`, or the adaptation in the folder of that name; see `metaglot.load`."""
    name = check_name("load", name)
    check_text("precision", precision)
    runtime = Runtime(precision=precision, device=check_text("device", device))
    folder = folder_of(name)
    return load_adapted(folder, runtime=runtime) if is_file(folder / ADAPTED) else load_model(name, runtime)
