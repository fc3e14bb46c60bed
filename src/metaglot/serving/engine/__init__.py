"""Many adapted tasks over one encoder: batches of mixed tasks, and a cache of tasks."""

from metaglot.serving.engine.engine import Engine
from metaglot.serving.engine.request import Answer, Options, Request

__all__ = ["Answer", "Engine", "Options", "Request"]
