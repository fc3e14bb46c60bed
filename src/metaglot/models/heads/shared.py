"""A head that all tasks of a kind share: its outputs mean the same in every task, so that it is meta-learnt.

    head.* = 10 · shared.<name>.*

Such an output is the score of a token as the first of an answer, or the score of a candidate.  `shared.*` are
meta-parameters that begin at zero, or by `HeadSpec.begin`: adaptation begins from them, gradients of the outer loop
reach them, and they are saved with a run.  Without any step they are the head of a task that has no example.  Where a
model has learnt none, a head that is made from the support set takes their place.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from metaglot.models.heads.head import Head
from metaglot.models.heads.zeros import zero_layer
from metaglot.types import Batch, HeadSpec, Params, Problem

SHARED = "shared."
SCALE = 10.0  # of the scores: features have length one
PARTS = ("weight", "bias")


@dataclass(frozen=True)
class SharedHead:
    """The head that tasks of a kind share, or another where none was learnt."""

    otherwise: Head

    def init(self, width: int, *, seed: int) -> Params:
        """Return nothing: the shared heads of all kinds begin by `shared_layers`."""
        del width, seed
        return {}

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return the shared head; differentiable in `meta`."""
        learnt = shared_layer(problem.head_spec, meta)
        return self.otherwise.start(problem, meta, support, seed=seed) if learnt is None else learnt


def shared_layer(spec: HeadSpec, meta: Params) -> dict[str, Tensor] | None:
    """Return `head.*` from the shared head of this name; None where the tasks share none, or none was learnt."""
    names = {part: f"{SHARED}{spec.shared}.{part}" for part in PARTS}
    if not spec.shared or not all(name in meta for name in names.values()):
        return None
    return {f"head.{part}": SCALE * meta[name] for part, name in names.items()}


def shared_params(spec: HeadSpec, head: Params) -> dict[str, Tensor]:
    """Return the meta-parameters whose shared head is `head.*`."""
    return {f"{SHARED}{spec.shared}.{part}": head[f"head.{part}"] / SCALE for part in PARTS}


def shared_layers(specs: Mapping[str, HeadSpec], like: Params) -> dict[str, Tensor]:
    """Return the start of a shared head for each name: `shared.<name>.weight` [K, D] and `.bias` [K]."""
    layers = {name: _start(spec, like) for name, spec in sorted(specs.items())}
    return {f"{SHARED}{name}.{part}": layer[f"head.{part}"] for name, layer in layers.items() for part in PARTS}


def _start(spec: HeadSpec, like: Params) -> dict[str, Tensor]:
    """Return a layer of zeros, but for the features whose weights are known before anything is learnt."""
    layer = zero_layer(spec, like)
    for place, weight in enumerate(spec.begin):
        layer["head.weight"][:, place] = weight / SCALE
    return layer


def way_back(spec: HeadSpec, meta: Params, start: Params, end: Params) -> dict[str, Tensor]:
    """Return how far a shared head moved, start − end, in its meta-parameters; nothing where the tasks share none."""
    if shared_layer(spec, meta) is None:
        return {}
    moved = {part: (start[f"head.{part}"] - end[f"head.{part}"]).detach() / SCALE for part in PARTS}
    return {f"{SHARED}{spec.shared}.{part}": value for part, value in moved.items()}
