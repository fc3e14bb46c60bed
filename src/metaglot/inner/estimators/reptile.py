"""Reptile: θ − φ(θ), with the inner loop on support and query together.

An outer step of plain gradient descent with rate ε then interpolates θ + ε(φ − θ).  Nichol et al. 2018,
https://arxiv.org/abs/1803.02999
"""

from dataclasses import dataclass

import torch

from metaglot.families.batches import concatenate
from metaglot.inner.estimators.parts import Estimate, Inner, record_of
from metaglot.models.heads.shared import way_back
from metaglot.models.scopes import OWN
from metaglot.types import Episode, Params, Problem


@dataclass(frozen=True)
class Towards:
    """The way back from where the inner loop went."""

    name: str = "reptile"
    second_order: bool = False
    exact: bool = False

    def __call__(self, inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
        """Return θ − φ for what moved, zeros elsewhere."""
        data = concatenate(episode.support, episode.query)
        with torch.no_grad():
            start = inner.start(problem, meta, episode.support, seed=seed)
        fast = inner.loop.run(problem, meta, start, data, seed=seed, create_graph=False)
        grads = {name: torch.zeros_like(value) for name, value in meta.items()}
        for name, value in start.items():
            owner = name if name in grads else OWN + name
            if owner in grads:
                grads[owner] = (value - fast.params[name]).detach()
        grads |= way_back(problem.head_spec, meta, start, fast.params)
        with torch.no_grad():
            logits = problem.logits({**meta, **fast.params}, episode.query)
        return grads, record_of(problem, fast.trace, logits, episode)
