"""N-way K-shot episodes from labelled sets, as a pure function of (seed, n)."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.seeds import generator
from metaglot.tasks.sources import Source
from metaglot.types import Episode, Objective, Record, Row, Snapshot, TaskInfo

Mixture = Literal["uniform", "size", "sqrt"]


class Shape(NamedTuple):
    """How large episodes are; N and K are drawn uniformly from their ranges."""

    ways: tuple[int, int] = (2, 8)
    shots: tuple[int, int] = (1, 8)
    queries: int = 4  # a class
    max_support: int = 64  # examples; K is lowered to stay within
    max_query: int = 64
    named: float = 0.0  # share of episodes whose support has the name of each class too, where names say something


@dataclass(frozen=True)
class SupervisedTasks:
    """A distribution over labelled tasks: a set by the mixture, a task of it evenly, its classes, their examples."""

    sources: tuple[Source, ...]
    objective: Objective
    shape: Shape
    mixture: Mixture = "sqrt"

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """The sources' tasks, with all their classes."""
        return [source.info for source in self.sources]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n: classes balanced, support and query disjoint."""
        del snapshot
        rng = generator(seed, "episode", n)
        source = self.sources[rng.choice(len(self.sources), p=self._weights)]
        return draw_episode(source, self.objective, self.shape, rng)

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot

    @cached_property
    def _weights(self) -> np.ndarray:
        return mixture_weights(self.sources, self.mixture)


def draw_episode(source: Source, objective: Objective, shape: Shape, rng: np.random.Generator) -> Episode:
    """Return an episode of a source, drawn with `rng`.

    Raises MetaglotError if the source is too small for an episode, or the shape makes no sense.
    """
    ways = draw_ways(shape, len(source.members), rng)
    chosen = rng.choice(len(source.members), ways, replace=False)
    smallest = min(len(source.members[c]) for c in chosen)
    if smallest < 2:
        raise MetaglotError(f"{source.info.name}: a class with one example cannot have both support and query")
    names = _names(source, shape, chosen.tolist(), rng)
    shots, queries = draw_shots(shape, ways, smallest, rng, least=0 if names else 1)
    support: list[tuple[int, int]] = []
    query: list[tuple[int, int]] = []
    for label, c in enumerate(chosen):
        members = rng.choice(source.members[c], shots + queries, replace=False)
        support += [(int(i), label) for i in members[:shots]]
        query += [(int(i), label) for i in members[shots:]]
    return _episode(source, objective, [int(c) for c in chosen], support, query, names)


def _names(source: Source, shape: Shape, chosen: Sequence[int], rng: np.random.Generator) -> list[Row]:
    """Return the names of the classes, or none of them."""
    if not shape.named or rng.random() >= shape.named or not source.names:
        return []
    found = [source.names[c] for c in chosen]
    return [] if None in found else [row for row in found if row is not None]


def draw_ways(shape: Shape, classes: int, rng: np.random.Generator) -> int:
    """Return N, uniform over its range as far as there are classes and room; raise MetaglotError for a wrong shape."""
    _check(shape)
    most = min(shape.ways[1], classes, shape.max_support, shape.max_query)
    return int(rng.integers(min(shape.ways[0], most), most + 1))


def draw_shots(shape: Shape, ways: int, smallest: int, rng: np.random.Generator, *, least: int = 1) -> tuple[int, int]:
    """Return (K, queries a class): K uniform over its range, both lowered to the room and to the smallest class."""
    drawn = max(least, int(rng.integers(shape.shots[0], shape.shots[1] + 1)))
    shots = min(drawn, shape.max_support // ways, smallest - 1)
    return shots, max(1, min(shape.queries, shape.max_query // ways, smallest - shots))


def _check(shape: Shape) -> None:
    least = 0 if shape.named else 1  # a name can stand for examples
    ordered = 2 <= shape.ways[0] <= shape.ways[1] and least <= shape.shots[0] <= shape.shots[1]
    if not (ordered and shape.queries >= 1 and min(shape.max_support, shape.max_query) >= 2):
        raise MetaglotError(
            f"episodes need 2 ≤ ways[0] ≤ ways[1], {least} ≤ shots[0] ≤ shots[1], queries ≥ 1, max_support ≥ 2 and "
            f"max_query ≥ 2; got {shape}"
        )


def mixture_weights(sources: Sequence[Source], mixture: Mixture) -> np.ndarray:
    """Return the probability of each source: sets by the mixture's power of their size, evenly within a set."""
    power = {"uniform": 0.0, "sqrt": 0.5, "size": 1.0}[mixture]
    sizes: dict[str, int] = {}
    counts: dict[str, int] = {}
    for source in sources:
        key = source.info.dataset
        sizes[key] = sizes.get(key, 0) + len(source)
        counts[key] = counts.get(key, 0) + 1
    weights = np.array([sizes[s.info.dataset] ** power / counts[s.info.dataset] for s in sources])
    return weights / weights.sum()


def _episode(
    source: Source,
    objective: Objective,
    chosen: list[int],
    support: list[tuple[int, int]],
    query: list[tuple[int, int]],
    names: Sequence[Row],
) -> Episode:
    info = source.info
    task = TaskInfo(
        name=info.name,
        dataset=info.dataset,
        labels=tuple(info.labels[c] for c in chosen),
        classes=tuple(info.classes[c] for c in chosen),
        family=objective.name,
    )
    rows = source.examples.rows([i for i, _ in support + query])
    labelled = [{**row, "label": label} for row, (_, label) in zip(rows, support + query, strict=True)]
    spoken = [{**row, "label": label} for label, row in enumerate(names)]
    return Episode(
        task=task,
        objective=objective,
        support=objective.collate([*labelled[: len(support)], *spoken]),
        query=objective.collate(labelled[len(support) :]),
        rows={"support": tuple(i for i, _ in support), "query": tuple(i for i, _ in query)},
    )
