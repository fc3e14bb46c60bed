"""Checkpoints: `checkpoints/step-N/` with safetensors and JSON, complete or absent, never half-written."""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from errno import EIO
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from metaglot.data.checkpoints import (
    PARAMS,
    STATE,
    TO_USE,
    WAY_OUT,
    Damaged,
    check_params,
    damage_of_checkpoint,
    newest_whole,
    put_aside,
    read_state,
    weights_alone,
)
from metaglot.data.flushing import flush, flush_all
from metaglot.data.folders import latest, list_steps
from metaglot.data.manifest import write_manifest
from metaglot.data.modes import usual_mode
from metaglot.errors import MetaglotError
from metaglot.training.state import State
from metaglot.types import Params

__all__ = ["clean", "latest", "list_steps", "load", "load_newest", "load_params", "save"]

PARTS = ("params", "moments", "snapshot", "combine")


def save(state: State, run: Path, *, keep: int = 2) -> Path:
    """Write the state to `run/checkpoints/step-N`, drop all but the newest `keep`, and return the folder.

    The folder is written under another name, flushed to the disk, read back and compared, and renamed, so that a crash
    at any moment leaves the earlier checkpoints whole; those go only after it.  `manifest.json` has the SHA-256 of each
    of its files.  Raises MetaglotError where it cannot be written, with the earlier ones untouched.
    """
    folder = run / "checkpoints"
    target, part = folder / f"step-{state.step}", folder / f".part-{state.step}-{os.getpid()}"
    try:
        _write(state, folder, part)
        if target.exists() and damage_of_checkpoint(target):
            put_aside(target)
        if target.exists():  # the same step again after a resume: the same bytes, so either will do
            shutil.rmtree(part)
        else:
            part.rename(target)
        flush(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        raise MetaglotError(
            f"{target}: the checkpoint cannot be written: {error}. What was saved before is whole; free some space, "
            "then go on with --resume"
        ) from error
    for old in list_steps(run)[: -max(1, keep)]:
        gone = folder / f".part-old-{old}"
        shutil.rmtree(gone, ignore_errors=True)
        (folder / f"step-{old}").rename(gone)
        shutil.rmtree(gone)
    return target


def load(folder: Path, *, device: torch.device) -> State:
    """Return the state saved in a checkpoint folder; raise MetaglotError if it is damaged, or holds weights alone."""
    if weights_alone(folder):
        raise MetaglotError(
            f"{folder}: a shrunk or averaged run, which holds weights alone and cannot go on; begin another run from "
            "it, with model.name in a recipe"
        )
    if why := damage_of_checkpoint(folder):
        raise MetaglotError(f"{folder}: the checkpoint is damaged ({why}); {WAY_OUT}")
    return _read(folder, device)


def load_newest(run: Path, *, device: torch.device) -> tuple[State | None, list[Damaged]]:
    """Return the state of the newest checkpoint that is whole, None where there is none, and the damaged ones after it.

    Raises MetaglotError where there are checkpoints and none is whole.
    """
    whole, damaged = newest_whole(run)
    if whole is not None:
        return load(whole, device=device) if weights_alone(whole) else _read(whole, device), damaged
    if damaged:
        listed = "; ".join(f"{one.folder.name}: {one.why}" for one in damaged)
        raise MetaglotError(
            f"{run}: the run cannot go on, since no checkpoint is whole ({listed}). Put back a copy of one of them, or "
            "start over with --force"
        )
    return None, []


def load_params(folder: Path, *, device: torch.device) -> Params:
    """Return only the meta-parameters of a checkpoint; raise MetaglotError where they are damaged."""
    check_params(folder)
    try:
        return _load_part(folder / PARAMS, device)
    except (OSError, SafetensorError) as error:
        raise MetaglotError(f"{folder}: the checkpoint is damaged ({error}); {TO_USE}") from error


def clean(run: Path) -> None:
    """Remove what an interrupted `save` left behind."""
    folder = run / "checkpoints"
    for part in folder.glob(".part-*") if folder.is_dir() else ():
        shutil.rmtree(part, ignore_errors=True)


def _write(state: State, folder: Path, part: Path) -> None:
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        flush(folder.parent)  # where the name of the folder stands
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
        **({"pending": list(state.pending)} if state.pending else {}),
    }
    (part / STATE).write_text(json.dumps(plain, indent=1) + "\n", "utf-8")
    for name, tensors in parts.items():
        _check_written(part / f"{name}.safetensors", tensors)
    write_manifest(part)
    flush_all(part)


def _read(folder: Path, device: torch.device) -> State:
    plain = read_state(folder)
    try:
        parts: dict[str, Params] = {
            name: _load_part(folder / f"{name}.safetensors", device) for name in PARTS if name in plain.parts
        }
    except (OSError, SafetensorError) as error:
        raise MetaglotError(f"{folder}: the checkpoint is damaged ({error}); {WAY_OUT}") from error
    state = State(step=plain.step, params={}, seed=plain.seed, cpu_seconds=plain.cpu_seconds, pending=plain.pending)
    return replace(state, goal=plain.goal, **parts)


def _check_written(file: Path, tensors: Mapping[str, Tensor]) -> None:
    """Raise OSError unless a file reads back as the tensors in memory, bit for bit."""
    with safe_open(file, "pt") as opened:
        for name, value in tensors.items():
            if not torch.equal(_bits(opened.get_tensor(name)), _bits(value.detach().cpu())):
                raise OSError(EIO, f"{file.name} reads back otherwise than it was written ({name}); check the disk")


def _bits(value: Tensor) -> Tensor:
    return value.contiguous().reshape(-1).view(torch.uint8)


def _load_part(file: Path, device: torch.device) -> dict[str, Tensor]:
    # A copy is aligned as a fresh tensor is, which a view into the file is not: sums may depend on it.
    loaded = {name: value.clone() for name, value in load_file(file).items()}
    # Adam's step counters stay on the CPU; an optimiser that wants them elsewhere moves them (`make_optimiser`).
    return {name: value if name.startswith("step.") else value.to(device) for name, value in loaded.items()}
