"""The adaptations of those who use the page: each is its owner's alone, and they are bounded in number and time."""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

from metaglot.adaptation import Adapted
from metaglot.errors import MetaglotError

MOST, SECONDS = 64, 3600.0  # adaptations that are kept, and how long one is after its last use
OWN = 8  # of one tenant of a server


@dataclass(frozen=True)
class Work:
    """What a visitor has: an adaptation, the kind of its task and the columns of its table."""

    adapted: Adapted
    header: tuple[str, ...]
    seconds: float  # that adapting took


@dataclass(frozen=True)
class Held:
    """A work, whose it is, and when it was used."""

    work: Work
    owner: str
    used: float


@dataclass(frozen=True)
class Sessions:
    """Works by secret keys; a work that is not used for long is forgotten, and the oldest makes room."""

    most: int = MOST
    seconds: float = SECONDS
    clock: Callable[[], float] = time.monotonic
    _held: "OrderedDict[str, Held]" = field(default_factory=OrderedDict[str, Held])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def keep(self, work: Work, owner: str, key: str = "") -> str:
        """Keep a work in place of the one of the key; return its key, a new one where there is none of this owner."""
        with self._lock:
            self._forget()
            known = self._held.get(key)
            key = key if known is not None and known.owner == owner else secrets.token_urlsafe(24)
            self._held[key] = Held(work, owner, self.clock())
            self._held.move_to_end(key)
            own = [one for one, held in self._held.items() if owner and held.owner == owner]
            for oldest in own[: max(0, len(own) - OWN)]:
                del self._held[oldest]
            while len(self._held) > self.most:
                self._held.popitem(last=False)
            return key

    def of(self, key: str, owner: str) -> Work:
        """Return the work of a key; raise MetaglotError where it is forgotten, or another's."""
        with self._lock:
            self._forget()
            held = self._held.get(key)
            if held is None or held.owner != owner:
                raise MetaglotError("nothing is learnt here yet, or it was forgotten after an hour; click Learn again")
            self._held[key] = Held(held.work, owner, self.clock())
            self._held.move_to_end(key)
            return held.work

    def __len__(self) -> int:
        """Return how many works are kept."""
        with self._lock:
            self._forget()
            return len(self._held)

    def _forget(self) -> None:
        now = self.clock()
        for key in [key for key, held in self._held.items() if now - held.used > self.seconds]:
            del self._held[key]
