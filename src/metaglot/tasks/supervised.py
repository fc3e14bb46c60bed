"""N-way K-shot episodes from labelled sets, as a pure function of (seed, n)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.seeds import generator
from metaglot.tasks.of_kinds import draw_of_kind
from metaglot.tasks.shape import Shape, draw_shots, draw_ways
from metaglot.tasks.sources import Source, names_in
from metaglot.types import Episode, Objective, Record, Row, Snapshot, TaskInfo

Mixture = Literal["uniform", "size", "sqrt"]


@dataclass(frozen=True)
class SupervisedTasks:
    """A distribution over labelled tasks: the mixture draws a set; task, classes and examples are drawn evenly.

    `weights` multiplies the probability of a set, by its name, before all sum to 1 again; it is 1 if absent.
    """

    sources: tuple[Source, ...]
    objective: Objective  # of sources whose examples have one class each
    shape: Shape
    mixture: Mixture = "sqrt"
    weights: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def tasks(self) -> Sequence[TaskInfo]:
        """The sources' tasks, with all their classes."""
        return [source.info for source in self.sources]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        """Return episode n: classes balanced, support and query disjoint."""
        del snapshot
        rng = generator(seed, "episode", n)
        source = self.sources[rng.choice(len(self.sources), p=self._probabilities)]
        return draw_episode(source, self.objective, self.shape, rng)

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        """Return the snapshot: this sampler learns nothing."""
        del records
        return snapshot

    @cached_property
    def _probabilities(self) -> np.ndarray:
        return mixture_weights(self.sources, self.mixture, self.weights)


def draw_episode(source: Source, objective: Objective, shape: Shape, rng: np.random.Generator) -> Episode:
    """Return an episode of a source, drawn with `rng`; `objective` is for sources of classes.

    A source of another kind has an objective of its own.  Raises MetaglotError if the source is too small for an
    episode, or the shape is wrong.
    """
    if source.targets is not None:
        return draw_of_kind(source, source.targets, shape, rng)
    ways = draw_ways(shape, len(source.members), rng)
    chosen = rng.choice(len(source.members), ways, replace=False)
    smallest = min(len(source.members[number]) for number in chosen)
    if smallest < 2:
        raise MetaglotError(f"{source.info.name}: a class with one example cannot have both support and query")
    names = names_in(source, shape, chosen.tolist(), rng)
    shots, queries = draw_shots(shape, ways, smallest, rng, least=0 if names else 1)
    support: list[tuple[int, int]] = []
    query: list[tuple[int, int]] = []
    for label, number in enumerate(chosen):
        members = rng.choice(source.members[number], shots + queries, replace=False)
        support += [(int(row), label) for row in members[:shots]]
        query += [(int(row), label) for row in members[shots:]]
    return _episode(source, objective, [int(number) for number in chosen], support, query, names)


def mixture_weights(sources: Sequence[Source], mixture: Mixture, weights: Mapping[str, float]) -> np.ndarray:
    """Return the probability of each source: that of a set is w·size^a, and its tasks share it evenly.

    w is the weight of the set, 1 where `weights` does not name it.
    """
    power = {"uniform": 0.0, "sqrt": 0.5, "size": 1.0}[mixture]
    sizes: dict[str, int] = {}
    counts: dict[str, int] = {}
    for source in sources:
        key = source.info.dataset
        sizes[key] = sizes.get(key, 0) + len(source)
        counts[key] = counts.get(key, 0) + 1
    shares = {key: weights.get(key, 1.0) * size**power / counts[key] for key, size in sizes.items()}
    found = np.array([shares[source.info.dataset] for source in sources])
    return found / found.sum()


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
        labels=tuple(info.labels[number] for number in chosen),
        classes=tuple(info.classes[number] for number in chosen),
        family=objective.name,
    )
    rows = source.examples.rows([position for position, _ in support + query])
    labelled = [{**row, "label": label} for row, (_, label) in zip(rows, support + query, strict=True)]
    name_rows = [{**row, "label": label} for label, row in enumerate(names)]
    return Episode(
        task=task,
        objective=objective,
        support=objective.collate([*labelled[: len(support)], *name_rows]),
        query=objective.collate(labelled[len(support) :]),
        rows={"support": tuple(position for position, _ in support), "query": tuple(position for position, _ in query)},
    )
