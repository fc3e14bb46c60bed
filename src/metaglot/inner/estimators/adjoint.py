"""Adjoint: the exact gradient without a graph of the whole inner loop.

With s_t = (φ_t, rule state) and s_{t+1} = U(s_t, g_t, ℓ_t), g_t = ∇ℓ(φ_t), the loop first runs without a graph; then
the adjoint λ_t = dL/ds_t is carried back step by step: through the rule U, a cheap elementwise function, to λ_g, and
from there through the gradient (`products.py`).  One step's graph lives at a time.  The last `keep` steps keep their
graphs (faster, more memory); at most `stored` states are remembered and the others recomputed, so that memory need
not grow with the steps.

Griewank and Walther 2008, "Evaluating Derivatives", ch. 12, https://doi.org/10.1137/1.9780898717761; for
hyperparameters of a training run: Maclaurin et al. 2015, https://arxiv.org/abs/1502.03492.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.inner.estimators.parts import (
    Estimate,
    Inner,
    Judged,
    add_to,
    judge,
    leaves_of,
    points_of,
    reached,
    record_of,
)
from metaglot.inner.estimators.products import ExactProduct, FiniteProduct, Product, Step, Through
from metaglot.inner.estimators.unrolled import Unrolled
from metaglot.inner.loop import InnerLoop, body_waits, gradients
from metaglot.seeds import fold
from metaglot.types import Episode, Fast, Params, Problem, TraceStep

EXACT = ExactProduct()


@dataclass(frozen=True)
class Adjoint:
    """The exact gradient, each inner step recomputed on the way back."""

    keep: int = 0  # last steps whose graphs are kept
    stored: int | None = None  # states remembered at most, and as many of those recomputed; all if None
    product: Product = EXACT

    @property
    def name(self) -> str:
        """Return adjoint, mixed where some graphs are kept, or finite-differences."""
        return "finite-differences" if not self.exact else "mixed" if self.keep else "adjoint"

    @property
    def second_order(self) -> bool:
        """Whether a gradient is differentiated."""
        return self.product.second_order or self.keep > 0

    @property
    def exact(self) -> bool:
        """Whether no finite difference is taken."""
        return not isinstance(self.product, FiniteProduct)

    def __call__(self, inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
        """Return the meta-gradient; unrolled where only the head moves, for then graphs are small."""
        if inner.body_rests(meta):
            return Unrolled()(inner, problem, meta, episode, seed)
        leaves = leaves_of(meta)
        start = inner.start(problem, leaves, episode.support, seed=seed)
        state = inner.loop.rule.init(leaves, start)
        waits = body_waits(problem, start)
        steps = [Step(b, _seed(seed, t), waits and t == 0) for t, b in enumerate(inner.loop.batches(episode.support))]
        recomputed = max(0, len(steps) - self.keep)
        forward = _Forward(inner.loop, problem, meta, steps[:recomputed], self.stored)
        # The middle is handed on and not held: it is as large as any state.
        total, at, judged, trace = _tail(
            inner, problem, meta, steps[recomputed:], forward.run(start, state), episode, seed
        )
        for t in reversed(range(recomputed)):
            before = forward.state(t)
            at = _back(Through(inner.loop, problem, meta, steps[t]), before, at, total, self.product)
            if weight := inner.weight_after(t):
                at = _plus_query(inner.judging(problem), meta, before, weight, (episode, seed), at, total)
        outputs = {**_tagged("f", start), **_tagged("s", state)}
        add_to(total, reached(outputs, {**_tagged("f", at.params), **_tagged("s", at.state)}, leaves))
        total |= {name: torch.zeros_like(value) for name, value in meta.items() if name not in total}
        return total, record_of(problem, trace, judged.logits, episode)


MIXED = partial(Adjoint, keep=2)
BY_DIFFERENCES = partial(Adjoint, product=FiniteProduct())


class _At(NamedTuple):
    """The adjoint of a state."""

    params: dict[str, Tensor]
    state: dict[str, Tensor]


class _Forward:
    """The run without a graph; remembers every `stride`-th state and recomputes the others when asked."""

    def __init__(self, loop: InnerLoop, problem: Problem, meta: Params, steps: list[Step], stored: int | None) -> None:
        self._loop, self._problem, self._meta, self._steps = loop, problem, meta, steps
        self._most = max(1, len(steps) if stored is None else stored)
        self._stride = max(1, -(-len(steps) // self._most))
        self._kept: dict[int, Fast] = {}
        self._segment: dict[int, Fast] = {}

    def run(self, start: Params, state: Params) -> Fast:
        """Return the state after all steps."""
        first = Fast(_detached(start), _detached(state), ())
        self._kept[0] = first  # itself: the walk changes a copy
        last = first
        for t, fast in self._walk(_copy(first), len(self._steps)):
            if t % self._stride == 0 and 0 < t < len(self._steps):
                self._kept[t] = _copy(fast)
            last = fast
        return last

    def state(self, t: int) -> Fast:
        """Return the state before step t; each may be asked for once, from the last to the first."""
        if t in self._kept:
            return self._kept.pop(t)
        if t not in self._segment:
            first = t - t % self._stride
            least = max(first, t - self._most)  # no more states than were asked for; those before come in another run
            self._segment = {n: _copy(fast) for n, fast in self._walk(_copy(self._kept[first]), t) if n > least}
        return self._segment.pop(t)

    def _walk(self, fast: Fast, until: int) -> Iterator[tuple[int, Fast]]:
        yield len(fast.trace), fast
        while len(fast.trace) < until:
            batch, seed, waits = self._steps[len(fast.trace)]
            fast = self._loop.step(
                self._problem, self._meta, fast, batch, anchor={}, seed=seed, create_graph=False, waits=waits
            )
            yield len(fast.trace), fast


def _tail(
    inner: Inner, problem: Problem, meta: Params, steps: list[Step], middle: Fast, episode: Episode, seed: int | None
) -> tuple[dict[str, Tensor], _At, Judged, tuple[TraceStep, ...]]:
    """Take the last steps with their graphs; return ∂L/∂θ there, the adjoint of the middle, and what was seen."""
    leaves = leaves_of(meta)
    first = Fast(leaves_of(middle.params), leaves_of(middle.rule_state), middle.trace)
    visited = [first]
    for batch, step_seed, waits in steps:
        after = inner.loop.step(
            problem, leaves, visited[-1], batch, anchor={}, seed=step_seed, create_graph=True, waits=waits
        )
        visited.append(after)
    judged = judge(inner.judging(problem), leaves, points_of(inner, visited), episode, seed)
    moving = {**_tagged("f", first.params), **_tagged("s", first.rule_state)}
    own = {name: value for name, value in leaves.items() if name not in first.params}
    grads = gradients(judged.loss, {**_tagged("m", own), **moving})
    at = _At(_untagged("f", grads), _untagged("s", grads))
    return _untagged("m", grads), at, judged, visited[-1].trace


def _back(through: Through, before: Fast, at: _At, total: dict[str, Tensor], product: Product) -> _At:
    """Return the adjoint before a step from that after it, and add to the meta-gradient."""
    gradient = product(through, before.params)
    leaves, fast, state = leaves_of(through.meta), leaves_of(before.params), leaves_of(before.rule_state)
    grads, loss = leaves_of(gradient.grads), gradient.loss.detach().requires_grad_()
    with torch.enable_grad():
        moved, after = through.loop.rule.update(leaves, fast, grads, loss, state, len(before.trace))
    moving = {**_tagged("f", fast), **_tagged("s", state), **_tagged("g", grads), "loss": loss}
    outputs, adjoints = ({**_tagged("f", f), **_tagged("s", s)} for f, s in ((moved, after), (at.params, at.state)))
    pulled = reached(outputs, adjoints, {**moving, **_tagged("m", leaves)})
    add_to(total, _untagged("m", pulled))
    pulled = {name: pulled[name] if name in pulled else torch.zeros_like(value) for name, value in moving.items()}
    own, of_meta = gradient.pull(_untagged("g", pulled), pulled["loss"])
    add_to(total, of_meta)
    params = _untagged("f", pulled)
    add_to(params, own)
    return _At(params, _untagged("s", pulled))


def _plus_query(
    problem: Problem,
    meta: Params,
    before: Fast,
    weight: float,
    judged_on: tuple[Episode, int | None],
    at: _At,
    total: dict[str, Tensor],
) -> _At:
    leaves, fast = leaves_of(meta), leaves_of(before.params)
    judged = judge(problem, leaves, [(weight, fast)], *judged_on)
    own = {name: value for name, value in leaves.items() if name not in fast}
    grads = gradients(judged.loss, {**_tagged("m", own), **_tagged("f", fast)})
    add_to(total, _untagged("m", grads))
    params = dict(at.params)
    add_to(params, _untagged("f", grads))
    return at._replace(params=params)


def _seed(seed: int | None, step: int) -> int | None:
    return None if seed is None else fold(seed, "inner", step)


def _detached(values: Params) -> dict[str, Tensor]:
    """Return the values themselves, of no graph."""
    return {name: value.detach() for name, value in values.items()}


def _still(values: Params) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in values.items()}


def _copy(fast: Fast) -> Fast:
    return fast._replace(params=_still(fast.params), rule_state=_still(fast.rule_state))


def _tagged(tag: str, values: Params) -> dict[str, Tensor]:
    return {f"{tag}.{name}": value for name, value in values.items()}


def _untagged(tag: str, values: Params) -> dict[str, Tensor]:
    return {name.removeprefix(f"{tag}."): value for name, value in values.items() if name.startswith(f"{tag}.")}
