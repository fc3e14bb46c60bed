"""A run in few bytes: `model.json`, and what it changed of its base model in low rank (`models/delta.py`)."""

import json
from pathlib import Path
from typing import NamedTuple

from safetensors.torch import save_file

from metaglot.data.cache import atomic_folder
from metaglot.data.checked import sealed
from metaglot.data.folders import RUN, Run, new_folder, run_at
from metaglot.data.locks import writing
from metaglot.data.manifest import write_manifest
from metaglot.data.modes import usual_mode
from metaglot.data.naming import name_record
from metaglot.data.seen import read_seen, whole_texts, write_seen
from metaglot.errors import MetaglotError
from metaglot.models import Runtime
from metaglot.models.delta import shrunk
from metaglot.models.limits import check_length
from metaglot.models.load import load_base
from metaglot.runs.weights import weights_of

MEGABYTE = 10**6


class Smaller(NamedTuple):
    """What came of it."""

    bytes: int  # of the weights
    kept: float  # share of the squared change of the matrices


def shrink(
    run: str | Path, out: str | Path, *, megabytes: float = 4.0, max_length: int | None = None, force: bool = False
) -> Smaller:
    """Write a run as a difference of at most so many megabytes from its base model, which is loaded like the run.

    `out` must not exist, or hold a shrunk or averaged run, which `force` replaces.  It is loaded, adapted and evaluated
    as a run is, wherever its base model is found, but cannot be trained further.  Beside those megabytes it keeps the
    hash of each training text, eight bytes, where the run has it.  `max_length` is how many tokens of a text it reads,
    as many as the run if absent.  Raises MetaglotError for what is no run, for one whose base was made for it alone,
    and where even what cannot be made smaller takes more.
    """
    source, contents = run_at(run)
    target = new_folder(out, force=force)
    with writing(target):
        new_folder(target, force=force)  # another process may have made it until now
        if max_length is not None:
            contents = contents._replace(max_length=max_length)
        return _shrunk_into(target, str(run), source, contents, megabytes)


def _shrunk_into(target: Path, name: str, source: Path, run: Run, megabytes: float) -> Smaller:
    if Path(run.base).parent == source:
        raise MetaglotError(f"{name}: its base model was made for it alone, so a difference from it is of no use")
    backbone = load_base(run, Runtime(device="cpu"))
    check_length(backbone, run.max_length, name)
    base = {**backbone.learner.body(), **backbone.learner.language_head()}
    small = shrunk(base, weights_of(run, backbone), int(megabytes * MEGABYTE))
    described = {key: value for key, value in run.described.items() if key != "average_with_base"}
    described |= name_record("base", run.base, target) | {"max_length": run.max_length}
    described["shrunk"] = {"megabytes": megabytes, "kept": round(small.kept, 4)}
    with atomic_folder(target, replace=target.is_dir()) as part:
        weights = part / "checkpoints" / run.checkpoint.name / "params.safetensors"
        weights.parent.mkdir(parents=True)
        with usual_mode(weights):
            save_file(small.tensors, weights)
        write_manifest(weights.parent)
        (part / RUN).write_text(json.dumps(sealed(described), indent=1, ensure_ascii=False) + "\n", "utf-8")
        if seen := read_seen(source):
            write_seen(part, whole_texts(seen))
        size = weights.stat().st_size
    return Smaller(size, small.kept)
