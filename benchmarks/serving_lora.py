"""What LoRA tasks cost that are read one after another, and what one pass for all of them could save at most.

    METAGLOT_DATA=… python -m benchmarks.serving_lora builtin:mini --tasks 16 --texts 2

"Grouped" is what the engine does: a pass for each task, with its updates added to the weights.  "One pass" is the plain
model on all texts and beside it, layer by layer, the two thin products of each task on its own tokens: the work that a
batch with updates by row cannot do without.  CPU seconds on one thread, medians.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from statistics import median

import torch
from torch import Tensor

from benchmarks.serving import texts_of
from metaglot.adaptation import load_model
from metaglot.data.texts import inputs_of
from metaglot.models import Runtime
from metaglot.models.lora import lora_init
from metaglot.serving.engine.reading import Passage, Reading, passage_of
from metaglot.types import Params

RANK = 8


def cpu(work: Callable[[], object], repeats: int) -> float:
    """Return the CPU seconds of some work."""
    found: list[float] = []
    for _ in range(repeats + 1):
        began = time.process_time()
        work()
        found.append(time.process_time() - began)
    return median(found[1:])  # the first warms up


def main(arguments: Sequence[str] | None = None) -> None:
    """Print CPU milliseconds."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    for name, usual in (("tasks", 16), ("texts", 2), ("repeats", 5)):
        parser.add_argument(f"--{name}", type=int, default=usual)
    given = parser.parse_args(arguments)
    torch.set_num_threads(1)
    encoder = load_model(given.model, Runtime("bf16")).encoder
    learner = replace(encoder.backbone.learner, steady=True)
    encoder = replace(encoder, backbone=encoder.backbone._replace(learner=learner))
    rows = [passage_of(row) for row in encoder.rows(inputs_of(texts_of(given.tasks * given.texts)))]
    updates = lora_init({**learner.body(), **encoder.meta}, rank=RANK, targets=None, seed=0)

    def read(some: list[Passage], moved: Params) -> None:
        reading = Reading.over(encoder, moved)
        reading.gather(some, tokens=False)
        reading.read()

    def grouped() -> None:
        for task in range(given.tasks):
            read(rows[task * given.texts : (task + 1) * given.texts], updates)

    pairs = [(value, updates[name[:-2] + ".b"]) for name, value in updates.items() if name.endswith(".a")]
    tokens = [sum(len(row.ids) for row in rows[t * given.texts : (t + 1) * given.texts]) for t in range(given.tasks)]
    states: list[Tensor] = [torch.randn(count, pairs[0][0].shape[1]) for count in tokens]

    def thin() -> None:
        for a, b in pairs:
            for own in states:
                _ = own @ a.T @ b.T

    plain = cpu(lambda: read(rows, {}), given.repeats)
    every, least = cpu(grouped, given.repeats), cpu(thin, given.repeats)
    print(f"{given.tasks} tasks of {given.texts} texts, {sum(tokens)} tokens, {len(pairs)} updates of rank {RANK}")
    print(
        f"one task {1e3 * plain:.0f} ms, grouped {1e3 * every:.0f} ms, one pass at least {1e3 * (plain + least):.0f} ms"
    )


if __name__ == "__main__":
    main()
