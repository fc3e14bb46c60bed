"""One thread at a time: parameters are substituted in a module, and every thread sees the module.

Whoever substitutes parameters in a module, or reads its own, holds its turn meanwhile.  A turn is re-entrant, so that a
function that holds it may call another that takes it.  A tokenizer keeps how texts are cut, and has a turn as well.

A fork waits for all turns, so that the child never begins with half-substituted parameters.  The child computes in one
thread: those of the parent are gone in it, and torch would wait for them for ever.
"""

import os
import threading
from weakref import WeakKeyDictionary

import torch

from metaglot import seeds  # its hooks are registered first, so that a fork takes turns before draws, as all do


class Turn:
    """A re-entrant lock that waits for its turn in `with`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_TURNS: WeakKeyDictionary[object, Turn] = WeakKeyDictionary()
_TABLE = threading.RLock()  # held while a turn is looked up
_HELD: list[Turn] = []  # during a fork


def turn(of: object) -> Turn:
    """Return the turn of a module or tokenizer: the same one for the same object, in every thread."""
    with _TABLE:
        return _TURNS.setdefault(of, Turn())


def _before_fork() -> None:
    with _TABLE:
        turns = list(_TURNS.values())
    for one in turns:
        one.__enter__()
    _TABLE.acquire()
    _HELD.extend(turns)


def _after_fork() -> None:
    while _HELD:
        _HELD.pop().__exit__()
    _TABLE.release()


def _in_child() -> None:
    _after_fork()
    torch.set_num_threads(1)


assert seeds.DRAWS
os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_in_child)
