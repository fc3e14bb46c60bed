"""Cells that are judged on a Ray cluster give the rows of one process, whatever dies meanwhile."""

import os
import re
import signal
import sys
import threading
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.clusters import Cluster, two_nodes, wait_until

from metaglot import cluster
from metaglot.cli.shared.workers import check_workers
from metaglot.cluster import address_of, connected, enter
from metaglot.errors import MetaglotError
from metaglot.evaluation import Plan, evaluate_into
from metaglot.evaluation.job import Job, tasks_and_methods
from metaglot.evaluation.workers import Workers

NODE = pytest.importorskip("ray", reason="the extra ray is not installed") and 1  # the second, which a test may kill
COSTS = re.compile(rb'"(cpu_seconds|peak_mb)": [\d.]+(, )?')


@pytest.mark.parametrize("place", ["rays", "ray:", "ray://", "ray:head", "ray:head:x", "local", ""])
def test_another_place_is_refused(place):
    with pytest.raises(MetaglotError, match="expected ray, ray:local, ray:HOST:PORT"):
        address_of(place)


def test_addresses_are_those_of_ray(monkeypatch):
    given = ("ray", "ray:local", "ray:10.0.0.1:6379", "ray://head:10001")
    assert [address_of(one) for one in given] == [None, "local", "10.0.0.1:6379", "ray://head:10001"]
    monkeypatch.setattr(cluster, "find_spec", lambda name: None)
    with pytest.raises(MetaglotError, match=r"pip install 'metaglot\[ray\]'"):
        address_of("ray")


def test_a_closed_port_is_told_before_a_model_is_loaded():
    for number in (None, 2):
        with pytest.raises(MetaglotError, match=r"no Ray cluster could be reached .*refused"):
            check_workers("ray:127.0.0.1:1", number)


def test_a_node_without_the_files_says_so(tmp_path):
    with pytest.raises(MetaglotError, match=r"has no such folder; all nodes need the files"):
        enter(str(tmp_path / "absent"))


def lines(out: Path) -> list[bytes]:
    file = out / "results.jsonl"
    return [COSTS.sub(b"", line) for line in file.read_bytes().splitlines()] if file.is_file() else []


def killing(nodes: Cluster, out: Path, rows: int) -> threading.Thread:
    """A thread that kills a node at its work as soon as there are so many rows."""

    def kill():
        wait_until(lambda: len(lines(out)) >= rows and nodes.busy(NODE, "_work"))
        os.kill(nodes.nodes[NODE], signal.SIGKILL)
        (out.parent / "killed").write_text(str(len(lines(out))))

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


@pytest.mark.slow
@pytest.mark.timeout(480)  # a minute where nothing else runs
@pytest.mark.skipif(sys.platform != "linux", reason="nodes are killed by their processes")
def test_an_evaluation_survives_a_stop_and_a_node_that_dies_and_has_each_row_once(tmp_path, tiny, texts, metaglot):
    files = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for seed, file in enumerate(files):
        pq.write_table(pa.table(dict(zip(("text", "label"), texts(40, seed), strict=True))), file)
    job = Job(str(tiny), tuple(files), ("instant", "fast"), ("tfidf", "frozen-lr"))
    make = partial(tasks_and_methods, job, (None, None))
    plan, here, there = Plan((1, 3), 10, 500, 0), tmp_path / "here", tmp_path / "there"
    for _ in evaluate_into(here, *make(), plan):
        pass
    with two_nodes() as nodes, connected(f"ray:{nodes.address}"):
        running = evaluate_into(there, *make(), plan, workers=Workers(0, make, on="ray"))
        for _ in range(20):
            next(running)
        running.close()
        assert len(lines(there)) == 20
        thread = killing(nodes, there, 60)
        command = ["evaluate", tiny, *files, "--shots", "1,3", "--draws", 10, "--out", there, "--on", "ray", "-q"]
        done = metaglot(*command, "--efforts", "instant,fast", "--against", "tfidf,frozen-lr")
        thread.join(60)
    assert done.code == 0, done
    assert 60 <= int((tmp_path / "killed").read_text()) < 160
    assert len(lines(there)) == 2 * 2 * 10 * 4
    assert lines(there) == lines(here)
    assert "--on" not in (there / "command.json").read_text()  # it changes no number


def test_an_address_where_nothing_answers_is_told():
    with (
        pytest.raises(MetaglotError, match=r"no Ray cluster could be reached .*ray start --head"),
        connected("ray:127.0.0.1:1"),
    ):
        pass
