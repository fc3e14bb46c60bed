"""Cells judge_in_processes over processes give the same rows as in one."""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaglot.errors import MetaglotError
from metaglot.evaluation import Plan, TaskSet, evaluate_into, read_results
from metaglot.evaluation.baselines import Tfidf
from metaglot.evaluation.job import Job, tasks_and_methods
from metaglot.evaluation.store import COSTS
from metaglot.evaluation.workers import Workers

PLAN = Plan(shots=(1, 3), draws=3, queries=20, seed=5)


DYING = """
import os, signal, time
from metaglot.evaluation import TaskSet
from metaglot.evaluation.baselines import Tfidf

class Dying(Tfidf):
    def fit(self, support, family, *, shot, seed):
        if shot == 3:
            until = time.monotonic() + 60
            while not self.results.exists() and time.monotonic() < until:
                time.sleep(0.01)
            os.kill(os.getpid(), signal.SIGKILL)  # as for want of memory
        return super().fit(support, family, shot=shot, seed=seed)

def make(path, results):
    method = Dying()
    method.results = results
    return [TaskSet.load(path)], [method]
"""


@pytest.fixture(name="files")
def _files(tmp_path, texts) -> list[Path]:
    files = []
    for seed, name in enumerate("ab"):
        sentences, labels = texts(20, seed)
        files.append(tmp_path / f"{name}.parquet")
        pq.write_table(pa.table({"text": sentences, "label": labels}), files[-1])
    return files


def rows(folder: Path) -> list[dict[str, object]]:
    lines = (folder / "results.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k not in COSTS} for line in lines]


@pytest.mark.slow
def test_two_processes_write_what_one_does(tmp_path, tiny, files):
    job = Job(str(tiny), tuple(files), ("instant", "fast"), ("tfidf", "frozen-lr"), max_length=12)
    left_out = (None, (0, 1, 2))
    tasks, methods = tasks_and_methods(job, left_out)
    assert tasks[1].left_out == (0, 1, 2)
    alone = list(evaluate_into(tmp_path / "one", tasks, methods, PLAN))
    workers = Workers(2, partial(tasks_and_methods, job, left_out))
    running = evaluate_into(tmp_path / "two", tasks, methods, PLAN)
    for _ in range(5):
        next(running)
    running.close()  # a stop, and then the same again, by two
    rest = list(evaluate_into(tmp_path / "two", tasks, methods, PLAN, workers=workers))
    assert len(rest) == len(alone) - 5 == 43
    assert rows(tmp_path / "one") == rows(tmp_path / "two")


@pytest.mark.slow
def test_a_process_that_is_killed_is_told_and_what_was_done_is_kept(tmp_path, files, monkeypatch):
    (tmp_path / "dying.py").write_text(DYING)
    monkeypatch.syspath_prepend(tmp_path)
    dying = importlib.import_module("dying")
    workers = Workers(2, partial(dying.make, files[0], tmp_path / "out" / "results.jsonl"))
    with pytest.raises(MetaglotError, match=r"one of 2 processes was killed.*fewer --jobs"):
        list(evaluate_into(tmp_path / "out", [TaskSet.load(files[0])], [Tfidf()], PLAN, workers=workers))
    assert {result.shot for result in read_results(tmp_path / "out")} == {1}


@pytest.mark.slow
def test_a_process_that_cannot_begin_is_told(tmp_path, files, capfd):
    workers = Workers(2, partial(tasks_and_methods, Job("builtin:absent", tuple(files), (), ("tfidf",)), (None, None)))
    with pytest.raises(MetaglotError, match=r"could not begin"):
        list(evaluate_into(tmp_path / "out", [TaskSet.load(files[0])], [Tfidf()], PLAN, workers=workers))
    assert "no built-in 'absent'" in capfd.readouterr().err  # the reason


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_an_interrupt_ends_all_processes_and_keeps_whole_rows(tmp_path, tiny, files):
    command = [
        sys.executable,
        "-m",
        "metaglot",
        "evaluate",
        str(tiny),
        *map(str, files),
        "--out",
        str(tmp_path / "o"),
    ]
    command += ["--efforts", "instant", "--against", "tfidf", "--draws", "500", "--shots", "1,3", "--jobs", "2", "-q"]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE) as process:
        file = tmp_path / "o" / "results.jsonl"
        for _ in range(1800):
            if file.is_file() and file.read_bytes().count(b"\n") > 20:
                break
            time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)  # the parent alone: it must end the others
        _, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "the results so far are saved" in err.decode()
    assert len(read_results(file)) > 20
    assert gone(process.pid)


def gone(group: int) -> bool:
    """Whether a group of processes ends within seconds: multiprocessing's own watcher is a little later."""
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_the_seed_of_a_job_is_that_of_its_draws(tmp_path, write_csv):
    file = tmp_path / "task.csv"
    write_csv(file, 40)
    tasks = [Job("m", (file,), (), ("tfidf",), seed=seed).task_sets()[0] for seed in (0, 0, 1)]
    one, same, other = (tuple(task.draws.support(4, 0).tolist()) for task in tasks)
    assert one == same
    assert one != other
    assert tasks[0].fingerprint() == tasks[2].fingerprint()
