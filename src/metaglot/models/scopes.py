"""Scopes: what the inner loop moves.  The rest is the learnt mapping that it moves in."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Protocol

from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.models.lora import PREFIX, lora_init
from metaglot.types import Params

OWN = "algorithm."


class Scope(Protocol):
    """Chooses the parameters that an inner loop starts from (the task's head always joins them)."""

    def init(self, body: Params, *, seed: int) -> Params:
        """Return the meta-parameters that the scope itself needs (names `algorithm.*`)."""
        ...

    def start(self, meta: Params) -> Params:
        """Return the parameters to move, at their starting values."""
        ...


@dataclass(frozen=True)
class All:
    """Every parameter of the body."""

    def init(self, body: Params, *, seed: int) -> Params:
        """Return nothing: the body is enough."""
        del body, seed
        return {}

    def start(self, meta: Params) -> Params:
        """Return `body.*`."""
        return {name: value for name, value in meta.items() if name.startswith("body.")}


@dataclass(frozen=True)
class HeadOnly:
    """Nothing but the head (ANIL)."""

    def init(self, body: Params, *, seed: int) -> Params:
        """Return nothing."""
        del body, seed
        return {}

    def start(self, meta: Params) -> Params:
        """Return nothing: the head joins by itself."""
        del meta
        return {}


@dataclass(frozen=True)
class Named:
    """The parameters of the body whose names match one of some shell patterns, e.g. `encoder.layer.5.*`."""

    patterns: tuple[str, ...]

    def init(self, body: Params, *, seed: int) -> Params:
        """Return nothing; raise MetaglotError for no pattern, or one that matches no parameter of the body."""
        del seed
        if not self.patterns:
            raise MetaglotError('the scope "named" needs at least one pattern, such as "encoder.layer.5.*"')
        for pattern in self.patterns:
            match_names(body, [pattern])
        return {}

    def start(self, meta: Params) -> Params:
        """Return the matching `body.*`."""
        body = {name: value for name, value in meta.items() if name.startswith("body.")}
        return {name: body[name] for name in match_names(body, self.patterns)}


@dataclass(frozen=True)
class Lora:
    """Low-rank updates of the weight matrices that match `targets`; where they start is meta-learnt."""

    rank: int = 8
    targets: tuple[str, ...] = ("query", "value")

    def init(self, body: Params, *, seed: int) -> Params:
        """Return `algorithm.lora.*`."""
        start = lora_init(body, rank=self.rank, targets=self.targets, seed=seed)
        return {OWN + name: value for name, value in start.items()}

    def start(self, meta: Params) -> Params:
        """Return `lora.*`."""
        prefix = OWN + PREFIX
        return {name.removeprefix(OWN): value for name, value in meta.items() if name.startswith(prefix)}


def match_names(params: dict[str, Tensor] | Params, patterns: Sequence[str]) -> list[str]:
    """Return the names that match a pattern, in the order of `params`.

    Raises MetaglotError for a pattern that matches nothing, with the nearest names.
    """
    found: set[str] = set()
    for pattern in patterns:
        hits = {n for n in params if fnmatchcase(n, f"body.{pattern}") or fnmatchcase(n, pattern)}
        if not hits:
            near = get_close_matches(f"body.{pattern}", list(params), n=3, cutoff=0.3)
            known = near or list(params)[:3]
            raise MetaglotError(
                f"the pattern {pattern!r} matches no parameter of the body; names look like: {', '.join(known)}"
            )
        found |= hits
    return [name for name in params if name in found]
