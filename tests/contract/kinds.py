"""Small tasks of each kind, made of tokens, for the suite of kinds and algorithms.

A kind joins by being in `choices.FAMILIES`, with a few targets in `tests/targets.py`.  The first of them goes to texts
of which most tokens are of the first third of the vocabulary, the second and third likewise.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from tests.contract.answers import ANSWERS, answers_episode
from tests.contract.choosing import CHOOSE, choosing_episode
from tests.contract.tagging import TAGS, tagging_episode
from tests.targets import READ, TARGETS

from metaglot.data.labels import label_text
from metaglot.families.answering import NAME, Answering
from metaglot.families.choice import Choosing
from metaglot.families.choose import family_called
from metaglot.families.tagging import Tagging
from metaglot.seeds import torch_generator
from metaglot.types import Episode, Objective, TaskInfo

TEXTS = 24
THIRDS = 3


class Kind(NamedTuple):
    """A kind of task, one task of it, and what is said of every text where nothing is learnt."""

    task: TaskInfo
    objective: Objective
    episode: Callable[[int], Episode]  # of a vocabulary of that size
    constant: torch.Tensor  # [C], the scores that are best if all texts get the same


def _texts(seed: int, vocab: int) -> list[list[int]]:
    """Return texts of eight tokens; how many are of each third of the vocabulary differs by text."""
    rng = torch_generator(seed, "kinds")
    third = (vocab - 1) // THIRDS
    found = []
    for i in range(TEXTS):
        shares = torch.rand(THIRDS, generator=rng) + torch.nn.functional.one_hot(torch.tensor(i % THIRDS), THIRDS)
        parts = torch.multinomial(shares, 8, replacement=True, generator=rng)
        found.append((1 + third * parts + torch.randint(0, third, (8,), generator=rng)).tolist())
    return found


def _most(ids: list[int], vocab: int) -> int:
    """Return the third of the vocabulary that most tokens of a text are from."""
    parts = [(token - 1) // ((vocab - 1) // THIRDS) for token in ids]
    return max(range(THIRDS), key=parts.count)


def kind_of(name: str) -> Kind:
    """Return the kind of a family, with a task of its first targets."""
    family, given = family_called(name), TARGETS[name][:THIRDS]
    given = family.read(given, lambda row: f"target number {row + 1}").targets
    schema = family.schema(given)
    outputs = tuple(map(label_text, schema.outputs))
    task = TaskInfo(name, name, outputs, tuple(2 * i for i in range(len(outputs))), family=name)
    objective = family.objective(schema, 0)

    def episode(vocab: int) -> Episode:
        parts = [
            objective.collate(
                [{"input_ids": ids, **family.row(given[_most(ids, vocab)], schema)} for ids in _texts(seed, vocab)]
            )
            for seed in (1, 2)
        ]
        return Episode(task, objective, *parts)

    return Kind(task, objective, episode, family.floor(given, schema)["head.bias"])


KINDS: Mapping[str, Kind] = {
    **{name: kind_of(name) for name in READ if name not in ("tagging", "choice", NAME)},
    "tagging": Kind(TAGS, Tagging(), lambda vocab: tagging_episode(vocab=vocab), torch.zeros(1 + 2 * len(TAGS.labels))),
    "choice": Kind(CHOOSE, Choosing(), lambda vocab: choosing_episode(vocab=vocab), torch.zeros(1)),
    NAME: Kind(ANSWERS, Answering(), lambda vocab: answers_episode(vocab=vocab), torch.tensor([0.0, 0.0])),
}

UNFIT = {
    ("metaoptnet", "labels"): "for class, and the targets of this task are labels",
    ("metaoptnet", "numbers"): "for class, and the targets of this task are numbers",
    ("leopard", "numbers"): "for class or labels, and the targets of this task are numbers",
    ("leo", "numbers"): "for class or labels, and the targets of this task are numbers",
}
"""Algorithms whose head cannot be made for such targets (`HeadSpec.targets`), and a part of what they say."""

UNSHARED = ("protonet", "cotrained", "matchingnet", "r2d2", "metaoptnet", "leopard", "leo")
"""Algorithms that make the head of each task from its support set, and learn nothing of tasks that share one."""

REFUSED = {
    (algorithm, name): why
    for name, kind in KINDS.items()
    for (algorithm, targets), why in UNFIT.items()
    if kind.objective.head_spec(kind.task, 1).targets == targets
} | {
    (algorithm, name): "these tasks share a head that is meta-learnt"
    for name, kind in KINDS.items()
    for algorithm in UNSHARED
    if kind.objective.head_spec(kind.task, 1).shared
}
"""The same, by the name of the kind."""
