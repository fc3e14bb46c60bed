"""Passages of many tasks, read together: equal ones once, those of one body in the same passes.

A passage is what the network reads in one row: the tokens of a text, of a pair, of a window or of a candidate.  Tasks
whose body is that of the model share a body; a task whose body moved, or that has LoRA updates, has one of its own.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metaglot.adaptation import Encoder, Fit
from metaglot.families.batches import pad_rows
from metaglot.models.learner import HfLearner
from metaglot.types import Params

TEXTS, TOKENS = 64, 4096  # of a pass, at most

Body = tuple[tuple[str, int], ...]
"""Which parameters of a body moved, and to which tensors; none: the body of the model."""


class Passage(NamedTuple):
    """Tokens that stand in one row."""

    ids: tuple[int, ...]
    types: tuple[int, ...] | None = None


class Read(NamedTuple):
    """What the network says of a passage."""

    hidden: Tensor | None  # [T, D], of passages whose tokens are asked
    pooled: Tensor  # [D]


def passage_of(row: Mapping[str, Any]) -> Passage:
    """Return the tokens of a row of a batch as a passage."""
    types = row.get("token_type_ids")
    return Passage(tuple(row["input_ids"]), None if types is None else tuple(types))


def moved_by(fit: Fit) -> Params:
    """Return the parameters of a task that change what the network says of a text."""
    return {name: value for name, value in fit.params.items() if not name.startswith("head.")}


def body_of(fit: Fit) -> Body:
    """Return which body a task has: tasks with the same one are read together."""
    return tuple(sorted((name, id(value)) for name, value in moved_by(fit).items()))


@dataclass(frozen=True, eq=False)
class Reading:
    """The passages of one body: first they are gathered, then they are read."""

    learner: HfLearner
    params: Params
    pad_token_id: int
    tokens: dict[Passage, bool] = field(default_factory=dict[Passage, bool])  # whether the tokens of each are asked
    found: dict[Passage, Read] = field(default_factory=dict[Passage, Read])

    @staticmethod
    def over(encoder: Encoder, moved: Params) -> "Reading":
        """Return a reading without passages, by an encoder with the parameters of a body that moved."""
        return Reading(encoder.backbone.learner, {**encoder.meta, **moved}, encoder.pad_token_id)

    def gather(self, passages: Iterable[Passage], *, tokens: bool) -> None:
        """Note passages to be read; `tokens`: the states of their tokens are asked."""
        for passage in passages:
            self.tokens[passage] = tokens or self.tokens.get(passage, False)

    def read(self) -> None:
        """Read all passages, those of like length in a pass."""
        with torch.no_grad():
            for some in _passes(self.tokens):
                outputs = self.learner.forward(self.params, self._batch(some))
                for place, passage in enumerate(some):
                    hidden = outputs.hidden[place, : len(passage.ids)] if self.tokens[passage] else None
                    self.found[passage] = Read(hidden, outputs.pooled[place].float())

    def pooled(self, passages: Sequence[Passage]) -> Tensor:  # [n, D]
        """Return the pooled features of passages that were read."""
        if not passages:
            return torch.zeros(0, self.learner.hidden_size, device=self.learner.device)
        return torch.stack([self.found[passage].pooled for passage in passages])

    def _batch(self, passages: Sequence[Passage]) -> dict[str, Tensor]:
        rows = [
            {"input_ids": one.ids} if one.types is None else {"input_ids": one.ids, "token_type_ids": one.types}
            for one in passages
        ]
        batch = pad_rows(rows, pad_token_id=self.pad_token_id)
        return {name: value.to(self.learner.device) for name, value in batch.items()}


def _passes(passages: Iterable[Passage]) -> Iterator[list[Passage]]:
    """Yield the passages in passes of at most so many texts and tokens, the shortest first."""
    some: list[Passage] = []
    count = 0
    for passage in sorted(passages, key=lambda one: len(one.ids)):
        if some and (len(some) == TEXTS or count + len(passage.ids) > TOKENS):
            yield some
            some, count = [], 0
        some.append(passage)
        count += len(passage.ids)
    if some:
        yield some
