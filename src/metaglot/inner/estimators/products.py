"""Carrying an adjoint through the support gradient: g(φ, θ) = ∇_φ ℓ, and ∂(⟨g, λ_g⟩ + λ_ℓ ℓ)/∂(φ, θ).

exact               reverse over reverse (Pearlmutter 1994, Neural Computation 6:147); chunk by chunk where the support
                    set is met in chunks
finite differences  (∇ℓ(φ + ε λ_g) − ∇ℓ(φ − ε λ_g)) / 2ε, two plain gradients and no double backward; its error is
                    ε² · third derivatives + rounding / ε, so it holds only for a good ε, and checks itself with ε/2
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from metaglot.errors import MetaglotError
from metaglot.inner.estimators.parts import add_to, leaves_of, pulled_back
from metaglot.inner.loop import InnerLoop, gradients
from metaglot.types import Batch, Params, Problem

Pulled = tuple[dict[str, Tensor], dict[str, Tensor]]
"""Adjoints of φ and of the meta-parameters."""


class Step(NamedTuple):
    """One inner step: what it is taken on, and with which dropout."""

    batch: Batch
    seed: int | None
    waits: bool = False  # the body, at this step (`body_waits`)


class Through(NamedTuple):
    """Where a support gradient is taken."""

    loop: InnerLoop
    problem: Problem
    meta: Params
    step: Step

    def gradient(self, fast: Params) -> tuple[Tensor, dict[str, Tensor]]:
        """Return the support loss and its gradient, without a graph."""
        leaves = leaves_of(fast)
        batch, seed, waits = self.step
        loss, grads = self.loop.gradient(
            self.problem, self.meta, leaves, batch, seed=seed, create_graph=False, waits=waits
        )
        return loss.detach(), grads


class Gradient(NamedTuple):
    """A support gradient, and the function that carries (λ_g, λ_ℓ) back through it, to be called once."""

    loss: Tensor
    grads: dict[str, Tensor]
    pull: Callable[[Params, Tensor], Pulled]


class Product(Protocol):
    """A way to carry adjoints through the support gradient."""

    @property
    def second_order(self) -> bool:
        """Whether it differentiates the gradient."""
        ...

    def __call__(self, through: Through, fast: Params) -> Gradient:
        """Return the gradient at `fast`."""
        ...


@dataclass(frozen=True)
class ExactProduct:
    """Differentiate the gradient."""

    second_order: bool = True

    def __call__(self, through: Through, fast: Params) -> Gradient:
        """Return the gradient; its graph is kept for the way back, unless it comes in chunks."""
        loop, problem, meta, (batch, seed, waits) = through
        parts = list(loop.chunks(problem, batch, seed))
        if len(parts) == 1:
            leaves, roots = leaves_of(fast), _roots(meta, fast)
            loss, grads = loop.gradient(
                problem, {**meta, **roots}, leaves, batch, seed=seed, create_graph=True, waits=waits
            )
            detached = {name: grad.detach() for name, grad in grads.items()}
            return Gradient(loss.detach(), detached, lambda g, w: _pull({**grads, "": loss}, g, w, leaves, roots))
        loss, grads = through.gradient(fast)

        def pull(toward: Params, loss_weight: Tensor) -> Pulled:
            own, of_meta = dict[str, Tensor](), dict[str, Tensor]()
            for part, share, part_seed in parts:
                leaves, roots = leaves_of(fast), _roots(meta, fast)
                value = share * problem.loss({**meta, **roots, **leaves}, part, seed=part_seed)
                outputs = {**gradients(value, leaves, create_graph=True), "": value}
                product = _pull(outputs, toward, loss_weight, leaves, roots)
                add_to(own, product[0])
                add_to(of_meta, product[1])
            return own, of_meta

        return Gradient(loss, grads, pull)


@dataclass(frozen=True)
class FiniteProduct:
    """Compare gradients a small step to either side."""

    step: float = 1e-2  # ε‖λ_g‖ relative to ‖φ‖
    tolerance: float | None = 0.05  # of the self-check; None leaves it out
    second_order: bool = False

    def __call__(self, through: Through, fast: Params) -> Gradient:
        """Return the gradient; on the way back two more are taken, and two for the self-check."""
        loss, grads = through.gradient(fast)

        def pull(toward: Params, loss_weight: Tensor) -> Pulled:
            size = _norm(toward)
            if size == 0:
                return _scaled(_both(through, fast, {}, 0.0), loss_weight)
            epsilon = self.step * max(_norm(fast), 1e-12) / size
            product = _difference(through, fast, toward, epsilon)
            if self.tolerance is not None:
                _check(product[0], _difference(through, fast, toward, epsilon / 2)[0], self.tolerance)
            if bool(loss_weight != 0):
                for total, more in zip(product, _scaled(_both(through, fast, {}, 0.0), loss_weight), strict=True):
                    add_to(total, more)
            return product

        return Gradient(loss, grads, pull)


def _pull(outputs: Params, toward: Params, loss_weight: Tensor, leaves: Params, roots: Params) -> Pulled:
    inputs = {**{f"f.{n}": v for n, v in leaves.items()}, **{f"m.{n}": v for n, v in roots.items()}}
    grads = pulled_back(outputs, {**toward, "": loss_weight}, inputs)
    return {n: grads[f"f.{n}"] for n in leaves}, {n: grads[f"m.{n}"] for n in roots}


def _both(through: Through, fast: Params, toward: Params, epsilon: float) -> Pulled:
    """Return ∂ℓ/∂(φ, θ) at φ + ε·toward."""
    loop, problem, meta, (batch, seed, _) = through
    own, of_meta = dict[str, Tensor](), dict[str, Tensor]()
    for part, share, part_seed in loop.chunks(problem, batch, seed):
        leaves = leaves_of({n: v + epsilon * toward[n] if n in toward else v for n, v in fast.items()})
        roots = _roots(meta, fast)
        loss = share * problem.loss({**meta, **roots, **leaves}, part, seed=part_seed)
        grads = gradients(loss, {**leaves, **roots})
        add_to(own, {n: grads[n] for n in leaves})
        add_to(of_meta, {n: grads[n] for n in roots})
    return own, of_meta


def _difference(through: Through, fast: Params, toward: Params, epsilon: float) -> Pulled:
    plus, minus = (_both(through, fast, toward, sign * epsilon) for sign in (1, -1))
    own, of_meta = ({n: (a[n] - b[n]) / (2 * epsilon) for n in a} for a, b in zip(plus, minus, strict=True))
    return own, of_meta


def _roots(meta: Params, fast: Params) -> dict[str, Tensor]:
    """Return the meta-parameters that no fast weight replaces, as leaves."""
    return leaves_of({name: value for name, value in meta.items() if name not in fast})


def _scaled(pulled: Pulled, factor: Tensor) -> Pulled:
    own, of_meta = ({n: factor * v for n, v in part.items()} for part in pulled)
    return own, of_meta


def _check(whole: Params, halved: Params, tolerance: float) -> None:
    gap = _norm({n: v - halved[n] for n, v in whole.items()})
    size = _norm(halved)
    if gap > tolerance * max(size, 1e-12):
        raise MetaglotError(
            f"finite differences disagree with themselves by {100 * gap / max(size, 1e-12):.1f} % when the step is "
            f"halved (allowed: {100 * tolerance:.1f} %); choose another step, or the estimator adjoint"
        )


def _norm(values: Params) -> float:
    if not values:
        return 0.0
    return float(torch.stack([v.detach().double().pow(2).sum() for v in values.values()]).sum().sqrt())
