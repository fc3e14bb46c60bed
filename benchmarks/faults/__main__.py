"""Kills, full disks and changed bytes at random moments and places, which a seed draws.

    python -m benchmarks.faults [--seed 0] [--share 1.0] [--only WORD]

Each command is killed (SIGKILL) in a child of this process and begun again, until it ends: the result must be, to the
bit, that of no kill; nothing half-written may be taken for whole; nothing that was saved may be lost.  Prints a row for
each kind of work and ends with 1 if there was a fault or a loss.  `--share 0.1` does a tenth.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.faults import damage
from benchmarks.faults.commands import caches, commands, evaluation, making
from benchmarks.faults.disk import full_disk, full_disk_in_ranks
from benchmarks.faults.forked import command, whole
from benchmarks.faults.place import Tally, prepare
from benchmarks.faults.training import arguments, training, training_in_ranks
from metaglot.data.checkpoints import PARAMS

RUN = ("model.json", PARAMS)  # what is read where a run is used
ADAPTATION = ("adapted.json", "weights.safetensors", "examples.jsonl")
SHARED = "/dev/shm"  # in memory: a kill loses nothing that was written, on a disk or not
Work = Callable[[np.random.Generator, int], Tally]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--share", type=float, default=1.0, help="Of the kills, faults and changes.")
    parser.add_argument("--only", default="", help="A word in the name of the work.")
    parser.add_argument("--folder", default=SHARED if os.path.isdir(SHARED) else None, help="Where it happens.")
    asked = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="metaglot-faults-", dir=asked.folder) as scratch:
        rows = list(harness(Path(scratch), seed=asked.seed, share=asked.share, only=asked.only))
    kills = sum(row.kills for row in rows if not row.what.startswith(("bytes", "a disk")))
    faults, losses = sum(len(row.faults) for row in rows), sum(len(row.losses) for row in rows)
    print(f"\n{kills} kills, {faults} faults, {losses} losses, {time.monotonic() - began:.0f} s")
    return 1 if faults or losses else 0


def harness(root: Path, *, seed: int, share: float, only: str = "") -> list[Tally]:
    """Do all the work, or that with a word in its name; print a row for each and return them."""
    prepare(root)
    os.chdir(root)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    runs = _runs(root)
    folders = commands(root, runs)
    adapted = root / "adapted"
    command(*folders[-1].arguments, "--out", adapted)()  # here: what it imports, children need not
    command(*arguments(root, root / "warm"))()
    works: dict[str, tuple[int, Work]] = {
        "training, 1 rank": (70, lambda rng, n: training(root, rng, n)),
        "training, 2 ranks": (30, lambda rng, n: training_in_ranks(root, rng, n)),
        "data": (40, lambda rng, n: caches(root / "caches", rng, n)),
        "evaluate": (30, lambda rng, n: evaluation(root, rng, n)),
        **{f.what: (25, lambda rng, n, f=f: making(root / f.what, f, rng, n)) for f in folders},
        "a disk": (24, lambda rng, n: full_disk(root, folders, runs[0], rng, n)),
        "bytes: checkpoints": (40, lambda rng, n: damage.resumes(root, runs[0], rng, n)),
        "bytes: runs": (60, lambda rng, n: damage.loads(root, runs[0], rng, n, files=RUN, what="runs, loaded")),
        "bytes: adaptations": (
            100,
            lambda rng, n: damage.loads(root, adapted, rng, n, files=ADAPTATION, what="adaptations"),
        ),
        "bytes: caches": (60, lambda rng, n: damage.damaged_caches(root, rng, n)),
        "a disk, 2 ranks": (8, lambda rng, n: full_disk_in_ranks(root, runs[0], rng, n)),
    }
    print(f"{'what':40s} {'times':>6s} {'faults':>7s} {'losses':>7s} {'seconds':>8s}", flush=True)
    rows: list[Tally] = []
    for number, (name, (times, work)) in enumerate(works.items()):
        if only in name:
            began = time.monotonic()
            row = work(np.random.default_rng([seed, number]), max(1, round(times * share)))
            rows.append(row)
            seconds = time.monotonic() - began
            print(
                f"{row.what:40s} {row.kills:6d} {len(row.faults):7d} {len(row.losses):7d} {seconds:8.1f}  {row.notes}"
            )
            for line in (*row.faults, *row.losses)[:5]:
                print(f"    {line}")
            sys.stdout.flush()
    return rows


def _runs(root: Path) -> tuple[Path, Path]:
    """Return two runs that differ in seed."""
    for seed in (0, 1):
        ended = whole(command(*arguments(root, root / f"seed-{seed}"), f"seed={seed}"), root / "log")
        if ended.code:
            sys.exit(ended.log)
    return root / "seed-0", root / "seed-1"


if __name__ == "__main__":
    sys.exit(main())
