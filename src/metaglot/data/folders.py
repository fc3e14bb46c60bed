"""What a folder holds (a model, a run, an adaptation, results), told without torch: bad input is answered at once."""

import re
from pathlib import Path
from typing import Any, NamedTuple

from metaglot.data import owned
from metaglot.data.adapter import CONFIG as ADAPTER
from metaglot.data.builtin import BUILTINS, fetch
from metaglot.data.hub import near_folders
from metaglot.data.naming import name_in_record
from metaglot.data.owned import check_kind, check_owned
from metaglot.data.rawfiles import expanded, utf8_path
from metaglot.data.replacing import recovered
from metaglot.data.runfile import RUN, read_described
from metaglot.data.sentence import network_of
from metaglot.data.shipped import SHIPPED, shipped_folder
from metaglot.data.weightfiles import check_entries, check_weights, damage_of
from metaglot.errors import MetaglotError

ADAPTED = "adapted.json"
RESULTS = "results.jsonl"
HUB_ID = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")


class Run(NamedTuple):
    """What a run directory says of itself."""

    base: str
    max_length: int
    checkpoint: Path  # the newest
    described: dict[str, Any]
    average_with_base: float = 0.0  # share of the base in the weights as they are loaded


def locate(name: str) -> str:
    """Return the folder, or the hub id, of the backbone called `name`; a built-in one is fetched if need be.

    Raises MetaglotError for a name that leads nowhere and a folder that holds no model: no config, pickled weights,
    weights that are cut short.
    """
    if name.startswith("builtin:"):
        return str(_builtin(name.removeprefix("builtin:")))
    path = expanded(name)
    if name and is_dir(path):
        network = network_of(path)
        if is_file(network / "config.json"):
            check_weights(network)
        elif not (is_file(network / ADAPTER) or is_file(path / ADAPTER)):
            raise _no_model(path)
        return str(path)
    if is_file(path):
        raise MetaglotError(f"{name} is a file; give the folder that holds it")
    if not HUB_ID.fullmatch(name) or len(name) > 200:
        near = near_folders(str(path)) if name else []
        asked = f" (did you mean {' or '.join(near)}?)" if near else ""
        raise MetaglotError(
            f"{name}: no such model folder{asked}; use builtin:mini, builtin:multilingual, a folder or a hub id"
        )
    return name


def check_model(name: str) -> None:
    """Raise MetaglotError where `load_model(name)` would, as far as the files tell without reading the weights."""
    locate(root_of(name))


def root_of(name: str) -> str:
    """Return the model that a run began from, through runs that began from runs; the name itself if it is no run.

    Raises MetaglotError where a run is damaged, or began from itself.
    """
    seen: set[Path] = set()
    while is_run(folder := folder_of(name)):
        if folder.resolve() in seen:
            raise MetaglotError(f"{folder / RUN}: its base is the run itself; put the model it began from there")
        seen.add(folder.resolve())
        name = read_run(folder).base
    return name


def folder_of(name: str | Path) -> Path:
    """Return the folder that a name may mean: of a model that comes in the package, or the path itself."""
    return shipped_folder(name) or expanded(name)


def is_run(folder: Path) -> bool:
    """Return whether a folder is that of a run."""
    return is_file(folder / RUN)


def read_run(folder: Path) -> Run:
    """Return what a run directory says; raise MetaglotError for one that is damaged or has no checkpoint."""
    checkpoint = latest(folder)
    if checkpoint is None:
        raise MetaglotError(f"{folder}: the run has no checkpoint yet; let it train further, or resume it")
    check_entries(checkpoint)
    stated, described = read_described(folder / RUN)
    own = folder / stated.base  # a model made for the run goes with it, wherever it is moved
    within = is_file(own / "config.json") and own.parent == folder
    base = str(own) if within else name_in_record("base", described, folder)
    return Run(base, stated.max_length, checkpoint, described, stated.average_with_base)


def run_at(name: str | Path) -> tuple[Path, Run]:
    """Return the folder of a run and what it says; raise MetaglotError for what is no run."""
    folder = folder_of(name)
    if not is_run(folder):
        raise MetaglotError(f"{name}: no {RUN} there, so it is no run; name one that `metaglot pretrain` made")
    return folder, read_run(folder)


