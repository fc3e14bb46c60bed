"""Randomness as a function: a seed for every purpose, derived from the run's seed and plain numbers.

Nothing in the package draws from a global generator, so that resuming needs the state on disk and nothing
else, and ranks can take episodes by stride.
"""

import hashlib
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:  # bad input is refused before torch, which takes seconds to import
    import torch


DRAWS = threading.RLock()
"""Held while torch's global generators are seeded: they are one for all threads."""
os.register_at_fork(before=DRAWS.acquire, after_in_parent=DRAWS.release, after_in_child=DRAWS.release)


def fold(seed: int, *parts: int | str) -> int:
    """Return a 63-bit seed that depends on `seed` and on every part, the same on every machine.

    A number counts by its value, whether it is Python's or numpy's.
    """
    plain = tuple(str(part) if isinstance(part, str) else int(part) for part in parts)
    digest = hashlib.blake2b(repr((int(seed), plain)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") >> 1


def generator(seed: int, *parts: int | str) -> np.random.Generator:
    """Return a numpy generator for `fold(seed, *parts)`."""
    return np.random.default_rng(fold(seed, *parts))


def torch_generator(seed: int, *parts: int | str) -> "torch.Generator":
    """Return a CPU torch generator for `fold(seed, *parts)`."""
    import torch

    return torch.Generator().manual_seed(fold(seed, *parts))


@contextmanager
def seeded(seed: int, device: "torch.device") -> Generator[None]:
    """Within the block, torch's global generators start at `seed`; afterwards they are as before.

    Dropout reads the global generator: this makes it a function of the seed.  Another thread that seeds waits.
    """
    import torch

    devices = [device] if device.type == "cuda" else []
    with DRAWS, torch.random.fork_rng(devices=devices):
        # `torch.manual_seed` reaches the generators of all devices, and formats the stack three times to do so.
        torch.default_generator.manual_seed(seed)
        if devices:
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        if device.type == "mps":
            torch.mps.manual_seed(seed)
        yield
