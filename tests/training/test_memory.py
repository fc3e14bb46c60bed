"""Free memory: of the machine, and within control groups, from a made-up /proc and /sys."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from metaglot.training.memory import free_memory

CPU = torch.device("cpu")
GB = 10**9


def write(root: Path, files: dict[str, object]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}\n")
    return root


def machine(kib: int) -> dict[str, object]:
    return {"proc/meminfo": f"MemTotal:       99999999 kB\nMemFree:            1000 kB\nMemAvailable:   {kib} kB"}


def group(folder: str, limit: object, used: int, inactive: int = 0) -> dict[str, object]:
    stat = {"memory.stat": f"anon 5\ninactive_file {inactive}\nactive_file 9"}
    return {f"{folder}/{n}": v for n, v in {"memory.max": limit, "memory.current": used, **stat}.items()}


def old_group(folder: str, limit: int, used: int, inactive: int = 0) -> dict[str, object]:
    stat = {"memory.stat": f"cache 5\ntotal_inactive_file {inactive}"}
    return {
        f"{folder}/{n}": v for n, v in {"memory.limit_in_bytes": limit, "memory.usage_in_bytes": used, **stat}.items()
    }


UNLIMITED = 9_223_372_036_854_771_712  # what version 1 says where there is no limit
CASES = {
    "the machine alone": (machine(2_000_000), 2_048_000_000),
    "a group below the machine": (
        {**machine(9_000_000), "proc/self/cgroup": "0::/", **group("sys/fs/cgroup", 4 * GB, 3 * GB)},
        GB,
    ),
    "file pages are given back": (
        {**machine(9_000_000), "proc/self/cgroup": "0::/", **group("sys/fs/cgroup", 4 * GB, 3 * GB, GB // 2)},
        3 * GB // 2,
    ),
    "a group without a limit": (
        {**machine(1_000_000), "proc/self/cgroup": "0::/", **group("sys/fs/cgroup", "max", 3 * GB)},
        1_024_000_000,
    ),
    "a limit further up": (
        {
            **machine(9_000_000),
            "proc/self/cgroup": "0::/jobs/mine",
            **group("sys/fs/cgroup/jobs", 2 * GB, 1 * GB),
            **group("sys/fs/cgroup/jobs/mine", "max", 10),
        },
        GB,
    ),
    "a group that cannot be seen from here": (
        {**machine(9_000_000), "proc/self/cgroup": "0::/../other", **group("sys/fs/cgroup", 5 * GB, 3 * GB)},
        2 * GB,
    ),
    "version 1": (
        {
            **machine(9_000_000),
            "proc/self/cgroup": "3:cpu,cpuacct:/docker/x\n2:memory:/docker/x\n1:name=systemd:/docker/x",
            **old_group("sys/fs/cgroup/memory/docker/x", 3 * GB, 2 * GB, GB // 4),
            **old_group("sys/fs/cgroup/memory", UNLIMITED, 8 * GB),
        },
        5 * GB // 4,
    ),
    "version 1, seen from within": (
        {
            **machine(9_000_000),
            "proc/self/cgroup": "2:memory:/docker/x",
            **old_group("sys/fs/cgroup/memory", 3 * GB, 2 * GB),
        },
        GB,
    ),
    "more used than allowed": (
        {**machine(9_000_000), "proc/self/cgroup": "0::/", **group("sys/fs/cgroup", GB, 2 * GB)},
        0,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_free_memory(tmp_path, name):
    files, expected = CASES[name]
    assert free_memory(CPU, root=write(tmp_path, files)) == expected


def test_this_machine_has_some():
    free = free_memory(CPU)
    assert free is not None
    assert 1e6 < free < 1e15


def test_without_proc_and_psutil_it_cannot_be_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)  # what makes an import fail
    assert free_memory(CPU, root=tmp_path) is None


def test_without_proc_psutil_is_asked(tmp_path):
    psutil = pytest.importorskip("psutil", reason="psutil is optional")
    free = free_memory(CPU, root=tmp_path)
    assert free is not None
    assert abs(free - psutil.virtual_memory().available) < 2e9


OF_MANY_SHAPES = """
import os
import subprocess
import sys
import torch
from metaglot.training.memory import KERNELS, keep_few_kernels
if sys.argv[1] == "few":
    keep_few_kernels()
torch.set_num_threads(1)
layer = torch.nn.Linear(16, 16, dtype=torch.bfloat16)
lengths = range(40, 40 + int(KERNELS) + 20)
with torch.no_grad():
    for length in (*lengths, lengths[0]):
        layer(torch.ones(length, 16, dtype=torch.bfloat16))
print(len(lengths))
"""


@pytest.mark.slow
@pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="torch is built without oneDNN")
def test_few_kernels_are_kept_of_many_shapes():
    found: dict[str, tuple[int, int]] = {}
    for how in ("few", "all"):
        environment = {**os.environ, "ONEDNN_VERBOSE": "profile_create"}
        environment.pop("ONEDNN_PRIMITIVE_CACHE_CAPACITY", None)
        called = [sys.executable, "-c", OF_MANY_SHAPES, how]
        said = subprocess.run(called, env=environment, capture_output=True, text=True, check=True).stdout
        found[how] = (said.count("create:cache_miss"), said.count("create:cache_hit"))
    if not sum(found["all"]):
        pytest.skip("no bf16 kernels of oneDNN on this processor")
    assert found["all"][1] == 1  # the first shape is still there
    assert found["few"] == (found["all"][0] + 1, 0)
