"""A name becomes a model: a built-in one, a folder, a hub id, or a run with what it learnt."""

from pathlib import Path

from metaglot.adaptation.model import LENGTH, Model
from metaglot.data.folders import RUN, Run, folder_of, is_dir, is_run, read_run
from metaglot.data.shipped import shipped_folder
from metaglot.errors import MetaglotError
from metaglot.models import Backbone, Runtime, load_backbone
from metaglot.models.averaging import averaged
from metaglot.models.delta import restored
from metaglot.models.finite import check_finite
from metaglot.models.load import check_length, positions_of
from metaglot.training.checkpoint import load_params
from metaglot.types import Params

LONGEST = 512  # tokens, whatever the backbone's folder says


def load_model(name: str | Path, runtime: Runtime = Runtime()) -> Model:
    """Return the model called `name`: `builtin:mini`, another built-in one, a folder, a hub id, or a run.

    Raises MetaglotError where it is absent or damaged.
    """
    folder = folder_of(name)
    if not is_run(folder):
        source = str(folder.resolve()) if is_dir(folder) else str(name)
        backbone = load_backbone(str(name), runtime)
        length = min(LONGEST, backbone.length or LENGTH, positions_of(backbone))
        if str(name).startswith("builtin:"):
            length = min(length, LENGTH)
        return Model(str(name), backbone, {}, length, source=source)
    run = read_run(folder)
    backbone = load_backbone(run.base, runtime)
    check_length(backbone, run.max_length, f"{folder / RUN}")
    meta = weights_of(run, backbone)
    kept = {name: value for name, value in meta.items() if not name.startswith("heads.")}
    provenance = {**run.described, "run": folder.name, "step": run.checkpoint.name}
    source = str(name) if shipped_folder(name) else str(folder.resolve())
    return Model(folder.name, backbone, kept, run.max_length, provenance, source=source)


def weights_of(run: Run, backbone: Backbone) -> Params:
    """Return what a run learnt as it is used: of a shrunk one with its base, averaged where the run says so.

    Raises MetaglotError where it does not fit its base model.
    """
    own = {**backbone.learner.body(), **backbone.learner.language_head()}
    learnt = load_params(run.checkpoint, device=backbone.learner.device)
    check_finite(learnt, str(run.checkpoint))
    meta = restored(own, learnt)
    _check_fits(meta, backbone, run.checkpoint)
    return averaged(own, meta, run.average_with_base)


def _check_fits(meta: Params, backbone: Backbone, checkpoint: Path) -> None:
    body = backbone.learner.body()
    for name, value in meta.items():
        if name.startswith("body.") and (name not in body or body[name].shape != value.shape):
            raise MetaglotError(f"{checkpoint}: its {name} does not fit the base model {backbone.name}")
