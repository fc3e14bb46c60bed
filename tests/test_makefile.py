"""What the targets of the Makefile run, as `make` itself says it."""

import os
import subprocess
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
MARKS = ("-m 'not slow'", "-m slow")


def runs(*targets: str) -> Counter[str]:
    """Return how often these targets, made in one call, run each half of the tests."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--dry-run", "--directory", str(ROOT), *targets]
    said = subprocess.run(command, capture_output=True, text=True, check=True, env=env).stdout
    tests = [line for line in said.splitlines() if "/pytest " in line]
    return Counter(line[line.index("-m ") :] for line in tests)


def of_integration() -> list[str]:
    """Return the targets that continuous integration makes."""
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    return [target for line in lines if line.startswith("make ") for target in line.split()[1:]]


@pytest.mark.parametrize(
    ("targets", "halves"),
    [(["test"], MARKS[:1]), (["test-slow"], MARKS[1:]), (["test-all"], MARKS), (of_integration(), MARKS)],
    ids=["test", "test-slow", "test-all", "integration"],
)
def test_each_half_runs_once(targets, halves):
    assert runs(*targets) == dict.fromkeys(halves, 1)


def test_integration_makes_all_that_a_person_makes_before_a_pull_request():
    calls = [line for line in (ROOT / ".ci" / "run").read_text().splitlines() if line.startswith("make ")]
    assert len(calls) == 1  # in two calls the quick tests would run twice
    assert of_integration() == ["check", "docs", "test", "test-all"]