def new_folder(out: str | Path, *, force: bool = False) -> Path:
    """Return the path of a folder of weights that is to be made; raise MetaglotError where something is already.

    With `force` a shrunk or averaged run may be there, which is to be replaced.
    """
    target = utf8_path(expanded(out))
    if force and is_dir(target):
        if any(target.iterdir()):
            check_owned(target, owned.WEIGHTS)
        return target
    if is_dir(target) or target.exists():
        raise MetaglotError(f"{out} exists; choose another folder")
    return target


def list_steps(run: Path) -> list[int]:
    """Return the steps that have a checkpoint, ascending."""
    folder = run / "checkpoints"
    if not folder.is_dir():
        return []
    names = [p.name.removeprefix("step-") for p in folder.iterdir() if p.name.startswith("step-")]
    return sorted(int(name) for name in names if name.isdecimal() and name.isascii())


def latest(run: Path) -> Path | None:
    """Return the newest checkpoint of a run, or None."""
    steps = list_steps(run)
    return run / "checkpoints" / f"step-{steps[-1]}" if steps else None


def check_adapted(folder: Path) -> None:
    """Raise MetaglotError unless a folder holds an adaptation whose weights are whole."""
    if not is_file(recovered(folder) / ADAPTED):
        raise MetaglotError(f"{folder}: no {ADAPTED} there, so it is no adapted model; `metaglot adapt` makes one")
    damage = damage_of(folder / "weights.safetensors")
    if damage:
        raise MetaglotError(f"{folder}: damaged (weights.safetensors: {damage}); adapt again")


def check_target(folder: Path, *, force: bool) -> None:
    """Raise MetaglotError if an adaptation may not be saved in `folder`.

    An earlier adaptation is replaced with `force` only; anything else is never replaced.
    """
    recovered(folder)
    if not _taken(folder, "out"):
        return
    if not (is_dir(folder) and is_file(folder / ADAPTED)):
        raise MetaglotError(f"{folder} exists and holds something else than an adaptation; choose another folder")
    if force:
        check_owned(folder, owned.ADAPTATION)
    else:
        raise MetaglotError(
            f"{folder} exists and holds an earlier adaptation; choose another folder, or replace it with --force "
            "(in Python force=True)"
        )


def check_results_target(folder: Path) -> None:
    """Raise MetaglotError if results may not be written to `folder`: it is a file, or holds something else."""
    if _taken(folder, "results"):
        try:
            check_kind(folder, owned.RESULTS)
        except MetaglotError as error:
            raise MetaglotError(f"--out {folder}: it exists. {error}; choose another folder") from error


def is_dir(path: Path) -> bool:
    """Return whether a path is a folder; a path that cannot be is none."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Return whether a path is a file; a path that cannot be is none."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def _taken(folder: Path, what: str) -> bool:
    """Return whether anything is in the way of `folder`; raise MetaglotError where no folder can be made."""
    utf8_path(folder)
    try:
        folder.lstat()
    except FileNotFoundError:
        above = next((p for p in folder.absolute().parents if p.exists()), None)
        if above is not None and not above.is_dir():
            raise MetaglotError(f"{folder}: {above} is a file; choose another folder for the {what}") from None
        return False
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise MetaglotError(f"{folder}: cannot be written: {reason}; choose another folder") from error
    if not is_dir(folder):
        raise MetaglotError(f"{folder} exists and holds something else: it is no folder; choose another")
    return any(path.suffix != ".part" for path in folder.iterdir())


def _builtin(name: str) -> Path:
    if name in BUILTINS and BUILTINS[name].kind != "model":
        fetched = [one for one, entry in BUILTINS.items() if entry.kind == "model"]
        models = ", ".join(f"builtin:{one}" for one in (*SHIPPED, *fetched))
        raise MetaglotError(f"builtin:{name} is a data set, not a model; the built-in models are {models}")
    return fetch(name)


def _no_model(path: Path) -> MetaglotError:
    """Return the error for a folder that holds no model: what it holds in its place."""
    if is_file(path / ADAPTED):
        return MetaglotError(
            f"{path} is an adaptation, which metaglot adapt made, and no model; metaglot predict uses it, "
            "metaglot.load in Python; where a model is asked for, name the one that it was made from"
        )
    return MetaglotError(f"{path}: no config.json there, so it is no Hugging Face model folder nor a run directory")
