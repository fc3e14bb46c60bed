"""A part of `make faults`: kills at random moments, a disk that fills up, changed bytes; nothing is lost or wrong."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_part_of_the_harness(tmp_path):
    """With another seed each time: the message has the rows, and the seed that finds the same again."""
    seed = str(int(np.random.default_rng().integers(1 << 30)))
    command = [sys.executable, "-m", "benchmarks.faults", "--share", "0.03", "--seed", seed]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "METAGLOT_CACHE": str(tmp_path / "cache")}
    ended = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=230)
    assert ended.returncode == 0, f"--seed {seed}\n{ended.stdout}\n{ended.stderr[-2000:]}"
    said = re.search(r"(\d+) kills, 0 faults, 0 losses", ended.stdout)
    assert said is not None, ended.stdout
    assert int(said[1]) >= 6
