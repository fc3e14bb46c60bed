"""Scopes: what the inner loop moves.  The rest is the learnt mapping that it moves in."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Protocol

from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.models.context import context_init, context_start
from metaglot.models.language import LM
from metaglot.models.lora import PREFIX, lora_init
from metaglot.models.prefix import PREFIX as BEFORE
from metaglot.models.prefix import prefix_init
from metaglot.models.warp import PREFIX as WARP
from metaglot.models.warp import bias_of, warp_init
from metaglot.types import Params

OWN = "algorithm."
WILD = set("*?[")


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
    """Every parameter of the body, and of the language-model head where it stands among the meta-parameters."""

    def init(self, body: Params, *, seed: int) -> Params:
        """Return nothing: the body is enough."""
        del body, seed
        return {}

    def start(self, meta: Params) -> Params:
        """Return `body.*` and `lm.*`."""
        return with_head_of(meta)


@dataclass(frozen=True)
class HeadOnly:
    """Nothing but the head (ANIL); of a task over the vocabulary, the learner's language-model head."""

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
        body = body_of(meta)
        return {name: body[name] for name in match_names(body, self.patterns)}


@dataclass(frozen=True)
class AllBut:
    """Every parameter of the body but those that match a pattern: warp layers, which only the outer loop learns.

    Flennerhag et al. 2020 (WarpGrad), https://arxiv.org/abs/1909.00025
    """

    patterns: tuple[str, ...]

    def init(self, body: Params, *, seed: int) -> Params:
        """Return nothing; raise MetaglotError for patterns that match nothing, or leave nothing to move."""
        Named(self.patterns).init(body, seed=seed)
        if not self.start(body):
            raise MetaglotError(f"the patterns {', '.join(self.patterns)} match the whole body: nothing would move")
        return {}

    def start(self, meta: Params) -> Params:
        """Return the `body.*` that match no pattern."""
        body = body_of(meta)
        kept = set(match_names(body, self.patterns))
        return {name: value for name, value in body.items() if name not in kept}


@dataclass(frozen=True)
class BiasNorm:
    """All biases, and the gains of all normalisation layers: the parameters that are vectors.

    Ben Zaken et al. 2022 (BitFit), https://arxiv.org/abs/2106.10199, moves the biases alone.
    """

    def init(self, body: Params, *, seed: int) -> Params:
        """Return nothing; raise MetaglotError for a body without any."""
        del seed
        if not self.start(body):
            raise MetaglotError("the body has no bias and no normalisation layer; use the scope all or lora")
        return {}

    def start(self, meta: Params) -> Params:
        """Return what of `body.*` and `lm.*` is a vector or called a bias (XLNet's are a vector for each head)."""
        return {name: value for name, value in with_head_of(meta).items() if value.ndim == 1 or name.endswith("bias")}


@dataclass(frozen=True)
class Lora:
    """Low-rank updates of the weight matrices that match `targets`; where they start is meta-learnt.

    Without targets, these are the queries and values of the attention, by the names that the backbone has for them.
    """

    rank: int = 8
    targets: tuple[str, ...] | None = None

    def init(self, body: Params, *, seed: int) -> Params:
        """Return `algorithm.lora.*`."""
        start = lora_init(body, rank=self.rank, targets=self.targets, seed=seed)
        return {OWN + name: value for name, value in start.items()}

    def start(self, meta: Params) -> Params:
        """Return `lora.*`."""
        prefix = OWN + PREFIX
        return {name.removeprefix(OWN): value for name, value in meta.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class Prefix:
    """So many keys and values before those of a text, in each attention; where they start is meta-learnt."""

    size: int = 32

    def init(self, body: Params, *, seed: int) -> Params:
        """Return `algorithm.prefix.*`."""
        return {OWN + name: value for name, value in prefix_init(body, size=self.size, seed=seed).items()}

    def start(self, meta: Params) -> Params:
        """Return `prefix.*`."""
        start = OWN + BEFORE
        return {name.removeprefix(OWN): value for name, value in meta.items() if name.startswith(start)}


@dataclass(frozen=True)
class Context:
    """A context vector of so many numbers, zero at the start of every task (`models/context.py`)."""

    size: int = 32

    def init(self, body: Params, *, seed: int) -> Params:
        """Return the map from the context to the input embeddings, `algorithm.context.weight`."""
        return context_init(body, size=self.size, seed=seed)

    def start(self, meta: Params) -> Params:
        """Return `context.code` [size]."""
        return context_start(meta)


@dataclass(frozen=True)
class Warp:
    """The weight matrices that match `targets` and their biases, behind learnt matrices (`models/warp.py`).

    Without targets, these are the queries and values, as for `Lora`.
    """

    targets: tuple[str, ...] | None = None

    def init(self, body: Params, *, seed: int) -> Params:
        """Return `algorithm.warp.*`."""
        del seed
        return warp_init(body, targets=self.targets)

    def start(self, meta: Params) -> Params:
        """Return the wrapped `body.*`; their warps stay."""
        names = [name.removeprefix(WARP) for name in meta if name.startswith(WARP)]
        wanted = {f"body.{name}" for weight in names for name in (weight, bias_of(weight))}
        return {name: value for name, value in meta.items() if name in wanted}


def body_of(meta: Params) -> dict[str, Tensor]:
    """Return `body.*`."""
    return {name: value for name, value in meta.items() if name.startswith("body.")}


def with_head_of(meta: Params) -> dict[str, Tensor]:
    """Return `body.*` and the language-model head `lm.*`."""
    return {name: value for name, value in meta.items() if name.startswith(("body.", LM))}


def match_names(params: dict[str, Tensor] | Params, patterns: Sequence[str]) -> list[str]:
    """Return the names that match a pattern, in the order of `params`.

    Raises MetaglotError for a pattern that matches nothing, with the nearest names.
    """
    matches: set[str] = set()
    for pattern in patterns:
        plain = not set(pattern) & WILD
        names = [n for n in (f"body.{pattern}", pattern) if n in params] if plain else params
        hits = {n for n in names if plain or fnmatchcase(n, f"body.{pattern}") or fnmatchcase(n, pattern)}
        if not hits:
            near = get_close_matches(f"body.{pattern}", list(params), n=3, cutoff=0.3)
            suggestions = near or list(params)[:3]
            raise MetaglotError(
                f"the pattern {pattern!r} matches no parameter of the body; names look like: {', '.join(suggestions)}"
            )
        matches |= hits
    return [name for name in params if name in matches]
