"""How a process joins the ranks that torchrun started: by the variables that it set."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import torch
import torch.distributed as dist

from metaglot.training.ranks import ALONE, LostRankError, Ranks


@contextmanager
def joined(environment: Mapping[str, str]) -> Generator[Ranks]:
    """Give the place of this process among the ranks that `environment` names, and leave them at the end.

    Reads RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun sets them
    (https://docs.pytorch.org/docs/stable/elastic/run.html).  Without them, and with one rank, there is one process.
    Gradients go through nccl on GPUs, of which each rank of a machine has one, and through gloo elsewhere.
    Raises LostRankError where another rank does not come.
    """
    count = int(environment.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in environment:
        yield ALONE
        return
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(int(environment.get("LOCAL_RANK", "0")))
    rank = int(environment["RANK"])
    try:
        store, *_ = next(dist.rendezvous("env://"))  # pyright: ignore[reportPrivateImportUsage]
        # The store outlives ranks that are started again, and has the addresses of those before.
        prefix = f"start-{starts_before(environment)}"
        store = dist.PrefixStore(prefix, store)  # pyright: ignore[reportPrivateImportUsage]
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=count)
    except RuntimeError as error:
        raise LostRankError(str(error)) from error
    try:
        yield Ranks(rank, count, int(environment.get("LOCAL_WORLD_SIZE", "1")))
    finally:
        dist.destroy_process_group()


def starts_before(environment: Mapping[str, str]) -> int:
    """Return how often the ranks were started before, because one was lost."""
    return int(environment.get("TORCHELASTIC_RESTART_COUNT", "0"))
