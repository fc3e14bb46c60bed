"""A hub id becomes a folder of the Hugging Face cache, downloaded if need be; a silent network is given up.

The whole model is taken at once, so that all that reads a model reads a folder.  The hub's client waits long and says
nothing: after 3 s a note says what is waited for.  After 10 s without a first answer (3 s where a folder here has
almost that name) or 30 s without a byte it is given up, and what the cache has is taken.
"""

import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, TypeVar

from metaglot.errors import MetaglotError, printable

PATIENCE = 3.0  # seconds until a note says that the network is slow
SILENCE = 30.0  # seconds without a byte until a download is given up
ANSWER = 10.0  # seconds until the first answer, whether there is such a model, is given up
IN_DOUBT = 3.0  # the same where the name is nearly that of a folder here
LONGER = "HF_HUB_ETAG_TIMEOUT"  # a variable of the hub's client: the seconds that it waits for such an answer
LOOK = 0.1  # seconds between two looks
PLAIN = ("*.json", "*.txt", "*.model", "*.tiktoken", "*.jinja")  # of small files, those that a model needs
INDEX = "model.safetensors.index.json"
Result = TypeVar("Result")


class SilenceError(Exception):
    """The network gave nothing for too long."""


def hub_folder(name: str, *, near: Sequence[str] = ()) -> Path:
    """Return the folder of the cache that holds the model with this id, as it is on the hub now or was last seen.

    `near` are folders here that the name may have meant.  Raises MetaglotError where neither hub nor cache gives it.
    """
    from huggingface_hub import constants

    asked = f" (did you mean {' or '.join(near)}?)" if near else ""
    reason = "HF_HUB_OFFLINE is set"
    here = any(not one.startswith("builtin:") for one in near)  # names of many hub ids have one of a built-in model
    patience = _seconds_of_environment() or (IN_DOUBT if here else ANSWER)
    if problem := _no_id(name):
        raise MetaglotError(f"{name}: no model folder here{asked}, and no id of a model of the hub: {problem}")
    if not (constants.is_offline_mode() or _is_offline()):
        try:
            return _downloaded(name, asked, patience)
        except Exception as error:  # the hub's client raises classes without a common base
            reason = _words_of(error)
    folder = _cached(name)
    if folder is None:
        raise MetaglotError(
            f"{name}: neither a model folder here{asked} nor a model that the hub, or its cache, gives: {reason}"
        )
    return folder


def _words_of(error: Exception) -> str:
    """Return why the hub gave nothing."""
    words = " ".join(str(error).split())[:200] or type(error).__name__
    return f"no network leads to the hub ({words})" if type(error).__name__.startswith("Connect") else words


def _no_id(name: str) -> str:
    """Return why the name cannot be a hub id, nothing where it can."""
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        return " ".join(str(error).split())[:200]
    return ""


def near_folders(name: str) -> list[str]:
    """Return folders that a mistyped path may have meant, the nearest first."""
    path = Path(name)
    folders = [Path(path.anchor)]
    for part in path.parts[1 if path.anchor else 0 :]:
        folders = [place / one for place in folders for one in _alike(place, part)]
    return [str(place) for place in folders if place.is_dir()][:3]


def _alike(place: Path, part: str) -> list[str]:
    try:
        hidden = part.startswith(".")
        names = [one.name for one in place.iterdir() if one.name.startswith(".") == hidden and one.is_dir()]
    except OSError:
        return []
    return [part] if part in names else get_close_matches(part, names, n=2, cutoff=0.7)


def _is_offline() -> bool:
    """Whether the environment asks for no network now; the client reads it only when it is imported."""
    return os.environ.get("HF_HUB_OFFLINE", "").lower() in {"1", "true", "yes", "on"}


def _seconds_of_environment() -> float:
    """Return for how many seconds an answer is waited for, as the hub's client would; 0 where nobody says so."""
    text = os.environ.get(LONGER, "").strip()
    return float(text) if text.isdecimal() else 0.0


def _cached(name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    for file in ("config.json", "modules.json", "adapter_config.json", "tokenizer.json"):
        file_or_marker = try_to_load_from_cache(name, file)
        if isinstance(file_or_marker, str):
            return Path(file_or_marker).parent
    return None


def _downloaded(name: str, asked: str, patience: float) -> Path:
    """Return the folder after every file that is needed was downloaded, or found to be the newest."""
    from huggingface_hub import constants, hf_hub_download

    place = Path(constants.HF_HUB_CACHE) / f"models--{name.replace('/', '--')}"
    files = _watched(lambda: _files(name, patience), place, f"{name}{asked}", patience)
    folder: list[Path] = []
    for file in _needed(files):
        path = Path(_watched(lambda file=file: hf_hub_download(name, file), place, f"{name}: {file}"))
        folder.append(path.parents[len(Path(file).parts) - 1])
    if not folder:
        raise MetaglotError("there is no config.json, modules.json or adapter_config.json")
    return folder[0]


def _files(name: str, patience: float) -> list[str]:
    """Return the files of a repository; it is asked once, where `list_repo_files` asks six times and tells each."""
    from huggingface_hub import HfApi

    return [file.rfilename for file in HfApi().model_info(name, timeout=2 * patience).siblings or []]


def _needed(files: Sequence[str]) -> list[str]:
    """Return the files of a repository that a model needs, the weights last."""
    tops = {"config.json", "modules.json", "adapter_config.json"}
    if not tops & set(files):
        return []
    folders = {"."} | {str(Path(file).parent) for file in files if Path(file).name == "config.json"}
    folders = {folder for folder in folders if not folder.startswith(("onnx", "openvino"))}
    within = [file for file in files if str(Path(file).parent) in folders]
    plain = [file for file in within if any(fnmatchcase(Path(file).name, pattern) for pattern in PLAIN)]
    weights = [file for file in within if _weighs(file, files)]
    return sorted(plain) + sorted(weights)


def _weighs(file: str, files: Sequence[str]) -> bool:
    """Whether a file holds weights that transformers or sentence-transformers read: no copy in another precision."""
    path = Path(file)
    if path.name in ("model.safetensors", "adapter_model.safetensors"):
        return True
    index = str(path.parent / INDEX)
    return index in files and path.name.startswith("model-") and path.suffix == ".safetensors"


def _watched(call: Callable[[], Result], place: Path, what: str, patience: float | None = None) -> Result:
    """Return what a call gives; raise `SilenceError` once it has not ended, nor the cache grown, for too long."""
    limit = SILENCE if patience is None else patience
    outcome: list[Any] = []
    ended = threading.Event()

    def run() -> None:
        try:
            outcome.append((call(), None))
        except BaseException as error:  # it is raised where the call was asked for
            outcome.append((None, error))
        ended.set()

    threading.Thread(target=run, daemon=True, name="hub").start()
    size, since, announced = _size(place), time.monotonic(), False
    while not ended.wait(LOOK):
        now = time.monotonic()
        if now - since > 1 and (grown := _size(place)) != size:
            size, since = grown, now
        if now - since > PATIENCE and not announced:
            announced = True
            print(f"metaglot: waiting for the Hugging Face hub: {printable(what)}", file=sys.stderr, flush=True)
        if now - since > limit:
            longer = "" if patience is None else f" ({LONGER}=60 in the environment waits longer)"
            raise SilenceError(f"the network gave no answer for {limit:.0f} s{longer}")
    result, error = outcome[0]
    if error is not None:
        raise error
    return result


def _size(place: Path) -> int:
    try:
        return sum(file.stat().st_size for file in (place / "blobs").iterdir())
    except OSError:
        return 0
