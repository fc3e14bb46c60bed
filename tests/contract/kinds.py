"""Small tasks of each kind, made of tokens, for the suite of kinds and algorithms."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from tests.contract.tagging import TAGS, tagging_episode

from metaglot.families.classification import Classification
from metaglot.families.multilabel import MultiLabel
from metaglot.families.regression import Regression
from metaglot.seeds import torch_generator
from metaglot.types import Episode, Objective, TaskInfo

TEXTS = 24


class Kind(NamedTuple):
    """A kind of task, one task of it, and a metric that tells whether it is learnt."""

    task: TaskInfo
    episode: Callable[[int], Episode]  # of a vocabulary of that size
    metric: str
    learnt: Callable[[float], bool]


def _texts(seed: int, vocab: int) -> list[list[int]]:
    """Return texts of eight tokens; how many are of each third of the vocabulary differs by text."""
    rng = torch_generator(seed, "kinds")
    third = (vocab - 1) // 3
    found = []
    for i in range(TEXTS):
        shares = torch.rand(3, generator=rng) + torch.nn.functional.one_hot(torch.tensor(i % 3), 3)
        parts = torch.multinomial(shares, 8, replacement=True, generator=rng)
        found.append((1 + third * parts + torch.randint(0, third, (8,), generator=rng)).tolist())
    return found


def _shares(ids: list[int], vocab: int) -> list[float]:
    third = (vocab - 1) // 3
    return [sum((token - 1) // third == part for token in ids) / len(ids) for part in range(3)]


def _episode(
    task: TaskInfo, objective: Objective, vocab: int, target: Callable[[list[float]], Mapping[str, Any]]
) -> Episode:
    parts = [
        objective.collate([{"input_ids": ids, **target(_shares(ids, vocab))} for ids in _texts(seed, vocab)])
        for seed in (1, 2)
    ]
    return Episode(task, objective, *parts)


CLASSES = TaskInfo("thirds", "thirds", ("low", "middle", "high"), (0, 1, 2))
LABELS = TaskInfo("several", "several", ("low", "middle", "high"), (0, 1, 3), family="multilabel")
NUMBER = TaskInfo("share", "share", ("share",), (0,), family="regression")

KINDS: Mapping[str, Kind] = {
    "classification": Kind(
        CLASSES,
        lambda vocab: _episode(CLASSES, Classification(), vocab, lambda s: {"label": s.index(max(s))}),
        "accuracy",
        lambda found: found > 0.45,  # of three classes, about as frequent
    ),
    "multilabel": Kind(
        LABELS,
        lambda vocab: _episode(LABELS, MultiLabel(), vocab, lambda s: {"targets": [one > 0.3 for one in s]}),
        "loss",
        lambda found: found < 0.68,  # nats; a coin has 0.69
    ),
    "regression": Kind(
        NUMBER,
        lambda vocab: _episode(NUMBER, Regression(mean=0.33, spread=0.25), vocab, lambda s: {"target": s[0]}),
        "loss",
        lambda found: found < 0.21,  # quarters of a squared spread; the mean has 0.227
    ),
    "tagging": Kind(TAGS, lambda vocab: tagging_episode(vocab=vocab), "accuracy", lambda found: found > 0.45),
}

REFUSED = {
    ("metaoptnet", "multilabel"): "for class, and the targets of this task are labels",
    ("metaoptnet", "regression"): "for class, and the targets of this task are numbers",
    ("leopard", "regression"): "for class or labels, and the targets of this task are numbers",
    ("leo", "regression"): "for class or labels, and the targets of this task are numbers",
    ("metaoptnet", "ordinal"): "for class, and the targets of this task are numbers",
    ("leopard", "ordinal"): "for class or labels, and the targets of this task are numbers",
    ("leo", "ordinal"): "for class or labels, and the targets of this task are numbers",
}
"""Algorithms whose head cannot be made for a kind, and a part of what they say."""
