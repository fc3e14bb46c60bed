"""Many adapted tasks over one encoder: batches of mixed tasks, the queue before them, and a cache of tasks."""

from metaglot.serving.engine.batching import Batcher, BatchStats, Limits, Overloaded
from metaglot.serving.engine.cache import Cache, CacheStats, bytes_of
from metaglot.serving.engine.engine import Engine
from metaglot.serving.engine.request import Answer, Options, Request

__all__ = [
    "Answer",
    "BatchStats",
    "Batcher",
    "Cache",
    "CacheStats",
    "Engine",
    "Limits",
    "Options",
    "Overloaded",
    "Request",
    "bytes_of",
]
