"""The rows of the embedding that an episode touches: the inner loop neither copies nor differentiates the others.

A row that no token of support or query names has no gradient, whatever the steps, so leaving it out is exact; the
vocabulary of an episode is a few hundred rows of tens of thousands.  Token ids are renumbered; the row of the padding
token keeps its number, which the embedding (and position ids of RoBERTa) know.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from metaglot.models.language import LM
from metaglot.types import Episode, Params, Problem


@dataclass(frozen=True)
class Touched:
    """Meta-parameters and an episode over the rows that it touches."""

    meta: Params
    episode: Episode
    rows: Tensor | None = None  # [U], the row of the whole embedding behind each row kept; None if all were kept
    names: frozenset[str] = frozenset()  # parameters of which only these rows were kept

    def add(self, total: Mapping[str, Tensor], grads: Params, *, share: float) -> None:
        """Add `share` times gradients of the kept rows to gradients of all rows, in place."""
        for name, grad in grads.items():
            if self.rows is not None and name in self.names:
                total[name].index_add_(0, self.rows, grad, alpha=share)
            else:
                total[name].add_(grad, alpha=share)


def touched(problem: Problem, meta: Params, episode: Episode) -> Touched:
    """Return what is left of meta-parameters and episode over the touched rows; all where that cannot be done.

    It cannot where the network reads the numbers of tokens (`models/probe.py`), where the learner's own head scores the
    vocabulary (tied to the embedding, it reads every row), where low-rank or warp parameters belong to the embedding,
    and where fewer rows are touched than the number of the padding row.
    """
    meta, embedding = of_task(problem, meta), problem.learner.embedding
    if embedding is None or not embedding.renumbers or problem.over_vocabulary:
        return Touched(meta, episode)
    weight = meta.get(f"body.{embedding.name}")
    names = [n for n in meta if n.endswith(embedding.name)]
    tangled = any(embedding.name in n for n in meta.keys() - set(names))
    if weight is None or tangled:
        return Touched(meta, episode)
    ids = torch.cat([part["input_ids"].flatten() for part in (episode.support, episode.query)]).unique()
    rows = kept_rows(ids, embedding.padding)
    if rows is None or len(rows) >= len(weight):
        return Touched(meta, episode)
    kept = frozenset(name for name in names if meta[name].ndim > 0 and len(meta[name]) == len(weight))
    number = torch.zeros(len(weight), dtype=torch.int64, device=rows.device)
    number[rows] = torch.arange(len(rows), device=rows.device)
    support, query = ({**part, "input_ids": number[part["input_ids"]]} for part in (episode.support, episode.query))
    small = {name: value.detach()[rows] if name in kept else value for name, value in meta.items()}
    return Touched(small, replace(episode, support=support, query=query), rows, kept)


def of_task(problem: Problem, meta: Params) -> Params:
    """Return the meta-parameters that a task has a use for: no language-model head where another scores it."""
    if problem.over_vocabulary or not any(name.startswith(LM) for name in meta):
        return meta
    return {name: value for name, value in meta.items() if not name.startswith(LM)}


def kept_rows(ids: Tensor, padding: int | None) -> Tensor | None:  # [U] -> [U'] or None
    """Return distinct ids with that of padding at its own number; None where there are too few for that."""
    if padding is None:
        return ids
    others = ids[ids != padding]
    if len(others) < padding:
        return None
    return torch.cat([others[:padding], ids.new_tensor([padding]), others[padding:]])
