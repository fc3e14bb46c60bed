"""Shared fixtures: the command line, small files and recipes; `tests/learners.py` has those of tiny random learners."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# As many processes run as there are cores: the threads of one would wait for those of the others, and spin meanwhile.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import contextlib
import csv
import io
import signal
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings

from metaglot.cli.app import main
from metaglot.data.builtin import fetch
from metaglot.errors import MetaglotError

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what it begins in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
# The same examples each time, and no verdict that depends on how busy the machine is.
settings.register_profile("metaglot", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("metaglot")


@pytest.fixture(scope="session")
def tiny() -> str:
    """The name of the small built-in model; without it and without a network the test is skipped."""
    try:
        fetch("tiny")
    except MetaglotError as error:
        pytest.skip(f"builtin:tiny cannot be had: {error}")
    return "builtin:tiny"


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def metaglot() -> Callable[..., Said]:
    """Return a function that calls the command in this process, as the console script does."""

    import torch

    def call(*arguments: object) -> Said:
        before, argv, handler = dict(os.environ), sys.argv, signal.getsignal(signal.SIGINT)
        threads = torch.get_num_threads()
        out, err = io.StringIO(), io.StringIO()
        sys.argv = ["metaglot", *map(str, arguments)]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main()
        finally:
            sys.argv = argv
            signal.signal(signal.SIGINT, handler)  # the command ignores interrupts once its outcome stands
            os.environ.clear()
            os.environ.update(before)
            torch.set_num_threads(threads)  # a command sets as many as it was told
        return Said(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    return call


TOPICS = {
    "billing": ["invoice", "refund", "payment", "receipt", "charge"],
    "technical": ["crash", "error", "bug", "screen", "login"],
    "delivery": ["parcel", "courier", "shipping", "package", "tracking"],
}


@pytest.fixture(scope="session")
def write_csv() -> Callable[..., Path]:
    """Return a function (path, examples a class, start=, header=) -> the path of a csv file of three classes."""

    def write(path: Path, per_class: int, *, start: int = 0, header: tuple[str, str] = ("text", "label")) -> Path:
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(header)
            for label, words in TOPICS.items():
                for i in range(per_class):
                    rows.writerow([f"{words[i % 5]} and {words[(i + 1) % 5]}, number {start + i}", label])
        return path

    return write


@pytest.fixture
def examples(tmp_path, write_csv) -> Path:
    return write_csv(tmp_path / "examples.csv", 5)


RECIPE = """
name: small
threads: 1
model: {name: "builtin:tiny", max_length: 16, precision: fp32}
data:
  train: [{path: train.csv, min_per_class: 4}]
  validation: [{path: held.csv, min_per_class: 4}]
episodes: {ways: [2, 3], shots: [1, 2], queries: 2}
training: {steps: 4, meta_batch: 1, warmup: 0, save_every: 2}
validation: {every: 2, episodes: 3, shots: 2, queries: 2, ways: [2, 3]}
"""


@pytest.fixture
def small_recipe(tmp_path, monkeypatch, tiny, write_csv) -> Path:
    """Stand in a folder with a recipe of four steps and its data."""
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "train.csv", 8)
    write_csv(tmp_path / "held.csv", 8, start=100)
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path / "small.yaml"


TALLY = pytest.StashKey[Counter[str]]()  # bad inputs: tried, mishandled; combinations of choices: ran, refused


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = Counter()
    if config.getoption("dist", "no") == "no":  # the process that hands tests out runs none, and needs no torch
        config.pluginmanager.import_plugin("tests.learners")


@pytest.fixture(scope="session")
def tally(pytestconfig) -> Counter[str]:
    return pytestconfig.stash[TALLY]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # a worker of xdist
        session.config.workeroutput["bad_inputs"] = dict(session.config.stash[TALLY])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    node.config.stash[TALLY].update(getattr(node, "workeroutput", {}).get("bad_inputs", {}))


def pytest_terminal_summary(terminalreporter) -> None:
    counted = terminalreporter.config.stash[TALLY]
    if counted["combinations"]:
        terminalreporter.write_line(
            f"algorithm matrix: {counted['combinations']} combinations ran, {counted['agreed']} agreed with the "
            f"unrolled gradient, {counted['refused']} refused with a reason"
        )
    if counted["tried"]:
        terminalreporter.write_line(f"bad inputs: {counted['tried']} tried, {counted['mishandled']} mishandled")
