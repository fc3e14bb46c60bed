"""Several processes that train as one: the episodes that each takes, what they tell one another, the sum of gradients.

    g = 1/n Σ_r Σ_{i ≡ r mod N} w_i g_i        rank r of N takes the episodes i = r, r + N, r + 2N, …

The n episodes of a step, their seeds and weights are those of one process, whatever N is; a rank whose share is
smaller, or empty, adds less to the sum, which is divided by n once.  So the mean is the same, but for the order of its
terms.

What ranks tell one another is JSON in one collective, `exchange`.  A rank that failed says so in the place of what the
others wait for, and all of them raise its error: none waits for one that has left.

Li et al. 2020, https://arxiv.org/abs/2006.15704 (what torch.distributed does); meta-learning over devices by episodes:
Finn et al. 2017, https://arxiv.org/abs/1703.03400, appendix.
"""

import json
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.models.sharded import Sharded
from metaglot.training.state import State
from metaglot.types import Learner, Params

T = TypeVar("T")
FIRST_BYTES = 4096  # of what a rank tells that go in the first collective; a longer message takes a second one


class LostRankError(Exception):
    """Another rank ended, or cannot be reached: whoever started the ranks starts them again.

    Parameters
    ----------
    message
        What torch says.
    seconds
        How long this rank had waited.
    absent
        The ranks that did not come, where that is known.
    """

    def __init__(self, message: str, *, seconds: float = 0.0, absent: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.seconds, self.absent = seconds, tuple(absent)


def lost_words(error: Exception) -> str:
    """Return what happened, in words, if a connection to another rank was lost, be it in a collective of torch's own.

    Returns "" for any other error.
    """
    if isinstance(error, LostRankError) and error.absent:
        names = " and ".join(map(str, error.absent))
        return f"waited {error.seconds / 60:.0f} minutes for rank {names} in vain"
    lost = isinstance(error, LostRankError) or _is_of_torch(error)
    return "cannot reach another rank any more" if lost else ""


def _is_of_torch(error: Exception) -> bool:
    return isinstance(error, dist.DistError) or (isinstance(error, RuntimeError) and "gloo" in str(error))


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those that train together; `ALONE` is one process.

    Parameters
    ----------
    rank
        The number of this process, from 0.
    count
        How many there are.
    on_machine
        How many of them share this machine, its memory and its cores.

    Examples
    --------
    >>> Ranks(1, 3).share(7)
    range(1, 7, 3)
    >>> ALONE.exchange("one"), ALONE.in_order(["a", "b"], 2)
    (['one'], ['a', 'b'])
    """

    rank: int = 0
    count: int = 1
    on_machine: int = 1

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is nobody else."""
        return self.count == 1

    def share(self, total: int) -> range:
        """Return the numbers below `total` that this rank takes."""
        return range(self.rank, total, self.count)

    def rounds(self, total: int) -> list[int]:
        """Return the numbers of `share`, then 0 where another rank has one more: all ranks have equally many.

        Examples
        --------
        >>> Ranks(0, 2).rounds(3), Ranks(1, 2).rounds(3)
        ([0, 2], [1, 0])
        """
        own = list(self.share(total))
        return own + [0] * (-(-total // self.count) - len(own))

    def exchange(self, value: T) -> list[T]:
        """Return what every rank gave, in their order; values are what JSON can hold.

        Raises MetaglotError with the message of a rank that failed, and LostRankError where one is gone.
        """
        return [value] if self.alone else self._told({"value": value})

    def in_order(self, own: Sequence[T], total: int) -> list[T]:
        """Return what belongs to each of the numbers below `total`; `own` is of those of `share(total)`."""
        told = self.exchange(list(own))
        return [told[number % self.count][number // self.count] for number in range(total)]

    def of_first(self, value: T) -> T:
        """Return the value of rank 0."""
        return self.exchange(value if self.first else None)[0]  # pyright: ignore[reportReturnType]

    @contextmanager
    def guard(self) -> Generator[None]:
        """Within the block an error of one rank is raised by the next `exchange` of all others, which there must be.

        A guard within another one tells the error, and the outer one lets it pass.
        """
        try:
            yield
        except (ToldError, UntoldError):
            raise
        except (MetaglotError, OSError) as error:
            if not self.alone:
                self._told({"error": str(error)})
            raise

    def sum_(self, buffer: Tensor) -> None:
        """Add the buffers of all ranks, in place."""
        if not self.alone:
            _reached(lambda: dist.all_reduce(buffer))

    def spread_(self, buffer: Tensor, *, source: int = 0) -> None:
        """Fill the buffer with that of the rank `source`, in place."""
        if not self.alone:
            _reached(lambda: dist.broadcast(buffer.view(torch.uint8), src=source))  # of any type of number

    def _told(self, message: dict[str, Any]) -> list[Any]:
        told = [json.loads(part) for part in self._bytes(json.dumps(message).encode())]
        for rank, part in enumerate(told):
            if "error" in part:
                raise (OtherRankError if rank != self.rank else ToldError)(part["error"])
        return [part["value"] for part in told]

    def _bytes(self, own: bytes) -> list[bytes]:
        """Return the bytes of every rank: the length and the beginning in one collective, the rest in another."""
        head = len(own).to_bytes(8, "little") + own[:FIRST_BYTES]
        heads = self._gathered(head, 8 + FIRST_BYTES)
        lengths = [int.from_bytes(part[:8], "little") for part in heads]
        rest = max(lengths) - FIRST_BYTES
        tails = self._gathered(own[FIRST_BYTES:], rest) if rest > 0 else [b""] * self.count
        return [(head[8:] + tail)[:length] for head, tail, length in zip(heads, tails, lengths, strict=True)]

    def _gathered(self, own: bytes, length: int) -> list[bytes]:
        row = torch.frombuffer(bytearray(own.ljust(length, b"\0")), dtype=torch.uint8)
        rows = [torch.empty_like(row) for _ in range(self.count)]
        _reached(lambda: dist.all_gather(rows, row))
        return [bytes(part.numpy()) for part in rows]


ALONE = Ranks()
"""One process."""


class ToldError(MetaglotError):
    """An error that all ranks know of: it is not told again, since nobody listens any more."""


class OtherRankError(ToldError):
    """An error that another rank met first."""


class UntoldError(MetaglotError):
    """An error of a rank on whose part of a layer the others wait: they learn of it when its connection closes."""


@contextmanager
def gathering(learner: Learner) -> Generator[None]:
    """Within the block a divided body may be run, which ranks do together: no other message may come between.

    Raises UntoldError for an error of this rank, and LostRankError where another one has left.
    """
    if not isinstance(learner, Sharded):
        yield
        return
    try:
        yield
    except MetaglotError as error:
        raise UntoldError(str(error)) from error
    except RuntimeError as error:
        if _is_of_torch(error):
            raise LostRankError(str(error)) from error
        raise


def _reached(collective: Callable[[], object]) -> None:
    began = time.monotonic()
    try:
        collective()
    except RuntimeError as error:  # of gloo and nccl alike: the connection closed, or the time ran out
        raise LostRankError(str(error), seconds=time.monotonic() - began) from error


class Flat:
    """Tensors by name as views of one buffer for each type of number, so that one collective moves them all."""

    def __init__(self, like: Params) -> None:
        groups: dict[torch.dtype, list[str]] = {}
        for name, value in like.items():
            groups.setdefault(value.dtype, []).append(name)
        self.buffers: list[Tensor] = []
        views: dict[str, Tensor] = {}
        for dtype, names in groups.items():
            sizes = [like[name].numel() for name in names]
            buffer = torch.zeros(sum(sizes), dtype=dtype, device=like[names[0]].device)
            parts = zip(names, buffer.split(sizes), strict=True)
            views |= {name: _laid_out(part, like[name]) for name, part in parts}
            self.buffers.append(buffer)
        self.views = {name: views[name] for name in like}

    def fill(self, values: Params) -> None:
        """Write tensors to their places."""
        for name, value in values.items():
            self.views[name].copy_(value)

    def spread_(self, ranks: Ranks, *, source: int = 0) -> None:
        """Take those of the rank `source`."""
        for buffer in self.buffers:
            ranks.spread_(buffer, source=source)

    def sum_(self, ranks: Ranks) -> None:
        """Add those of all ranks."""
        for buffer in self.buffers:
            ranks.sum_(buffer)


def _laid_out(part: Tensor, like: Tensor) -> Tensor:
    """Return the numbers in the form of `like`, its strides too: a fused optimiser walks over both alike."""
    dense = like.untyped_storage().nbytes() == like.numel() * like.element_size()
    return part.as_strided(like.shape, like.stride(), part.storage_offset()) if dense else part.view(like.shape)


def of_first(tensors: Params, ranks: Ranks, device: torch.device) -> dict[str, Tensor]:
    """Return the tensors of rank 0 on `device`; what other ranks give is not read.

    Names, shapes and types go ahead as JSON.
    """
    if ranks.alone:
        return dict(tensors)
    forms = [(name, list(v.shape), str(v.dtype).removeprefix("torch.")) for name, v in tensors.items()]
    chosen = ranks.of_first(forms)
    flat = Flat({n: torch.empty(shape, dtype=getattr(torch, kind), device=device) for n, shape, kind in chosen})
    if ranks.first:
        flat.fill(tensors)
    flat.spread_(ranks)
    return {name: view.clone() for name, view in flat.views.items()}


def state_of_first(state: State, ranks: Ranks, device: torch.device) -> State:
    """Return the state of rank 0, which alone reads checkpoints; another rank gives a state that is not read."""
    if ranks.alone:
        return state
    step, seed, goal = ranks.of_first((state.step, state.seed, dict(state.goal)))
    seconds = ranks.of_first(state.cpu_seconds)
    params, moments, snapshot, combine = (
        of_first(tensors, ranks, device) for tensors in (state.params, state.moments, state.snapshot, state.combine)
    )
    pending = tuple(ranks.of_first(list(state.pending)))
    return State(step, params, moments, snapshot, combine, goal, seed, seconds, pending)
