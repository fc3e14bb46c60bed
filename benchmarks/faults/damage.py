"""Bytes that change: in checkpoints, weights of runs, adaptations and caches.  Nothing damaged is used without a word.

A change is told (an error, or a warning and the checkpoint before), mended (a cache that is made anew), or changes
nothing (white space in JSON).  What is neither is a fault.
"""

import os
import shutil
from collections.abc import Collection
from pathlib import Path

import numpy as np

from benchmarks.faults.commands import builders
from benchmarks.faults.forked import command, whole
from benchmarks.faults.place import STEPS, Tally, bytes_of, outcome_of
from benchmarks.faults.training import arguments
from metaglot.adaptation import Adapted
from metaglot.errors import MetaglotError
from metaglot.loading import load

QUESTIONS = ["refund of the invoice", "an error on the screen", "the parcel is late"]


def change(file: Path, rng: np.random.Generator) -> str:
    """Change one to four bytes of a file, or cut it, and return what was done."""
    content = bytearray(file.read_bytes())
    if rng.random() < 0.1:
        size = int(rng.integers(0, len(content)))
        file.write_bytes(content[:size])
        return f"{file.name} cut to {size} bytes"
    places = [int(place) for place in rng.integers(0, len(content), int(rng.integers(1, 5)))]
    for place in places:
        content[place] ^= int(rng.integers(1, 256))
    file.write_bytes(content)
    return f"{file.name}: bytes {places}"


def resumes(root: Path, run: Path, rng: np.random.Generator, times: int) -> Tally:
    """Damage the newest checkpoint of a run, and resume it: told, and the end is that of the undisturbed run."""
    tally, expected, told = Tally("bytes changed: checkpoints, resumed"), outcome_of(run), 0
    for number in range(times):
        copy = shutil.copytree(run, root / f"damaged-{number}")
        done = change(_any(copy / "checkpoints" / f"step-{STEPS}", rng), rng)
        ended = whole(command(*arguments(root, copy)), root / "log")
        said = "is damaged" in ended.log
        told += said
        tally.kills += 1
        tally.check(
            ended.code == 0 and "Traceback" not in ended.log, f"{done}: ended with {ended.code} {ended.log[-300:]}"
        )
        tally.check(outcome_of(copy) == expected, f"{done}: another end, {'told' if said else 'in silence'}")
        shutil.rmtree(copy)
    tally.notes = f"{told} told, and the checkpoint before used"
    return tally


def loads(
    root: Path, folder: Path, rng: np.random.Generator, times: int, *, files: Collection[str], what: str
) -> Tally:
    """Damage a run or an adaptation, and load it: an error that says so, or the same predictions as before."""
    tally, told = Tally(f"bytes changed: {what}"), 0
    expected = _used(folder)
    for number in range(times):
        copy = shutil.copytree(folder, root / f"{folder.name}-{number}")
        done = change(_any(copy, rng, files), rng)
        try:
            tally.check(_used(copy) == expected, f"{done}: used in silence, with other predictions")
        except MetaglotError:
            told += 1
        except Exception as error:  # any other is a fault
            tally.faults.append(f"{done}: {error!r:.200}")
        tally.kills += 1
        shutil.rmtree(copy)
    tally.notes = f"{told} told, the others without effect"
    return tally


def damaged_caches(root: Path, rng: np.random.Generator, times: int) -> Tally:
    """Damage a token store and arrays of the cache: made anew, the same as before."""
    tally, kinds, cache = Tally("bytes changed: caches"), builders(), os.environ.get("METAGLOT_CACHE")
    anew = 0
    for number in range(times):
        name, build = list(kinds.items())[number % 2]
        place = root / f"cache-{name}"
        build(place)
        before = bytes_of(place)
        done = change(_any(place, rng), rng)
        same = build(place) == 0 and bytes_of(place) == before
        anew += same
        tally.check(same, f"{done}: not made anew")
        tally.kills += 1
    os.environ.pop("METAGLOT_CACHE", None)
    os.environ.update({} if cache is None else {"METAGLOT_CACHE": cache})
    tally.notes = f"{anew} made anew"
    return tally


def _any(folder: Path, rng: np.random.Generator, names: Collection[str] = ()) -> Path:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and (not names or path.name in names))
    return files[int(rng.integers(len(files)))]


def _used(folder: Path) -> list[list[float]]:
    found = load(folder, device="cpu", precision="fp32")
    use = found.predict_proba if isinstance(found, Adapted) else found.embed
    return use(QUESTIONS).tolist()
