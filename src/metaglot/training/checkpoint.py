"""Checkpoints: `checkpoints/step-N/` with safetensors and JSON, complete or absent, never half-written."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import torch
from pydantic import Field
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from metaglot.data.checked import Stored, read_stored
from metaglot.data.folders import latest, list_steps
from metaglot.data.modes import usual_mode
from metaglot.data.rawfiles import is_there
from metaglot.data.weightfiles import check_entries
from metaglot.errors import MetaglotError
from metaglot.training.state import State
from metaglot.types import Params

__all__ = ["clean", "latest", "list_steps", "load", "load_params", "save"]

PARTS = ("params", "moments", "snapshot", "combine")
WAY_OUT = "remove the checkpoint, and the run continues from the one before"


class _Plain(Stored):
    """What `state.json` holds."""

    step: int = Field(ge=0, lt=1 << 63)
    seed: int
    cpu_seconds: float = Field(ge=0)
    goal: dict[str, Annotated[float, Field(allow_inf_nan=True)]]
    parts: list[Literal["params", "moments", "snapshot", "combine"]]


def save(state: State, run: Path, *, keep: int = 2) -> Path:
    """Write the state to `run/checkpoints/step-N`, drop all but the newest `keep`, and return the folder.

    The folder is written under another name, flushed to the disk and renamed, so that a crash at any moment
    leaves the earlier checkpoints whole.  Raises MetaglotError where it cannot be written, with those untouched.
    """
    folder = run / "checkpoints"
    target, part = folder / f"step-{state.step}", folder / f".part-{state.step}-{os.getpid()}"
    try:
        _write(state, folder, part)
        if target.exists():  # the same step again after a resume: the same bytes, so either will do
            shutil.rmtree(part)
        else:
            part.rename(target)
        _flush(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise MetaglotError(
            f"{target}: the checkpoint cannot be written: {error}. What was saved before is whole; free some space, "
            "then go on with --resume"
        ) from error
    for old in list_steps(run)[: -max(1, keep)]:
        gone = folder / f".part-old-{old}"
        (folder / f"step-{old}").rename(gone)
        shutil.rmtree(gone)
    return target


def load(folder: Path, *, device: torch.device) -> State:
    """Return the state saved in a checkpoint folder; raise MetaglotError if it is damaged, or holds weights alone."""
    if [file.name for file in folder.glob("*")] == ["params.safetensors"]:
        raise MetaglotError(
            f"{folder}: a shrunk or averaged run, which holds weights alone and cannot go on; begin another run from "
            "it, with model.name in a recipe"
        )
    check_entries(folder)
    if not is_there(folder / "state.json"):
        raise MetaglotError(f"{folder}: the checkpoint is damaged (there is no state.json); {WAY_OUT}")
    plain = read_stored(folder / "state.json", _Plain, WAY_OUT)
    try:
        parts: dict[str, Params] = {
            name: _load_part(folder / f"{name}.safetensors", device) for name in PARTS if name in plain.parts
        }
    except (OSError, SafetensorError) as error:
        raise MetaglotError(f"{folder}: the checkpoint is damaged ({error}); {WAY_OUT}") from error
    state = State(step=plain.step, params={}, seed=plain.seed, cpu_seconds=plain.cpu_seconds)
    return replace(state, goal=plain.goal, **parts)


def load_params(folder: Path, *, device: torch.device) -> Params:
    """Return only the meta-parameters of a checkpoint."""
    try:
        return _load_part(folder / "params.safetensors", device)
    except (OSError, SafetensorError) as error:
        raise MetaglotError(f"{folder}: the checkpoint is damaged ({error})") from error


def clean(run: Path) -> None:
    """Remove what an interrupted `save` left behind."""
    folder = run / "checkpoints"
    for part in folder.glob(".part-*") if folder.is_dir() else ():
        shutil.rmtree(part, ignore_errors=True)


def _write(state: State, folder: Path, part: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    parts: dict[str, Mapping[str, Tensor]] = {name: getattr(state, name) for name in PARTS if getattr(state, name)}
    for name, tensors in parts.items():
        whole = {k: v.detach().contiguous().cpu() for k, v in sorted(tensors.items())}
        with usual_mode(part / f"{name}.safetensors") as file:
            save_file(whole, file)
    plain = {
        "step": state.step,
        "seed": state.seed,
        "cpu_seconds": state.cpu_seconds,
        "goal": dict(state.goal),
        "parts": list(parts),
    }
    (part / "state.json").write_text(json.dumps(plain, indent=1) + "\n", "utf-8")
    for file in part.iterdir():
        _flush(file)


def _load_part(file: Path, device: torch.device) -> dict[str, Tensor]:
    # A copy is aligned as a fresh tensor is, which a view into the file is not: sums may depend on it.
    loaded = {name: value.clone() for name, value in load_file(file).items()}
    # Adam's step counters stay on the CPU; an optimiser that wants them elsewhere moves them (`make_optimiser`).
    return {name: value if name.startswith("step.") else value.to(device) for name, value in loaded.items()}


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
