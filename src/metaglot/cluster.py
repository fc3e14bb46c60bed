"""Work on a Ray cluster: one that exists, or one of this machine alone.

Each piece of work is a task, which Ray tries again elsewhere when its node dies.  Ray is the extra `ray`, and imported
when a connection is asked for.

Moritz et al. 2018, https://arxiv.org/abs/1712.05889; https://docs.ray.io/en/latest/ray-core/fault_tolerance/tasks.html
"""

import logging
import os
import platform
import signal
import socket
import uuid
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from metaglot.errors import MetaglotError

RETRIES = 5  # of work whose process or node died: what kills its process each time must end
AHEAD = 16  # pieces of work for each process that may be finished before an earlier one
FORMS = "ray, ray:local, ray:HOST:PORT or ray://HOST:PORT"
NAMES = frozenset({"ray:local", "ray:auto"})  # places that are no HOST:PORT
SETTINGS = bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))  # the frame with which both sides of HTTP/2 begin
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SETTINGS
ANSWERS_WITHIN = 5.0  # seconds


Item = TypeVar("Item")
Result = TypeVar("Result")
_works: dict[str, Callable[[Any], Any]] = {}  # of this process: what it works at


class Share(NamedTuple):
    """How much of a cluster is taken."""

    on: str  # as `address_of` reads it
    processes: int = 0  # at work at once; 0: one for each CPU
    threads: int = 1  # of each, and CPUs
    gpus: int = 0  # of each


def spread(make: Callable[[], Callable[[Item], Result]], items: Iterable[Item], share: Share) -> Iterator[Result]:
    """Yield what the function that `make` returns makes of each item, in their order.

    A process calls `make` once, and stands in the folder that this one stands in.  A result is yielded once, however
    often its work was tried.  Raises the MetaglotError of an item, and one where its processes die again and again.

    Examples
    --------
    >>> from metaglot.cluster import Share, spread
    >>> results = spread(lambda: abs, [-1, -2], Share("ray:local"))  # doctest: +SKIP
    """
    import ray
    from ray.exceptions import RayError, RayTaskError

    with connected(share.on):
        work: Any = ray.remote(num_cpus=share.threads, num_gpus=share.gpus, max_retries=RETRIES)(_work)
        setup = ray.put((uuid.uuid4().hex, os.getcwd(), make, share.threads))
        order: deque[Any] = deque()  # of the results that are not yielded yet
        try:
            yield from _in_order(lambda item: work.remote(setup, item), iter(items), order, share.processes)
        except RayTaskError as error:
            raise error.cause if isinstance(error.cause, MetaglotError) else error from None
        except RayError as error:
            raise MetaglotError(
                f"a part of the work could not be done: {' '.join(str(error).split())[:300]} The results so far are "
                "saved: give the command again, with fewer --jobs if memory ran out"
            ) from error
        finally:
            with suppress(RayError):  # of a cluster that is gone: what went wrong is raised, and not this
                for result in order:
                    ray.cancel(result, force=True)  # it may take minutes


def _in_order(submit: Callable[[Item], Any], items: Iterator[Item], order: deque[Any], at_once: int) -> Iterator[Any]:
    """Yield the results in the order of the items, `at_once` of them at work: if 0, two for each CPU there is then."""
    import ray

    working: list[Any] = []
    while True:
        most = at_once or 2 * int(ray.cluster_resources().get("CPU", 1))  # the second waits at its node
        while len(working) < most and len(order) < most * AHEAD:
            try:
                working.append(submit(next(items)))
            except StopIteration:
                break
            order.append(working[-1])
        if not order:
            return
        _, working = ray.wait(working) if working else ([], [])
        while order and order[0] not in working:
            yield ray.get(order[0])
            order.popleft()


def _work(setup: tuple[str, str, Callable[[], Callable[[Any], Any]], int], item: Any) -> Any:
    """Do the work of an item, as a task of Ray."""
    name, folder, make, threads = setup
    if name not in _works:
        import torch

        enter(folder)
        torch.set_num_threads(threads)
        _works.clear()  # what earlier work needed need not stay in memory
        _works[name] = make()
    return _works[name](item)


