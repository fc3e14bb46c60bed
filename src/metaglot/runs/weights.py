"""What a run learnt, read as it is used: whole where it was shrunk, averaged with its base where the run says so."""

from pathlib import Path

from metaglot.data.folders import Run
from metaglot.errors import MetaglotError
from metaglot.models import Backbone
from metaglot.models.averaging import averaged
from metaglot.models.delta import restored
from metaglot.models.finite import check_finite
from metaglot.training.checkpoint import load_params
from metaglot.types import Params


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
