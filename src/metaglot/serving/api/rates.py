"""How often a tenant may ask: a bucket that fills at a steady rate.

https://en.wikipedia.org/wiki/Token_bucket
"""

import time
from collections.abc import Callable


class Rates:
    """A bucket for each tenant."""

    def __init__(self, per_second: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second, self._burst, self._clock = per_second, burst, clock
        self._buckets: dict[str, tuple[float, float]] = {}  # how full, and when that was

    def wait(self, tenant: str) -> float:
        """Take one from the bucket, and return 0; where it is empty, the seconds until one is there."""
        now = self._clock()
        full, before = self._buckets.get(tenant, (self._burst, now))
        full = min(self._burst, full + (now - before) * self._per_second)
        if full < 1:
            self._buckets[tenant] = (full, now)
            return (1 - full) / self._per_second
        self._buckets[tenant] = (full - 1, now)
        return 0.0
