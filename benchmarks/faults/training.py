"""Training that is killed and resumed, in one rank and in two, until it is at its end: to the bit that of no kill."""

import os
import signal
import socket
import time
from collections.abc import Callable
from inspect import signature
from pathlib import Path

import numpy as np

from benchmarks.faults.forked import begin, command, killed, wait, whole
from benchmarks.faults.place import SAVE_EVERY, STEPS, Tally, leftovers, outcome_of, saved_steps
from metaglot.cli.pretrain import pretrain
from metaglot.training.run import read_metrics

Attempt = Callable[[Path, float], bool]  # a run's folder, and the moment of the kill: whether it was killed


def arguments(root: Path, out: Path) -> tuple[object, ...]:
    """Return the command that begins a run, or goes on with it."""
    resume = ["--resume"] if out.is_dir() and any(out.iterdir()) else []
    return ("pretrain", root / "small.yaml", "--out", out, "--quiet", *resume)


def training(root: Path, rng: np.random.Generator, kills: int) -> Tally:
    """Kill a run of one rank."""
    log = root / "log"

    def to_the_end(out: Path) -> float:
        ended = whole(command(*arguments(root, out)), log)
        tally.check(ended.code == 0, f"{out.name} ended with {ended.code}: {ended.log[-500:]}")
        return ended.seconds

    def attempt(out: Path, moment: float) -> bool:
        ended = killed(command(*arguments(root, out)), log, moment)
        tally.check(ended is None or ended.code == 0, f"{out.name}: {ended}")
        return ended is None

    tally = Tally("training, 1 rank")
    return _until_killed_enough(root / "one", tally, rng, kills, to_the_end, attempt)


TWO_RANKS = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "GLOO_SOCKET_IFNAME": "lo"}


def begin_ranks(root: Path, out: Path, log: Path) -> list[int]:
    """Begin a run, or go on with it, in two ranks; return their processes."""
    log.unlink(missing_ok=True)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    work, place = command(*arguments(root, out)), {**TWO_RANKS, "MASTER_PORT": port}
    return [begin(work, log, place | {"RANK": rank, "LOCAL_RANK": rank}) for rank in ("0", "1")]


def training_in_ranks(root: Path, rng: np.random.Generator, kills: int) -> Tally:
    """Kill one rank of two, or both at once; the other is then ended, as whoever starts ranks does."""
    log = root / "log"

    def to_the_end(out: Path) -> float:
        began = time.monotonic()
        codes = [wait(child) for child in begin_ranks(root, out, log)]
        tally.check(codes == [0, 0], f"{out.name} ended with {codes}: {log.read_text()[-500:]}")
        return time.monotonic() - began

    def attempt(out: Path, moment: float) -> bool:
        children = begin_ranks(root, out, log)
        time.sleep(moment)
        victims = [children[:1], children[1:], children][int(rng.integers(3))]
        for child in victims:
            os.kill(child, signal.SIGKILL)
        for child in children:
            if child not in victims and wait(child, 0.2) is None:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
        ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in victims]
        return -signal.SIGKILL in ended

    tally = Tally("training, 2 ranks")
    if "ranks" not in signature(pretrain).parameters:
        tally.notes = "skipped: this version has no ranks"
        return tally
    return _until_killed_enough(root / "two", tally, rng, kills, to_the_end, attempt)


def _until_killed_enough(
    root: Path,
    tally: Tally,
    rng: np.random.Generator,
    kills: int,
    to_the_end: Callable[[Path], float],
    attempt: Attempt,
) -> Tally:
    root.mkdir()
    to_the_end(root / "alone")
    seconds = to_the_end(root / "again")
    expected = outcome_of(root / "alone")
    tally.check(outcome_of(root / "again") == expected, "two undisturbed runs differ")
    runs, resumed = 0, 0
    while tally.kills < kills:
        out, saved, runs = root / f"run-{runs}", 0, runs + 1
        while tally.kills < kills and attempt(out, float(rng.uniform(0, seconds))):
            tally.kills += 1
            steps = saved_steps(out, tally)
            newest = max(steps, default=0)
            done = max((int(line.get("step", 0)) for line in read_metrics(out / "metrics.jsonl")), default=0)
            tally.keeps(newest >= saved, f"{out.name}: step {saved} was saved, and now {newest} is the newest")
            tally.keeps(done - newest <= SAVE_EVERY, f"{out.name}: {done - newest} steps are lost")
            resumed += newest > 0
            saved = newest
        to_the_end(out)
        tally.check(outcome_of(out) == expected, f"{out.name}: other parameters or metrics than undisturbed")
        tally.check(saved_steps(out, tally)[-1] == STEPS, f"{out.name}: not at its end")
        tally.check(not leftovers(root), f"{out.name}: {leftovers(root)} are left")
    tally.notes = f"{runs} runs to their end, {resumed} resumes from a checkpoint"
    return tally
