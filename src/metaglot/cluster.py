"""A connection to a Ray cluster: one that exists, or one of this machine alone.

Ray is the extra `ray`, and imported when a connection is asked for.  https://docs.ray.io/en/latest/ray-core/starting-ray.html
"""

import logging
import os
import platform
import socket
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from metaglot.errors import MetaglotError

FORMS = "ray, ray:HOST:PORT or ray://HOST:PORT"


def address_of(on: str) -> str | None:
    """Return what Ray calls the address; None for `ray`: RAY_ADDRESS, a cluster of this machine, or else a new one.

    Raises MetaglotError for a place that is not Ray's, and where Ray is not installed.

    Examples
    --------
    >>> from metaglot.cluster import address_of
    >>> address_of("ray:10.0.0.1:6379")
    '10.0.0.1:6379'
    """
    if on != "ray" and not (on.startswith("ray:") and on.removeprefix("ray:").strip("/ ")):
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

    if ray.is_initialized():
        yield
        return
    try:
        _knock(address or os.environ.get("RAY_ADDRESS", ""))
        ray.init(address, log_to_driver=False, logging_level=logging.ERROR, include_dashboard=False)
    except (OSError, RuntimeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise MetaglotError(
            f"--on {on}: no Ray cluster could be reached ({reason}). Begin one with `ray start --head`, and give "
            "ray:HOST:PORT; or ray:local for this machine alone"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise OSError at once where nothing listens at HOST:PORT; Ray itself waits for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()


def enter(folder: str) -> None:
    """Go to the folder of the one who asks, so that relative paths mean the same on each node."""
    if not Path(folder).is_dir():
        raise MetaglotError(
            f"{folder}: the node {platform.node()} has no such folder; all nodes need the files of an evaluation "
            "or a run at the same paths, as a shared disk gives them"
        )
    os.chdir(folder)
