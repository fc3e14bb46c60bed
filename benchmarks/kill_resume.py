"""Kill a meta-training run at random moments, resume it each time, and compare it with one that was left alone.

    METAGLOT_DATA=… python -m benchmarks.kill_resume [--recipe smoke] [--kills 20] [--seed 0] [key=value …]

A moment is drawn evenly over start-up and the next part of the training, so that kills fall on imports, reading,
steps, validation and saving alike.  A run that ends before the last kill is compared and begun again.  Prints a line
for each kill and the verdict; ends with 1 if any parameter differs.
"""

import argparse
import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

POLL = 0.005  # seconds


def main() -> int:
    asked = arguments()
    rng = np.random.default_rng(asked.seed)
    with tempfile.TemporaryDirectory(prefix="metaglot-kill-", dir=asked.folder) as scratch:
        alone = Path(scratch) / "alone"
        start_up, seconds = left_alone(alone, asked)
        expected = digest(alone)
        print(
            f"left alone: {seconds:.1f} s, {start_up:.1f} s of them start-up, {name_of(alone)} {expected}", flush=True
        )
        longest = start_up + 2 * (seconds - start_up) / asked.kills
        kills, wrong, runs = 0, 0, 0
        while kills < asked.kills or runs == 0:
            runs += 1
            out = Path(scratch) / f"run-{runs}"
            while kills < asked.kills:
                moment = float(rng.uniform(0, longest))
                if not killed(out, asked, moment):
                    break
                kills += 1
                print(f"kill {kills:2d}: after {moment:5.2f} s, at {where(out)}", flush=True)
            finish(out, asked)
            same = digest(out) == expected
            wrong += not same
            print(
                f"run {runs} ended at {name_of(out)} {digest(out)}: {'the same' if same else 'DIFFERENT'}", flush=True
            )
    print(f"{kills} kills, {runs} runs, {wrong} of them different: {'FAIL' if wrong else 'PASS'}")
    return 1 if wrong else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="smoke")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", help="where the runs are written; a temporary folder if absent")
    parser.add_argument("overrides", nargs="*")
    return parser.parse_args()


def start(out: Path, asked: argparse.Namespace) -> subprocess.Popen[bytes]:
    resume = ["--resume"] if out.exists() else []
    command = [sys.executable, "-m", "metaglot", "pretrain", asked.recipe, *asked.overrides]
    with (out.parent / f"{out.name}.log").open("ab") as log:
        return subprocess.Popen([*command, "--out", str(out), "--quiet", *resume], stdout=log, stderr=log)


def left_alone(out: Path, asked: argparse.Namespace) -> tuple[float, float]:
    """Return the seconds until the first record and until the end."""
    began = time.monotonic()
    process = start(out, asked)
    while process.poll() is None and not (out / "metrics.jsonl").exists():
        time.sleep(POLL)
    start_up = time.monotonic() - began
    check(process.wait(), out)
    return start_up, time.monotonic() - began


def killed(out: Path, asked: argparse.Namespace, moment: float) -> bool:
    """Start or resume a run and kill it after `moment` seconds; return False if it ended before."""
    process = start(out, asked)
    try:
        check(process.wait(timeout=moment), out)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait() == -signal.SIGKILL
    return False


def finish(out: Path, asked: argparse.Namespace) -> None:
    check(start(out, asked).wait(), out)


def check(code: int, out: Path) -> None:
    if code != 0:
        log = (out.parent / f"{out.name}.log").read_text("utf-8", "replace")
        sys.exit(f"{out.name} ended with exit code {code}:\n{log[-3000:]}")


def newest(out: Path) -> Path:
    found = (out / "checkpoints").glob("step-*")
    return max(found, key=lambda folder: int(folder.name.removeprefix("step-")))


def name_of(out: Path) -> str:
    return newest(out).name


def digest(out: Path) -> str:
    return hashlib.sha256((newest(out) / "params.safetensors").read_bytes()).hexdigest()


def where(out: Path) -> str:
    """Return how far a killed run came: the last step in its metrics, and its newest checkpoint."""
    file = out / "metrics.jsonl"
    if not file.is_file():
        return "start-up"
    steps = [json.loads(line)["step"] for line in file.read_text("utf-8").split("\n")[:-1]]
    saved = name_of(out) if (out / "checkpoints").is_dir() and os.listdir(out / "checkpoints") else "none"
    return f"step {max(steps, default=0)}, newest checkpoint {saved}"


if __name__ == "__main__":
    sys.exit(main())
