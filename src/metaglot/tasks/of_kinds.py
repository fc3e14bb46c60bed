"""Episodes of kinds other than classes, by what their family says of targets.

Ways are some of the outputs (labels), or the one number of a regression; what an episode leaves out is not judged in
it.  Shots are examples of each output, or of the task where the family counts none (two at least).  An example of
several outputs counts for each of them.  Texts that have other labels alone are left out, and texts without any label
come in the proportion in which the task has them.

What a family knows of targets beside their outputs, such as mean and spread of numbers, is taken from the support set
alone: that is all an adaptation has, so that the model is trained as it is used.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from metaglot.errors import MetaglotError
from metaglot.families.records import Schema
from metaglot.tasks.shape import Shape, draw_shots, draw_ways
from metaglot.tasks.sources import Source, names_in
from metaglot.tasks.targets import Parts, Targets, parts_of
from metaglot.types import Episode, Row, TaskInfo

TRIES = 16  # support sets that are drawn until one tells its targets apart


class _Drawn(NamedTuple):
    chosen: list[int]  # of the source's outputs
    parts: Parts
    names: list[tuple[Row, Any]]  # rows of names of outputs, each with its target


def draw_of_kind(source: Source, targets: Targets, shape: Shape, rng: np.random.Generator) -> Episode:
    """Return an episode of a source with targets, drawn with `rng`.

    A support set whose targets are all the same is drawn anew.  Raises MetaglotError where that does not help, and for
    a source that is too small.
    """
    for _ in range(TRIES):
        drawn = _drawn(source, targets, shape, rng)
        of_support = [targets.of[int(i)] for i in drawn.parts.support] + [target for _, target in drawn.names]
        schema = _schema(source, targets, drawn, of_support)
        if len(drawn.parts.query) and _tells_apart(targets, of_support, schema):
            return _episode(source, targets, drawn, schema)
    raise MetaglotError(
        f"{source.info.name}: {TRIES} support sets were drawn, and in each of them all examples had the same target, "
        "or none was left to judge by; ask for more shots (episodes.shots), or leave the task out (min_per_class)"
    )


def _tells_apart(targets: Targets, of_support: Sequence[Any], schema: Schema) -> bool:
    if targets.family.tokens is not None or targets.family.writes is not None:  # a text alone has units that differ
        return bool(schema.outputs)
    values = targets.family.tensor(of_support, schema)
    return bool((values != values[:1]).any())


def _drawn(source: Source, targets: Targets, shape: Shape, rng: np.random.Generator) -> _Drawn:
    ways = draw_ways(shape, len(source.members), rng) if targets.family.each else 1
    chosen = [int(c) for c in rng.choice(len(source.members), ways, replace=False)]
    smallest = min(len(source.members[c]) for c in chosen)
    if smallest < 2:
        raise MetaglotError(f"{source.info.name}: one example alone cannot be both support and query")
    names = names_in(source, shape, chosen, rng)
    least = 1 if targets.family.each else 2  # one example alone has no spread
    shots, queries = draw_shots(shape, ways, smallest, rng, least=0 if names else least)
    at = _candidates(source, chosen, shots + queries, rng)
    labels = [source.info.labels[c] for c in chosen]
    parts = parts_of(targets, at, labels, shots=shots, queries=queries, most=(shape.max_support, shape.max_query))
    alone = [targets.family.alone(label) for label in labels]
    return _Drawn(chosen, parts, list(zip(names, alone, strict=True)) if names else [])


def _candidates(source: Source, chosen: Sequence[int], wanted: int, rng: np.random.Generator) -> np.ndarray:
    """Return examples of the chosen outputs, as many of each as are wanted, and of none in their proportion; mixed."""
    drawn = [
        rng.choice(members, min(wanted, len(members)), replace=False) for members in (source.members[c] for c in chosen)
    ]
    found = np.unique(np.concatenate(drawn))
    count = round(len(found) * len(source.unlabelled) / max(1, len(source) - len(source.unlabelled)))
    if count:
        more = rng.choice(source.unlabelled, min(count, len(source.unlabelled)), replace=False)
        found = np.concatenate([found, more])
    return rng.permutation(found)


def _schema(source: Source, targets: Targets, drawn: _Drawn, of_support: Sequence[Any]) -> Schema:
    """Return what the targets of the support set are made of; its outputs are those chosen, in that order."""
    labels = tuple(source.info.labels[c] for c in drawn.chosen)
    groups = [targets.groups[int(i)] for i in drawn.parts.support]
    counts = tuple(sum(label in own for own in groups) for label in labels)
    return targets.family.schema(of_support)._replace(outputs=labels, counts=counts)


def _episode(source: Source, targets: Targets, drawn: _Drawn, schema: Schema) -> Episode:
    family, info, (support, query) = targets.family, source.info, drawn.parts
    objective = family.objective(schema, targets.pad_token_id)
    task = TaskInfo(
        name=info.name,
        dataset=info.dataset,
        labels=tuple(info.labels[c] for c in drawn.chosen),
        classes=tuple(info.classes[c] for c in drawn.chosen),
        family=family.name,
    )
    at = np.concatenate([support, query])
    rows = [{**row, **targets.row(int(i), schema)} for row, i in zip(source.examples.rows(at), at, strict=True)]
    names = [{**row, **family.row(target, schema)} for row, target in drawn.names]
    return Episode(
        task=task,
        objective=objective,
        support=objective.collate([*rows[: len(support)], *names]),
        query=objective.collate(rows[len(support) :]),
        rows={"support": tuple(map(int, support)), "query": tuple(map(int, query))},
    )
