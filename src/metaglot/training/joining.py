"""How a process joins the ranks that torchrun started: by the variables that it set."""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist

from metaglot.errors import MetaglotError
from metaglot.training.ranks import ALONE, LostRankError, Ranks

TIMEOUT = timedelta(hours=1)  # that a rank waits for another: one writes, or has more to do, while the others wait
GRACE = 10.0  # seconds within which those that wait too say so, once the time has run out


@contextmanager
def joined(environment: Mapping[str, str]) -> Generator[Ranks]:
    """Give the place of this process among the ranks that `environment` names, and leave them at the end.

    Reads RANK, WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE, MASTER_ADDR and MASTER_PORT, as torchrun sets them
    (https://docs.pytorch.org/docs/stable/elastic/run.html).  Without them, and with one rank, there is one process.
    Gradients go through nccl on GPUs, of which each rank of a machine has one, and through gloo elsewhere.
    Raises MetaglotError for variables that name no place, and LostRankError where another rank does not come, here or
    within the block for an hour; it names the ranks that did not.
    """
    count = _number(environment, "WORLD_SIZE", least=1, otherwise=1)
    if count == 1 or "RANK" not in environment:
        yield ALONE
        return
    rank = _number(environment, "RANK", most=count - 1)
    local, of_machine = (
        _number(environment, "LOCAL_RANK"),
        _number(environment, "LOCAL_WORLD_SIZE", least=1, otherwise=1),
    )
    _number(environment, "MASTER_PORT", most=65535)
    cuda = torch.cuda.is_available()
    if cuda:
        torch.cuda.set_device(local)
    try:
        store, *_ = next(dist.rendezvous("env://", timeout=TIMEOUT))  # pyright: ignore[reportPrivateImportUsage]
        # The store outlives ranks that are started again, and has the addresses of those before.
        prefix = f"start-{starts_before(environment)}"
        store = dist.PrefixStore(prefix, store)  # pyright: ignore[reportPrivateImportUsage]
        backend = "cpu:gloo,cuda:nccl" if cuda else "gloo"
        dist.init_process_group(backend, store=store, rank=rank, world_size=count, timeout=TIMEOUT)
    except RuntimeError as error:
        raise LostRankError(str(error)) from error
    try:
        yield Ranks(rank, count, of_machine)
    except LostRankError as error:
        if error.seconds < TIMEOUT.total_seconds():
            raise
        raise LostRankError(str(error), seconds=error.seconds, absent=_absent(store, rank, count)) from error
    finally:
        dist.destroy_process_group()


def _absent(store: Any, rank: int, count: int) -> list[int]:
    """Return the ranks that do not say that they wait too; none where the store cannot be asked."""
    keys = {other: f"waits-{other}" for other in range(count)}
    ends = time.monotonic() + GRACE
    with suppress(RuntimeError):
        store.set(keys[rank], b"1")
        while missing := [other for other, key in keys.items() if not store.check([key])]:
            if time.monotonic() > ends:
                return missing
            time.sleep(GRACE / 20)
    return []


def starts_before(environment: Mapping[str, str]) -> int:
    """Return how often the ranks were started before, because one was lost."""
    return _number(environment, "TORCHELASTIC_RESTART_COUNT")


def _number(
    environment: Mapping[str, str], name: str, *, least: int = 0, most: int | None = None, otherwise: int = 0
) -> int:
    """Return a variable as a number; raises MetaglotError where it is none, or beyond its bounds."""
    text = environment.get(name, str(otherwise))
    value = int(text) if text.isdecimal() else -1
    if value < least or (most is not None and value > most):
        expected = f"{least} or more" if most is None else f"{least} to {most}"
        raise MetaglotError(
            f"{name}={text}: expected {expected}, as torchrun sets it; unset RANK to train in one process"
        )
    return value
