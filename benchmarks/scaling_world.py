"""A random BERT that learns few-shot tasks of random tokens, and clocks within a step."""

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from transformers import BertConfig, BertModel

from benchmarks.scaling_model import Size
from metaglot.algorithms import build_algorithm
from metaglot.families.classification import Classification
from metaglot.models import HfLearner
from metaglot.seeds import generator
from metaglot.training import Optimisation, initial_state
from metaglot.training import ranks as module
from metaglot.training.among import Among
from metaglot.training.combine import mean
from metaglot.types import Episode, MetaGrad, Params, Record, Snapshot, TaskInfo

WAYS = 5
INFO = TaskInfo("random", "random", tuple("abcde"), tuple(range(WAYS)))


class Drawn:
    """Episodes of texts of one length, whose classes prefer tokens of their own."""

    def __init__(self, size: Size) -> None:
        self.size, self.tasks = size, [INFO]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        del snapshot
        rng, objective = generator(seed, "drawn", n), Classification()
        rows = [self.row(rng, number % WAYS) for number in range(self.size.support + self.size.query)]
        support, query = (objective.collate(part) for part in (rows[: self.size.support], rows[self.size.support :]))
        return Episode(INFO, objective, support, query)

    def row(self, rng: np.random.Generator, label: int) -> dict[str, Any]:
        common = rng.integers(200, self.size.vocabulary, self.size.tokens)
        own = rng.integers(100 + 10 * label, 110 + 10 * label, self.size.tokens)
        return {"input_ids": np.where(rng.random(self.size.tokens) < 0.3, own, common).tolist(), "label": label}

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        del records
        return snapshot


def world(size: Size, steps: int) -> tuple[Any, ...]:
    """Return what `train` takes: state, tasks, algorithm, learner, optimisation."""
    config = BertConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        num_hidden_layers=size.layers,
        num_attention_heads=max(1, size.width // 32),
        intermediate_size=4 * size.width,
        attn_implementation="eager",
    )
    torch.manual_seed(0)
    learner = HfLearner(BertModel(config).requires_grad_(False).eval())
    algorithm = build_algorithm("fomaml", {"steps": size.steps, "lr": 0.01, "head": "prototypes"})
    state = initial_state(algorithm, learner, [INFO], seed=1)
    return state, Drawn(size), algorithm, learner, Optimisation(steps=steps, meta_batch=size.episodes, warmup=0)


class Times:
    """Clocks of a step: seconds in gradients and in collectives."""

    def __init__(self) -> None:
        self.found = dict.fromkeys(("compute", "compute_cpu", "collective", "collective_cpu"), 0.0)
        reached = getattr(module, "_plain_reached", module._reached)
        module._plain_reached, module._reached = reached, self.clocked(reached)

    def clocked(self, reached: Any) -> Any:
        def collective(call: Any) -> None:
            wall, spent = time.perf_counter(), time.process_time()
            reached(call)
            self.add("collective", wall, spent)

        return collective

    def combine(self, grads: Iterable[MetaGrad], state: Params, among: Among) -> tuple[MetaGrad, Params]:
        return mean(self.each(iter(grads)), state, among)

    def each(self, grads: Iterator[MetaGrad]) -> Iterator[MetaGrad]:
        while True:
            wall, spent = time.perf_counter(), time.process_time()
            grad = next(grads, None)
            self.add("compute", wall, spent)
            if grad is None:
                return
            yield grad

    def add(self, name: str, wall: float, spent: float) -> None:
        self.found[name] += time.perf_counter() - wall
        self.found[f"{name}_cpu"] += time.process_time() - spent

    def taken(self) -> dict[str, float]:
        """Return the times since the last call."""
        found, self.found = self.found, dict.fromkeys(self.found, 0.0)
        return found
