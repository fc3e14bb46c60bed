"""A name becomes a model: a built-in one, a folder, a hub id, or a run with what it learnt."""

from dataclasses import replace
from pathlib import Path

from metaglot.adaptation.encoder import LENGTH, Encoder
from metaglot.data.arguments import check_name
from metaglot.data.folders import RUN, folder_of, is_dir, is_run, read_run
from metaglot.data.shipped import shipped_folder
from metaglot.data.trained import named_in
from metaglot.models import Runtime, load_backbone
from metaglot.models.limits import check_least, check_length, longest
from metaglot.models.load import is_half, load_base
from metaglot.runs.weights import weights_of

LONGEST = 512  # tokens, whatever the backbone's folder says


def load_encoder(name: str | Path, runtime: Runtime = Runtime()) -> Encoder:
    """Return the model called `name`: `builtin:mini`, another built-in one, a folder, a hub id, or a run.

    Raises MetaglotError where it is absent or damaged.
    """
    name = check_name("load_model", name)
    folder = folder_of(name)
    if not is_run(folder):
        source = str(folder.resolve()) if is_dir(folder) else name
        backbone = load_backbone(name, runtime)
        most = LENGTH if name.startswith("builtin:") else LONGEST
        length = longest(backbone, min(most, backbone.length or LENGTH))
        check_least(backbone, length, name)
        return Encoder(name, backbone, {}, length, source=source)
    run = read_run(folder)
    backbone = load_base(run, runtime)
    check_length(backbone, run.max_length, f"{folder / RUN}")
    meta = weights_of(run, backbone)
    kept = {name: value for name, value in meta.items() if not name.startswith("heads.")}
    provenance = {**run.described, "run": folder.name, "step": run.checkpoint.name}
    source = name if shipped_folder(name) else str(folder.resolve())
    return Encoder(folder.name, backbone, kept, run.max_length, provenance, source, named_in(run.described))


def writer_of(encoder: Encoder) -> Encoder:
    """Return the model with its decoder, where it has one that stayed away: T5 and its kin load without it."""
    if not is_half(encoder.backbone):
        return encoder
    name = encoder.source if encoder.meta else encoder.backbone.name
    key = repr((name, encoder.name, encoder.max_length, encoder.reads))
    if key in encoder.kept:  # read once, however often it adapts
        return encoder.kept[key]
    loaded = load_encoder(name, Runtime(encoder.precision, device=str(encoder.backbone.learner.device), writes=True))
    whole = replace(loaded, name=encoder.name, max_length=encoder.max_length, reads=encoder.reads)
    return encoder.kept.setdefault(key, whole)
