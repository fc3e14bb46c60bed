"""A model's name as a folder keeps it: found again from any folder, and after both were moved together.

Beside the name stands, of a local folder, the way to it from the folder that keeps the name.
"""

import os
from pathlib import Path
from typing import Any

WAY = "_relative"  # what is added to a key for the way to the folder


def name_record(key: str, name: str, folder: Path) -> dict[str, Any]:
    """Return what `folder` keeps of a model's name under `key`: of a local folder its whole path, and the way to it."""
    place = Path(os.path.expanduser(name))
    if name.startswith("builtin:") or not _is_dir(place):
        return {key: name}
    whole = place.resolve()
    way = os.path.relpath(whole, folder.absolute().resolve())
    return {key: str(whole), key + WAY: Path(way).as_posix()}


def name_in_record(key: str, kept: dict[str, Any], folder: Path) -> str:
    """Return the name of the model that `folder` keeps under `key`: the path, else the way from the folder."""
    name = str(kept[key])
    if name.startswith("builtin:") or _is_dir(Path(os.path.expanduser(name))):
        return name
    ways = [kept.get(key + WAY), name]  # earlier versions kept a path as it was typed
    beside = (folder / way for way in ways if isinstance(way, str) and way)
    return next((str(place.resolve()) for place in beside if _is_dir(place)), name)


def _is_dir(place: Path) -> bool:
    try:
        return place.is_dir()
    except (OSError, ValueError):
        return False
