"""The real command, killed and resumed: the parameters are those of a run that was never stopped, byte for byte."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from tests.watched_runs import PATIENCE, ended, records, smoke_run, steps_done, wait_for, weights_at

SHORT = (
    "training.steps=30",
    "training.save_every=5",
    "training.warmup=4",
    "validation.every=15",
    "validation.episodes=3",
    "training.meta_batch=1",
    "episodes.max_support=8",
    "episodes.max_query=8",
    "model.max_length=16",
)


@pytest.fixture(scope="module", autouse=True)
def _ingredients(tiny) -> None:
    if not os.environ.get("METAGLOT_DATA"):
        pytest.skip("METAGLOT_DATA is not set: recipes/smoke.yaml reads its sets from there")


def started(out: Path, *overrides: str, resume: bool = False) -> subprocess.Popen[str]:
    return smoke_run(out, [*SHORT, *overrides, *(["--resume"] if resume else [])])


@pytest.fixture(scope="module")
def whole(tmp_path_factory) -> Path:
    """A run that nobody stopped."""
    out = tmp_path_factory.mktemp("whole") / "run"
    code, said, err = ended(started(out))
    assert code == 0, err
    assert json.loads(said)["step"] == 30
    return out


@pytest.mark.slow
def test_killed_twice(whole, tmp_path):
    rng = np.random.default_rng()
    out, reached = tmp_path / "run", 0
    for low, high in ((2, 12), (15, 24)):
        step, pause = int(rng.integers(low, high)), float(rng.uniform(0, 0.05))
        process = started(out, resume=reached > 0)
        wait_for(process, out, step)
        time.sleep(pause)
        process.kill()
        assert process.wait() == -signal.SIGKILL, "it ended before it was killed"
        process.communicate()
        assert reached <= steps_done(out) < 30
        reached = steps_done(out)
    code, _, err = ended(started(out, resume=True))
    assert code == 0, err
    assert weights_at(out, 30) == weights_at(whole, 30)
    assert records(out) == records(whole)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_asked_to_stop(whole, tmp_path, number):
    out = tmp_path / "run"
    process = started(out)
    wait_for(process, out, 7)
    process.send_signal(number)
    code, said, err = ended(process)
    assert code == 130, err
    outcome = json.loads(said)
    assert outcome["outcome"] == "interrupted"
    assert 7 <= outcome["step"] < 30
    assert (out / f"checkpoints/step-{outcome['step']}/params.safetensors").is_file()
    code, said, err = ended(started(out, resume=True))
    assert (code, json.loads(said)["outcome"]) == (0, "done"), err
    assert weights_at(out, 30) == weights_at(whole, 30)
    assert records(out) == records(whole)


@pytest.mark.slow
@pytest.mark.parametrize("pause", [0.6, 1.8, 3.0, 4.2])
def test_interrupted_while_it_loads(tmp_path, pause):
    """Ctrl-C at any moment, also before there is anything to save: no traceback, no abort of a C++ extension."""
    process = started(tmp_path / "run", "training.steps=3000")
    time.sleep(pause)
    process.send_signal(signal.SIGINT)
    code, _, err = ended(process)
    assert "Traceback" not in err, err
    assert code == 130, err


def test_an_interrupt_after_the_outcome_changes_nothing(tmp_path):
    """The default handler would end the interpreter's shutdown by a traceback or the signal itself."""
    missing = tmp_path / "missing.csv"
    code = (
        "import atexit, os, signal, sys; from metaglot.cli.app import main\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        f"sys.argv = ['metaglot', 'data', 'inspect', {str(missing)!r}]; main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert ended.returncode == 2
    assert "missing.csv" in ended.stderr
    assert "Traceback" not in ended.stderr
