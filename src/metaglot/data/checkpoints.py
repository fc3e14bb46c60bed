"""The checkpoints of a run, looked at without torch: which are whole, which are damaged, and putting those aside."""

import shutil
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import Field

from metaglot.data.checked import Stored, read_stored
from metaglot.data.flushing import flush
from metaglot.data.folders import list_steps
from metaglot.data.manifest import damage_in
from metaglot.data.rawfiles import is_there
from metaglot.data.weightfiles import check_entries, damage_of
from metaglot.errors import MetaglotError

STATE = "state.json"
PARAMS = "params.safetensors"
ASIDE = "damaged-"  # begins the name of a checkpoint that was put aside, in the place of "step-"
WAY_OUT = "remove the checkpoint, and the run continues from the one before"
TO_USE = (
    "go on with the run (`metaglot pretrain … --resume`), or let `metaglot runs clean` remove the checkpoint, so that "
    "the one before is used"
)


class StoredState(Stored):
    """What `state.json` holds."""

    step: int = Field(ge=0, lt=1 << 63)
    seed: int
    cpu_seconds: float = Field(ge=0)
    goal: dict[str, Annotated[float, Field(allow_inf_nan=True)]]
    parts: list[Literal["params", "moments", "snapshot", "combine"]]
    pending: tuple[Annotated[int, Field(ge=0, lt=1 << 63)], ...] = ()  # of an asynchronous run


class Damaged(NamedTuple):
    """A checkpoint that is not as it was written."""

    folder: Path
    why: str


def read_state(folder: Path) -> StoredState:
    """Return what the state of a checkpoint says; raise MetaglotError where it is absent or damaged."""
    if not is_there(folder / STATE):
        raise MetaglotError(f"{folder}: the checkpoint is damaged (there is no {STATE}); {WAY_OUT}")
    return read_stored(folder / STATE, StoredState, WAY_OUT)


def weights_alone(folder: Path) -> bool:
    """Return whether a checkpoint is that of a shrunk or averaged run, from which no run goes on."""
    return is_there(folder / PARAMS) and not any(is_there(folder / name) for name in (STATE, "moments.safetensors"))


def damage_of_checkpoint(folder: Path) -> str | None:
    """Return what is wrong with a checkpoint or None: by its hashes or, where it has none, by its headers."""
    try:
        check_entries(folder)
        if why := damage_in(folder):
            return why
        parts = ["params"] if weights_alone(folder) else list(dict.fromkeys(("params", *read_state(folder).parts)))
    except MetaglotError as error:
        return str(error).removeprefix(f"{folder}: ").removesuffix(f"; {WAY_OUT}")
    wrong = ((name, damage_of(folder / f"{name}.safetensors")) for name in parts)
    return next((f"{name}.safetensors: {why}" for name, why in wrong if why), None)


def check_params(folder: Path) -> None:
    """Raise MetaglotError where the parameters of a checkpoint are not as they were written; its other files may be."""
    if why := damage_in(folder, (PARAMS,)):
        raise MetaglotError(f"{folder}: the checkpoint is damaged ({why}); {TO_USE}")


def newest_whole(run: Path) -> tuple[Path | None, list[Damaged]]:
    """Return the newest checkpoint of a run that is whole, and the damaged ones after it, the newest first."""
    damaged: list[Damaged] = []
    for step in reversed(list_steps(run)):
        folder = run / "checkpoints" / f"step-{step}"
        why = damage_of_checkpoint(folder)
        if why is None:
            return folder, damaged
        damaged.append(Damaged(folder, why))
    return None, damaged


def put_aside(checkpoint: Path) -> Path:
    """Rename a damaged checkpoint, so that nothing reads it any more, and return its new folder."""
    target = checkpoint.with_name(ASIDE + checkpoint.name.removeprefix("step-"))
    shutil.rmtree(target, ignore_errors=True)
    checkpoint.rename(target)
    flush(target.parent)
    return target