def _is_port(port: str) -> bool:
    return port.isdecimal() and 0 < int(port) < 1 << 16


def address_of(on: str) -> str | None:
    """Return what Ray calls the address; None for `ray`: RAY_ADDRESS, a cluster of this machine, or else a new one.

    Raises MetaglotError for a place that is not Ray's, and where Ray is not installed.

    Examples
    --------
    >>> from metaglot.cluster import address_of
    >>> address_of("ray:10.0.0.1:6379")
    '10.0.0.1:6379'
    """
    host, _, port = on.removeprefix("ray:").removeprefix("//").rpartition(":")
    if on not in {"ray", *NAMES} and not (on.startswith("ray:") and host.strip() and _is_port(port)):
        raise MetaglotError(f"--on {on}: expected {FORMS}; leave it out for processes of this machine")
    if find_spec("ray") is None:
        raise MetaglotError(f"--on {on}: it needs Ray: pip install 'metaglot[ray]'")
    return None if on == "ray" else on if on.startswith("ray://") else on.removeprefix("ray:")


@contextmanager
def connected(on: str) -> Generator[None]:
    """Hold a connection to the cluster; within another one it does nothing.

    A cluster that was begun for it ends with the block.  Nothing is reported to Ray's makers unless
    RAY_USAGE_STATS_ENABLED says so.  Raises MetaglotError where nothing answers at the address.
    """
    address = address_of(on)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # of later versions; else a warning
    import ray
    from ray.exceptions import RayError

    if ray.is_initialized():
        yield
        return
    check_reachable(on)
    try:
        with _own_handler():
            ray.init(address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        raise _unreachable(on, error) from error
    try:
        yield
    finally:
        ray.shutdown()


@contextmanager
def _own_handler() -> Generator[None]:
    """Put back what was to be done at SIGTERM before the block: Ray would end the process, and training saves first."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if before is not None and signal.getsignal(signal.SIGTERM) is not before:
            signal.signal(signal.SIGTERM, before)


def check_reachable(on: str) -> None:
    """Raise MetaglotError where nothing listens at HOST:PORT, or no gRPC; Ray itself would wait for a minute.

    It takes ten seconds at most to find somebody, and five until that answers.
    """
    address = address_of(on) or os.environ.get("RAY_ADDRESS", "")
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdecimal()):
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=10) as link:
            speaks = os.environ.get("RAY_USE_TLS") == "1" or _speaks_http2(link)
    except (OSError, OverflowError) as error:
        raise _unreachable(on, error) from error
    if not speaks:
        raise _unreachable(on, ConnectionError("something else than Ray listens there"))


def _speaks_http2(link: socket.socket) -> bool:
    """Return whether the other side begins as a server of HTTP/2 does, over which gRPC goes: with a SETTINGS frame.

    https://www.rfc-editor.org/rfc/rfc9113#section-3.4
    """
    link.settimeout(ANSWERS_WITHIN)
    try:
        link.sendall(PREFACE)
        with link.makefile("rb") as answer:
            head = answer.read(len(SETTINGS))
    except OSError:  # it is silent, or has closed the connection
        return False
    return len(head) == len(SETTINGS) and head[3] == SETTINGS[3]


def _unreachable(on: str, error: Exception) -> MetaglotError:
    reason = " ".join(str(error).split())[:300]
    return MetaglotError(
        f"--on {on}: no Ray cluster could be reached ({reason}). Begin one with `ray start --head`, and give "
        "ray:HOST:PORT; or ray:local for this machine alone"
    )


def enter(folder: str) -> None:
    """Go to the folder of the one who asks, so that relative paths mean the same on each node."""
    if not Path(folder).is_dir():
        raise MetaglotError(
            f"{folder}: the node {platform.node()} has no such folder; all nodes need the files of an evaluation "
            "or a run at the same paths, as a shared disk gives them"
        )
    os.chdir(folder)
