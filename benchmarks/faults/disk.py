"""A small disk that fills up: exit code 2, no traceback, what was there is whole, and with room again all goes on."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from benchmarks.faults.commands import Folder
from benchmarks.faults.forked import command, wait, whole
from benchmarks.faults.place import Tally, bytes_of, leftovers, outcome_of, saved_steps
from benchmarks.faults.training import arguments, begin_ranks

SIZE = "16m"


@contextmanager
def small_disk(place: Path) -> Generator[Path | None]:
    """Give a small disk mounted at a place, or None where this user may not mount one."""
    place.mkdir()
    call = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(place)]
    if subprocess.run(call, capture_output=True, check=False).returncode:
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextmanager
def filled(disk: Path, left: int) -> Generator[None]:
    """Leave so many bytes free on a disk for the length of the block."""
    free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
    (disk / "filler").write_bytes(bytes(max(0, free - left)))
    try:
        yield
    finally:
        (disk / "filler").unlink()


def full_disk(root: Path, folders: tuple[Folder, ...], alone: Path, rng: np.random.Generator, times: int) -> Tally:
    """Let the disk fill up at random sizes under training and under the commands that make folders."""
    tally = Tally("a disk that fills up")
    with small_disk(root / "disk") as disk:
        if disk is None:
            tally.notes = "skipped: this user may not mount a file system"
            return tally
        ended = [_of_training(root, disk, alone, rng, tally) for _ in range(times // 3)]
        for number in range(times - len(ended)):
            ended.append(_of_folder(root, disk, folders[number % len(folders)], rng, tally))
        tally.notes = f"{ended.count(2)} of them met the full disk"
    return tally


def full_disk_in_ranks(root: Path, alone: Path, rng: np.random.Generator, times: int) -> Tally:
    """Let the disk fill up under training in two ranks: both end, one of them says it, and then all goes on."""
    tally, met = Tally("a disk that fills up, 2 ranks"), 0
    with small_disk(root / "disk-of-ranks") as disk:
        if disk is None:
            tally.notes = "skipped: this user may not mount a file system"
            return tally
        for _ in range(times):
            met += _of_ranks(root, disk, alone, rng, tally)
    tally.notes = f"{met} of them met the full disk"
    return tally


def _of_ranks(root: Path, disk: Path, alone: Path, rng: np.random.Generator, tally: Tally) -> bool:
    out, log = disk / f"run-{tally.kills}", root / "log"
    with filled(disk, int(rng.integers(0, 1 << 20))):
        codes = [wait(child) for child in begin_ranks(root, out, log)]
        said = log.read_text("utf-8", "replace")
        tally.check(codes in ([0, 0], [2, 2]), f"ended with {codes}: {said[-300:]}")
        tally.check("Traceback" not in said, said[-500:])
        tally.check(said.count("metaglot: ") == (codes == [2, 2]), f"not said once: {said[-500:]}")
        saved = max(saved_steps(out, tally), default=0)
    again = [wait(child) for child in begin_ranks(root, out, log)]
    tally.check(again == [0, 0], f"{out.name}: with room again it ended with {again}: {log.read_text()[-300:]}")
    tally.keeps(max(saved_steps(out, tally), default=0) >= saved, f"{out.name}: less than before is saved")
    tally.check(outcome_of(out) == outcome_of(alone), f"{out.name}: other parameters than in one undisturbed process")
    tally.kills += 1
    subprocess.run(["rm", "-rf", str(out)], check=True)
    return codes == [2, 2]


def _of_training(root: Path, disk: Path, alone: Path, rng: np.random.Generator, tally: Tally) -> int:
    out = disk / f"run-{tally.kills}"
    with filled(disk, int(rng.integers(0, 1 << 20))):
        ended = whole(command(*arguments(root, out)), root / "log")
        _check_told(ended.code, ended.log, tally)
        saved = max(saved_steps(out, tally), default=0)
    again = whole(command(*arguments(root, out)), root / "log")
    tally.check(again.code == 0, f"{out.name}: with room again it ended with {again.code}: {again.log[-300:]}")
    tally.keeps(max(saved_steps(out, tally), default=0) >= saved, f"{out.name}: less than before is saved")
    tally.check(outcome_of(out) == outcome_of(alone), f"{out.name}: other parameters than undisturbed")
    tally.kills += 1
    subprocess.run(["rm", "-rf", str(out)], check=True)
    return ended.code


def _of_folder(root: Path, disk: Path, folder: Folder, rng: np.random.Generator, tally: Tally) -> int:
    out = disk / folder.what
    if not out.exists():
        tally.check(whole(command(*folder.arguments, "--out", out), root / "log").code == 0, f"{out.name}: not made")
    before = bytes_of(out)
    with filled(disk, int(rng.integers(0, 2 * sum(map(len, before.values()))))):
        ended = whole(command(*folder.arguments, "--out", out, folder.replace), root / "log")
        _check_told(ended.code, ended.log, tally)
    same = {name: content for name, content in bytes_of(out).items() if name != "README.md"}
    tally.check(same == {n: c for n, c in before.items() if n != "README.md"}, f"{out.name}: not whole any more")
    tally.check(not leftovers(disk), f"{out.name}: {leftovers(disk)} are left")
    tally.kills += 1
    return ended.code


def _check_told(code: int, log: str, tally: Tally) -> None:
    tally.check(code in (0, 2), f"ended with {code}: {log[-300:]}")
    tally.check("Traceback" not in log, log[-500:])
