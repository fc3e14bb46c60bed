"""Evaluation, averaging, shrinking, adapting and the building of caches, killed at random moments and begun again."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from transformers import AutoTokenizer

from benchmarks.faults.forked import begin, command, killed, wait, whole
from benchmarks.faults.place import CLOCKS, Tally, bytes_of, leftovers
from metaglot.data.arrays import cached_arrays, open_arrays
from metaglot.data.store import tokenise

UNTIMED = ("README.md",)  # files in which a date stands


class Folder(NamedTuple):
    """A command that makes a folder wholly or not at all."""

    what: str
    arguments: tuple[object, ...]
    replace: str  # the option with which it replaces what is there


def commands(root: Path, runs: tuple[Path, Path]) -> tuple[Folder, ...]:
    """Return the commands that make folders."""
    adapting = ("adapt", runs[0], root / "task.csv", "--effort", "fast", "--keep-examples", "--quiet")
    return (
        Folder("average", ("average", *runs, "--quiet"), "--force"),
        Folder("shrink", ("shrink", runs[0], "--megabytes", 1, "--quiet"), "--force"),
        Folder("adapt", adapting, "--force"),
    )


def making(root: Path, folder: Folder, rng: np.random.Generator, kills: int) -> Tally:
    """Kill a command that makes a folder: after each kill it is absent or whole, and what was there before stays so."""
    root.mkdir()
    tally, log = Tally(folder.what), root / "log"
    work = command(*folder.arguments, "--out", root / "out")
    again = command(*folder.arguments, "--out", root / "out", folder.replace)
    first = whole(work, log)
    seconds = whole(again, log).seconds
    tally.check(first.code == 0, first.log[-500:])
    expected = bytes_of(root / "out", without=UNTIMED)
    stood = True
    while tally.kills < kills:
        if ended := killed(again if stood else work, log, float(rng.uniform(0, 1.1 * seconds))):
            tally.check(ended.code == 0, f"it ended with {ended.code}: {ended.log[-500:]}")
        else:
            tally.kills += 1
        if stood or (root / "out").exists():
            tally.keeps((root / "out").is_dir(), "what was there before is gone")
            tally.check(bytes_of(root / "out", without=UNTIMED) == expected, "a folder that is not whole")
        stood = (root / "out").exists()
        if stood and rng.random() < 0.3:
            for path in sorted((root / "out").rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
            (root / "out").rmdir()
            stood = False
    ended = whole(again if stood else work, log)
    tally.check(ended.code == 0, f"afterwards it ended with {ended.code}: {ended.log[-500:]}")
    tally.check(bytes_of(root / "out", without=UNTIMED) == expected, "afterwards the folder is another")
    tally.check(not leftovers(root), f"{leftovers(root)} are left")
    return tally


def evaluation(root: Path, rng: np.random.Generator, kills: int) -> Tally:
    """Kill an evaluation: each cell is there once in the end, as undisturbed, and none that was there goes."""
    tally, log, task = Tally("evaluate"), root / "log", root / "task.csv"
    judged = ("--efforts", "instant", "--against", "tfidf", "--shots", "1,2", "--draws", 6, "--queries", 8)

    def work(out: Path) -> Callable[[], int]:
        return command("evaluate", "base", task, *judged, "--jobs", 1, "--quiet", "--out", out)

    ended = whole(work(root / "alone"), log)
    tally.check(ended.code == 0, ended.log[-500:])
    seconds, expected, runs = whole(work(root / "twice"), log).seconds, _rows(root / "alone"), 0
    while tally.kills < kills:
        out, before, runs = root / f"results-{runs}", list[str](), runs + 1
        while tally.kills < kills and not (ended := killed(work(out), log, float(rng.uniform(0, seconds)))):
            tally.kills += 1
            now = _rows(out)
            tally.keeps(now[: len(before)] == before, f"{out.name}: rows that were there are gone")
            before = now
        if ended:
            tally.check(ended.code == 0, f"{out.name} ended with {ended.code}: {ended.log[-500:]}")
        whole(work(out), log)
        tally.check(_rows(out) == expected, f"{out.name}: other rows than undisturbed")
        tally.check(not leftovers(out), f"{leftovers(out)} are left")
    tally.notes = f"{runs} evaluations of {len(expected)} rows to their end"
    return tally


def _rows(out: Path) -> list[str]:
    """Return the whole rows of results, but for the clocks."""
    file = out / "results.jsonl"
    lines = file.read_text("utf-8").split("\n")[:-1] if file.is_file() else []
    rows = [json.loads(line) for line in lines]
    return [json.dumps({k: v for k, v in row.items() if k not in CLOCKS}, sort_keys=True) for row in rows]


def caches(root: Path, rng: np.random.Generator, kills: int) -> Tally:
    """Kill the building of a token store and of arrays, half of them beside another process that builds it."""
    root.mkdir()
    tally, log, kinds = Tally("data: token store and arrays"), root / "log", builders()
    expected = {}
    for name, build in kinds.items():
        ended = whole(lambda build=build, name=name: build(root / f"{name}-alone"), log)
        tally.check(ended.code == 0, ended.log[-500:])
        expected[name] = (bytes_of(root / f"{name}-alone"), ended.seconds)
    both = 0
    while tally.kills < kills:
        name = ("tokens", "arrays")[tally.kills % 2]
        build, (content, seconds), place = kinds[name], expected[name], root / f"{name}-{tally.kills}"
        other = begin(lambda build=build, place=place: build(place), root / "other") if rng.random() < 0.5 else None
        if killed(lambda build=build, place=place: build(place), log, float(rng.uniform(0, seconds))) is None:
            tally.kills += 1
            both += other is not None
        if other is not None:
            tally.check(wait(other) == 0, "the other process failed")
        else:
            tally.check(whole(lambda build=build, place=place: build(place), log).code == 0, f"{place.name}: it failed")
        whole(lambda build=build, place=place: build(place), log)
        tally.check(bytes_of(place) == content, f"{place.name}: another content")
    tally.notes = f"{both} of them beside another process that built the same"
    return tally


def builders() -> dict[str, Callable[[Path], int]]:
    texts = [f"text {n} of {n % 17} words and {n % 31} more of them" for n in range(6000)]
    table = pa.table({"text": texts, "label": [str(n % 3) for n in range(6000)], "row": list(range(6000))})
    tokenizer = AutoTokenizer.from_pretrained("base")
    arrays = [np.random.default_rng(seed).integers(0, 1 << 62, 200_000) for seed in range(6)]

    def tokens(place: Path) -> int:
        return 0 if len(tokenise(table, tokenizer, name="made-up", max_length=32, cache=place)) == len(texts) else 1

    def of_arrays(place: Path) -> int:
        os.environ["METAGLOT_CACHE"] = str(place)

        def make(put: Callable[[str, np.ndarray], None]) -> None:
            for number, array in enumerate(arrays):
                put(f"a/{number}", array)

        found = cached_arrays("made-up", "key", make)
        known = open_arrays(place / "made-up" / "key.arrow", "key")
        return 0 if known is not None and all((found[name] == known[name]).all() for name in known) else 1

    return {"tokens": tokens, "arrays": of_arrays}
