"""What metaglot wrote, known by content: the only files that `--force` and `--fresh` delete or write over.

A folder is one of ours where a file that says what it is (adapted.json, config.yaml, settings.json, …) holds what
metaglot writes there, and every other file goes by a name of the format.  A link is never ours.
"""

import json
import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from metaglot.data.jsonfile import read_object
from metaglot.data.rawfiles import is_there, utf8_path
from metaglot.data.yamltext import parse_yaml
from metaglot.errors import MetaglotError

LINE = 1 << 20  # bytes of a row of results, at most
LINES = 100  # of results that are looked at
SETTINGS = {"name", "seed", "model", "data", "episodes", "algorithm", "training", "validation"}  # of every recipe
MARK = '<meta name="generator" content="metaglot">'  # of a page
MARKDOWN_MARK = "<!-- metaglot report -->"
OLDER = ":root { --ink: #16202c; --soft: #515c6a;"  # of pages from before there was a mark

Proof = Callable[[Path], bool]


class Kind(NamedTuple):
    """A folder that metaglot writes."""

    name: str
    files: re.Pattern[str]  # relative names; those of folders end in a slash
    proofs: Mapping[str, Proof]  # what says what the folder is: at least one is there, and all that are there hold


def _holds(*keys: str) -> Proof:
    return lambda file: set(keys) <= read_object(file).keys()


def _recipe(file: Path) -> bool:
    content = parse_yaml(file.read_text("utf-8-sig"), str(file)) if file.stat().st_size < LINE else None
    return isinstance(content, dict) and set(content) >= SETTINGS


def _rows(file: Path) -> bool:
    """Whether one of the first lines is a result; a file that a kill left empty or torn is ours too."""
    with file.open("rb") as opened:
        lines = [line for line in (opened.readline(LINE) for _ in range(LINES)) if line]
    torn = len(lines) == 1 and not lines[0].endswith(b"\n") and lines[0].startswith(b'{"task": ')
    return not lines or torn or any(_row(line) for line in lines)


def _row(line: bytes) -> bool:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return (
        isinstance(row, dict)
        and {"task", "shot", "draw", "method"} <= row.keys()
        and not row.keys().isdisjoint({"metrics", "accuracy"})  # rows of the first form have accuracy as a field
    )


HIDDEN = r"(.*/)?\.[^/]*part[^/]*(/.*)?"  # of a writer that was killed
STEP = r"checkpoints/(step|damaged)-\d+/"
SEEN = r"seen/(hashes\.safetensors|sets\.json)?"
PAGES = r"(command|environment|leakage)\.json|table\.md|report\.html"
RESULTS_FILES = rf"(results(\.damaged)?\.jsonl|settings\.json(\.tmp)?|{PAGES})"

ADAPTATION = Kind(
    "an adaptation",
    re.compile(rf"adapted\.json|weights\.safetensors|README\.md|examples\.jsonl|{HIDDEN}"),
    {"adapted.json": _holds("format", "labels", "model_sha256")},
)
RUN = Kind(
    "a run",
    re.compile(
        r"config\.yaml|(model|environment|command)\.json|metrics\.jsonl|checkpoints/"
        rf"|{STEP}((params|moments|snapshot|combine)\.safetensors|(state|manifest)\.json)?|{SEEN}|base/[^/]*"
        rf"|(tensorboard|trackio|wandb)/.*|{HIDDEN}"
    ),
    {"config.yaml": _recipe, "model.json": _holds("base", "max_length")},
)
WEIGHTS = Kind(
    "a shrunk or averaged run",
    re.compile(rf"model\.json|checkpoints/|{STEP}(params\.safetensors|manifest\.json)?|{SEEN}|{HIDDEN}"),
    {"model.json": _holds("base", "max_length")},
)
RESULTS = Kind(
    "results",
    re.compile(rf"{RESULTS_FILES}|{HIDDEN}"),
    {"settings.json": _holds("seed", "queries"), "results.jsonl": _rows},
)
DEMO_RESULTS = Kind(
    "results of the demo",
    re.compile(rf"((closed|gradient)/)?{RESULTS_FILES}?|{HIDDEN}"),
    {f"{part}{name}": proof for part in ("", "closed/", "gradient/") for name, proof in RESULTS.proofs.items()},
)


def check_kind(folder: Path, kind: Kind) -> None:
    """Raise MetaglotError unless the files that say what a folder is say that it is of a kind.

    The message names the first file that is something else.
    """
    proofs = [folder / name for name in kind.proofs if is_there(folder / name)]
    other = next(
        (file for file in proofs if not _proved(file, kind.proofs[str(file.relative_to(folder).as_posix())])), None
    )
    if other is not None:
        raise MetaglotError(f"{folder} holds something else than {kind.name}: metaglot did not write {other}")
    if not proofs:
        wanted = " nor ".join(kind.proofs)
        raise MetaglotError(f"{folder} holds something else than {kind.name}: neither {wanted} is there")


def check_owned(folder: Path, kind: Kind) -> None:
    """Raise MetaglotError, naming the first file that is not metaglot's, unless a whole folder is of a kind."""
    _owned(folder, kind)


def remove_owned(folder: Path, kind: Kind) -> None:
    """Delete a folder of a kind; raises as `check_owned` does, before anything is deleted.

    A file that comes into it meanwhile stays.
    """
    files, folders = _owned(folder, kind)
    for file in files:
        file.unlink(missing_ok=True)
    for inner in sorted(folders, key=lambda path: -len(path.parts)):
        with suppress(OSError):  # something came into it
            inner.rmdir()


def check_page(file: Path, mark: str) -> None:
    """Raise MetaglotError where a page is to be written over a file that is no report of metaglot's.

    Raises it too for a name that is not UTF-8.
    """
    if not is_there(utf8_path(file)):
        return
    head = ""
    if file.is_file():
        with file.open("rb") as opened:
            head = opened.read(2048).decode("utf-8", "replace")
    if mark not in head and OLDER not in head:
        raise MetaglotError(
            f"{file} exists, and it is no report that metaglot wrote; choose another name, or remove it first"
        )


def _owned(folder: Path, kind: Kind) -> tuple[list[Path], list[Path]]:
    """Return the files and the folders in a folder of a kind, itself the last."""
    check_kind(folder, kind)
    files: list[Path] = []
    folders: list[Path] = []
    for above, inner, names in os.walk(folder):
        here = Path(above)
        folders.append(here)
        files += [here / name for name in names]
        links = [here / name for name in inner if (here / name).is_symlink()]
        empty = [] if inner or names or here == folder else [here]
        for path in (*links, *(here / name for name in names), *empty):
            name = path.relative_to(folder).as_posix() + ("/" if path in empty else "")
            if path.is_symlink() or not kind.files.fullmatch(name):
                raise MetaglotError(
                    f"{folder} holds something else than {kind.name}: metaglot did not write {path}; move it away, or "
                    "choose another folder"
                )
    return files, folders


def _proved(file: Path, proof: Proof) -> bool:
    try:
        return not file.is_symlink() and file.is_file() and proof(file)
    except (OSError, ValueError, RecursionError, MetaglotError):
        return False
