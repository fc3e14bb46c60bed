"""Runs of the real command that a test watches from outside, and what they leave."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

PATIENCE = 220.0  # seconds until a test gives up
TIMES = frozenset({"cpu_seconds", "run_cpu_seconds", "seconds", "waited_seconds"})


def smoke_run(out: Path, arguments: Sequence[str]) -> subprocess.Popen[str]:
    """Begin to train recipes/smoke.yaml."""
    command = [sys.executable, "-m", "metaglot", "pretrain", "smoke", *arguments, "--out", str(out), "--json"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def ended(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Wait for the end; return the exit code and what was said."""
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def steps_done(out: Path) -> int:
    """Return the last step in the metrics; a line that is being written does not count."""
    file = out / "metrics.jsonl"
    lines = file.read_text("utf-8").split("\n")[:-1] if file.is_file() else []
    return max((json.loads(line)["step"] for line in lines), default=0)


def wait_for(process: subprocess.Popen[str], out: Path, step: int) -> None:
    """Wait until a run has done a step."""
    began = time.monotonic()
    while steps_done(out) < step:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() - began < PATIENCE
        time.sleep(0.01)


def weights_at(out: Path, step: int) -> dict[str, bytes]:
    """Return the bytes of the parameters and moments of a checkpoint."""
    folder = out / f"checkpoints/step-{step}"
    return {file: (folder / f"{file}.safetensors").read_bytes() for file in ("params", "moments")}


def records(out: Path) -> list[dict[str, object]]:
    """Return the records of a run without what differs from run to run."""
    lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text("utf-8").splitlines()]
    return [{name: value for name, value in line.items() if name not in TIMES} for line in lines]
