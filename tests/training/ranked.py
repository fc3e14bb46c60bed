"""Several ranks of one test: processes that begin as copies of it, and tell it what they found by files."""

import json
import multiprocessing
import os
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from safetensors.torch import load_file, save_file

from metaglot.training.ranks import Ranks
from metaglot.types import Params

PATIENCE = 200.0  # seconds until a rank that does not end is ended
Found = tuple[Params, Mapping[str, Any]]


def in_ranks(count: int, work: Callable[[Ranks], Found], folder: Path) -> list[Found]:
    """Return what `work` gave in each of `count` ranks, in their order; fail with the traceback of one that failed."""
    folder.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("fork")
    processes = [context.Process(target=_run, args=(rank, count, work, folder)) for rank in range(count)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(PATIENCE)
    for process in processes:
        if process.is_alive():
            process.kill()
            process.join()
    failed = [file.read_text("utf-8") for file in sorted(folder.glob("*.error"))]
    assert not failed, "\n".join(failed)
    assert [process.exitcode for process in processes] == [0] * count
    return [
        (load_file(folder / f"{rank}.safetensors"), json.loads((folder / f"{rank}.json").read_text("utf-8")))
        for rank in range(count)
    ]


def _run(rank: int, count: int, work: Callable[[Ranks], Found], folder: Path) -> None:
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    try:
        dist.init_process_group("gloo", store=dist.FileStore(str(folder / "store"), count), rank=rank, world_size=count)
        tensors, facts = work(Ranks(rank, count, count))
        save_file(
            {name: value.detach().clone().contiguous() for name, value in tensors.items()},
            folder / f"{rank}.safetensors",
        )
        (folder / f"{rank}.json").write_text(json.dumps(facts), "utf-8")
        if dist.is_initialized():
            dist.destroy_process_group()
    except BaseException:
        (folder / f"{rank}.error").write_text(f"rank {rank}:\n{traceback.format_exc()}", "utf-8")
        raise
