"""A run whose gradients are found on a Ray cluster: a node dies, and it is the run of one process all the same."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.clusters import two_nodes, wait_until

pytest.importorskip("ray", reason="the extra ray is not installed")
STEPS = 40


def steps_done(run: Path) -> int:
    file = run / "metrics.jsonl"
    return file.read_text().count('"kind": "step"') if file.is_file() else 0


@pytest.mark.slow
@pytest.mark.timeout(480)  # a minute where nothing else runs
@pytest.mark.skipif(sys.platform != "linux", reason="nodes are killed by their processes")
def test_a_run_without_staleness_is_that_of_one_process_though_a_node_dies(small_recipe, metaglot, tmp_path):
    common = ("small.yaml", f"training.steps={STEPS}", "training.staleness=0", "threads=1", "-q")
    assert metaglot("pretrain", *common, "--out", "here").code == 0
    there = Path("there").absolute()
    with two_nodes() as nodes:

        def kill():
            wait_until(lambda: steps_done(there) >= 3 and nodes.busy(1, "_Worker.find"))
            os.kill(nodes.nodes[1], signal.SIGKILL)
            (tmp_path / "killed").write_text(str(steps_done(there)))

        thread = threading.Thread(target=kill, daemon=True)
        thread.start()
        done = metaglot("pretrain", *common, "--out", there, "--on", f"ray:{nodes.address}", "--workers", 2)
        thread.join(60)
    assert done.code == 0, done
    assert int((tmp_path / "killed").read_text()) < STEPS
    one, other = (load_file(Path(run) / f"checkpoints/step-{STEPS}/params.safetensors") for run in ("here", there))
    assert one.keys() == other.keys()
    assert all(torch.equal(value, other[name]) for name, value in one.items())


def test_workers_need_a_place(small_recipe, metaglot):
    done = metaglot("pretrain", "small.yaml", "--workers", 2)
    assert done.code == 2
    assert "give --on ray too" in done.err
