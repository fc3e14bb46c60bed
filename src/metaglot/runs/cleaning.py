"""What can go from run folders: leftovers of interrupted writes, damaged checkpoints, and old ones."""

import os
import shutil
from pathlib import Path
from typing import Literal, NamedTuple

from metaglot.data.locks import writing
from metaglot.data.parts import ENDING, parts_of, remove_abandoned
from metaglot.runs.folders import RunFacts, facts_of, size_of

Why = Literal["left of an interrupted write", "damaged", "old"]


class Removable(NamedTuple):
    """A file or folder that can go."""

    path: Path
    why: Why
    bytes: int


def removable(run: RunFacts, *, keep: int, under: Path) -> list[Removable]:
    """Return what can go from a run: all but the newest `keep` of its whole checkpoints, and what is no use any more.

    Nothing of a run that somebody trains, nothing outside of the folder `under`, where a link may lead, and no damaged
    checkpoint where none is whole: it may be all that there is.
    """
    if run.writer is not None or led_out(run.folder, under) is not None:
        return []
    found = [Removable(path, "left of an interrupted write", size_of(path)) for path in _leftovers(run.folder)]
    whole = [one for one in run.checkpoints if one.damage is None]
    if whole:
        found += [Removable(one.folder, "damaged", one.bytes) for one in run.checkpoints if one.damage is not None]
        found += [Removable(one.folder, "old", one.bytes) for one in whole[: -max(1, keep)]]
    return found


def led_out(run: Path, under: Path) -> Path | None:
    """Return the folder of a run, or that of its checkpoints, if a link puts it outside of the folder `under`."""
    root, places = _place(under), (run, run / "checkpoints")
    return next((one for one in places if not _place(one).is_relative_to(root)), None)


def _place(path: Path) -> Path:
    """Return where a path leads; one that leads in a circle stays as it is."""
    return Path(os.path.realpath(path))


def clean_run(folder: Path, *, keep: int, under: Path) -> list[Removable]:
    """Remove what `removable` says of a run, and return what went.

    Raises MetaglotError where somebody trains there.
    """
    with writing(folder):
        run = facts_of(folder, every=True)._replace(writer=None)  # the writer is this process
        found = removable(run, keep=keep, under=under)
        for one in found:
            _remove(one.path)
    return found


def _leftovers(folder: Path) -> list[Path]:
    """Return parts in a run, and those beside it that nobody writes any more."""
    inner = [
        Path(above, name)
        for above, folders, files in os.walk(folder)
        for name in (*folders, *files)
        if name.startswith(".") and (name.endswith(ENDING) or name.startswith(".part-"))
    ]
    highest = [path for path in inner if not any(above in path.parents for above in inner)]
    return sorted(highest) + [path for path in parts_of(folder) if remove_abandoned(path, only_look=True)]


def _remove(path: Path) -> None:
    """Remove a file or folder; a folder gets a hidden name before, so that a kill leaves no half of a checkpoint."""
    if not path.is_dir() or path.is_symlink():
        path.unlink(missing_ok=True)
        return
    gone = path if path.name.startswith(".") else path.with_name(f".part-old-{path.name}")
    if gone != path:
        shutil.rmtree(gone, ignore_errors=True)
        path.rename(gone)
    shutil.rmtree(gone)
