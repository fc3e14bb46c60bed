"""Losses of unlike kinds on one scale: each counts in units of what it was when its kind was met first.

    g_e ← g_e / s_k,     s_k = mean of the query losses of the first N episodes of the kind k of episode e

A cross-entropy over twenty classes begins at three nats and one over the tags of words at a tenth of that, so that the
kind with the larger loss would decide where the mean goes.  After division a kind that has halved its loss counts the
same whatever its loss measures.  s_k stays as it is after N episodes, so that kinds that are learnt fade as they do
alone.  The sums stand in the state of combining (`State.combine`), so that a resume is exact.  Order does not matter
within a step, since a kind that no earlier step has met counts in units of the episode's own loss.
"""

from collections.abc import Sequence

import torch

from metaglot.types import Params, Record

FIRST = 8  # episodes of a kind that its scale is the mean of, N
LEAST = 1e-3  # of a scale: a kind whose loss is next to nothing must not drown the others
SCALE = "scale."  # in the state: sum of the losses, and how many


def weight_of(state: Params, kind: str, record: Record) -> float:
    """Return 1 / s_k of an episode of a kind, from the state before the step and the record of the episode."""
    known = state.get(SCALE + kind)
    scale = _loss(record) if known is None else float(known[0] / known[1])
    return 1 / max(scale, LEAST)


def after_step(state: Params, kinds: Sequence[str], records: Sequence[Record]) -> Params:
    """Return the state with the losses of kinds that have had fewer than N episodes; whole steps are taken.

    `kinds` and `records` are of the episodes of the step.
    """
    sums: dict[str, torch.Tensor] = {}
    for kind, record in zip(kinds, records, strict=True):
        name = SCALE + kind
        if name in state and float(state[name][1]) >= FIRST:
            continue
        before = sums.get(name, state.get(name, torch.zeros(2, dtype=torch.float64)))
        sums[name] = before + torch.tensor([_loss(record), 1.0], dtype=torch.float64)
    return {**state, **sums} if sums else state


def _loss(record: Record) -> float:
    return float(record.get("loss", 1.0))
