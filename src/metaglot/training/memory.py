"""How much memory a process may still take: of the machine, and of the control groups that it stands in.

Version 2 of control groups (https://docs.kernel.org/admin-guide/cgroup-v2.html) and version 1; a limit may stand at
any level above the process, and file pages that the kernel can drop are counted as use there, so they are given back.
"""

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import torch

KERNELS = "128"


def keep_few_kernels() -> None:
    """Let oneDNN keep 128 of its kernels, not 1,024, unless the user says otherwise; it reads this before its first.

    A kernel is of one shape.  Where texts are of many lengths most of those that it keeps are never used again, and
    what it keeps grows for some hundred steps, by up to a megabyte each
    (https://uxlfoundation.github.io/oneDNN/dev_guide_primitive_cache.html).
    """
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", KERNELS)


class Version(NamedTuple):
    """Where a version of control groups keeps its numbers."""

    folder: str
    limit: str
    used: str
    droppable: str  # a line of memory.stat


V1 = Version("sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
V2 = Version("sys/fs/cgroup", "memory.max", "memory.current", "inactive_file")


def free_memory(device: torch.device, *, root: Path = Path("/")) -> int | None:
    """Return the bytes that are free on a device, None where that is unknown.

    On a GPU those that the driver has and those that torch holds unused; else the least of what the machine has
    available and what each control group leaves.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    machine = _machine(root)
    bounds = [*_groups(root), *([] if machine is None else [machine])]
    return max(0, min(bounds)) if bounds else None


def _machine(root: Path) -> int | None:
    lines = _text(root / "proc/meminfo").splitlines()
    amount = next((line.split()[1] for line in lines if line.startswith("MemAvailable:")), None)
    if amount is not None:
        return 1024 * int(amount)
    try:  # not Linux; psutil is optional
        psutil: Any = import_module("psutil")
    except ImportError:
        return None
    return int(psutil.virtual_memory().available)


def _groups(root: Path) -> Iterator[int]:
    """Yield what each control group above the process leaves, where it has a limit."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        version = V1 if controllers else V2
        names = [name for name in path.split("/") if name not in {"", ".."}]
        for depth in range(len(names) + 1):
            room = _room(root.joinpath(version.folder, *names[:depth]), version)
            if room is not None:
                yield room


def _room(folder: Path, version: Version) -> int | None:
    limit, used = (_text(folder / name).strip() for name in (version.limit, version.used))
    if not (limit.isdecimal() and used.isdecimal()):  # "max", or no such group to be seen from here
        return None
    stat = dict(line.split(" ", 1) for line in _text(folder / "memory.stat").splitlines() if " " in line)
    return int(limit) - int(used) + int(stat.get(version.droppable, "0"))


def _text(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except OSError:
        return ""
