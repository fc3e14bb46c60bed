"""How a process joins the ranks that torchrun started: by the variables that it set."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
import torch.distributed as dist

from metaglot.training.ranks import ALONE, Ranks


@contextmanager
def joined(environment: Mapping[str, str]) -> Generator[Ranks]:
    """Give the place of this process among the ranks that `environment` names, and leave them at the end.

    Reads RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun sets them
    (https://docs.pytorch.org/docs/stable/elastic/run.html).  Without them, and with one rank, there is one process.
    Gradients go through nccl on GPUs, of which each rank of a machine has one, and through gloo elsewhere.
    """
    count = int(environment.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in environment:
        yield ALONE
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(environment.get("LOCAL_RANK", "0")))
    dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    try:
        yield Ranks(int(environment["RANK"]), count, int(environment.get("LOCAL_WORLD_SIZE", "1")))
    finally:
        dist.destroy_process_group()
