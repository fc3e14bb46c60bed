"""What run folders hold, without torch: how far each has come, whether its checkpoints are whole, who trains there."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from metaglot.data.checkpoints import ASIDE, damage_of_checkpoint, weights_alone
from metaglot.data.folders import RUN, is_run, list_steps
from metaglot.data.locks import holder_of
from metaglot.data.parts import ENDING
from metaglot.data.rawfiles import is_there, read_bytes
from metaglot.data.runfile import RunFile, read_described
from metaglot.data.yamltext import parse_yaml
from metaglot.errors import MetaglotError

PRUNED = frozenset({"checkpoints", "seen", "tensorboard", "trackio", "wandb"})  # folders that hold no run


class Checkpoint(NamedTuple):
    """A checkpoint of a run."""

    folder: Path
    step: int
    bytes: int
    damage: str | None  # what is wrong with it; None if it is whole
    aside: bool = False  # whether it was found damaged, and put aside


class RunFacts(NamedTuple):
    """A run."""

    folder: Path
    algorithm: str
    base: str
    steps: int | None  # of all; None where the folder does not say
    resumable: bool  # False of a shrunk or averaged run
    checkpoints: tuple[Checkpoint, ...]  # ascending, those that were put aside too
    validation: dict[str, float]  # the last one, by the names of metrics
    primary: str  # the last score of the first metric, with its unit; "" where there is none
    bytes: int
    seconds: float  # since anything was written there
    writer: str | None  # who writes there; None if nobody does
    fault: str | None = None  # what is wrong with model.json or metrics.jsonl

    @property
    def newest(self) -> Checkpoint | None:
        """The newest checkpoint, but for those that were put aside."""
        return next((one for one in reversed(self.checkpoints) if not one.aside), None)


def run_folders(path: Path) -> Iterator[Path]:
    """Yield the runs in a folder and in folders within it, or the folder itself if it is one; sorted, each once."""
    if is_run(path):
        yield path
        return
    if not path.is_dir():
        raise MetaglotError(f"{path}: no such folder; name one that holds runs")
    places: set[Path] = set()  # of runs that were yielded: by a link one would be there twice
    for above, names, _ in os.walk(path):
        here = Path(above)
        found = sorted(
            (name for name in names if is_run(here / name)), key=lambda name: ((here / name).is_symlink(), name)
        )
        for folder in (here / name for name in found):
            if folder.resolve() not in places:
                places.add(folder.resolve())
                yield folder
        names[:] = sorted(name for name in names if name not in {*found, *PRUNED} and not name.startswith("."))


def facts_of(folder: Path, *, every: bool = False) -> RunFacts:
    """Return what a run folder holds; its newest checkpoint is hashed, or `every` one."""
    stated, fault = _stated(folder)
    found_records, unreadable = _records(folder)
    records = [record for record in found_records if record.get("kind") == "validation"]
    last = {k: float(v) for k, v in records[-1].items() if isinstance(v, int | float)} if records else {}
    metric = stated.measures[0] if stated else None
    primary = f"{metric.words} {metric.format_with_unit(last[metric.name])}" if metric and metric.name in last else ""
    if not primary and "perplexity" in last:
        primary = f"perplexity {last['perplexity']:.1f}"
    size, newest = _size_and_age(folder)
    found = tuple(_checkpoints(folder, every=every))
    return RunFacts(
        folder=folder,
        algorithm=stated.algorithm.name if stated and stated.algorithm else "",
        base=stated.base if stated else "",
        steps=_steps(folder),
        resumable=not (found and weights_alone(found[-1].folder)),
        checkpoints=found,
        validation=last,
        primary=primary,
        bytes=size,
        seconds=max(0.0, time.time() - newest),  # of a clock that was set back, too
        writer=holder_of(folder),
        fault=fault or unreadable,
    )


def size_of(path: Path) -> int:
    """Return the bytes of a file, or of all files in a folder."""
    return _size_and_age(path)[0] if path.is_dir() else path.lstat().st_size


def _stated(folder: Path) -> tuple[RunFile | None, str | None]:
    try:
        return read_described(folder / RUN)[0], None
    except MetaglotError as error:
        return None, str(error)


def _steps(folder: Path) -> int | None:
    config = folder / "config.yaml"
    try:
        recipe: Any = parse_yaml(read_bytes(config).decode("utf-8-sig"), str(config)) if is_there(config) else None
        steps = recipe["training"]["steps"]
    except (MetaglotError, ValueError, TypeError, LookupError):
        return None
    return steps if isinstance(steps, int) else None


def _records(folder: Path) -> tuple[list[dict[str, Any]], str | None]:
    """Return the records of validations, and what is wrong with their file."""
    file = folder / "metrics.jsonl"
    try:
        lines = read_bytes(file).split(b"\n") if is_there(file) else []
    except MetaglotError as error:
        return [], str(error)
    records = [_record(line) for line in lines if b'"validation"' in line]
    return [record for record in records if record is not None], None


def _record(line: bytes) -> dict[str, Any] | None:
    try:
        record = json.loads(line, parse_int=float)  # a whole number may be larger than any float
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def _checkpoints(folder: Path, *, every: bool) -> Iterator[Checkpoint]:
    steps, place = list_steps(folder), folder / "checkpoints"
    for step in steps:
        one = place / f"step-{step}"
        damage = damage_of_checkpoint(one) if every or step == steps[-1] else None
        size = _size_and_age(one)[0]
        if one.is_dir():  # else whoever trains there removed it meanwhile, since there are newer ones
            yield Checkpoint(one, step, size, damage)
    for one in sorted(place.glob(f"{ASIDE}*")) if place.is_dir() else ():
        number = one.name.removeprefix(ASIDE)
        if number.isdecimal():
            yield Checkpoint(
                one, int(number), size_of(one), damage_of_checkpoint(one) or "it was put aside", aside=True
            )


def _size_and_age(folder: Path) -> tuple[int, float]:
    """Return the bytes of the files in a folder, and when the newest of them was written."""
    size, newest = 0, 0.0
    for above, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(Path(above, name))
            except OSError:  # it went meanwhile
                continue
            size += status.st_size
            newest = max(newest, 0.0 if name.endswith(ENDING) else status.st_mtime)
    return size, newest
