"""Implicit: the gradient at the solution of the inner problem, whatever path led there.

    φ* = argmin ℓ(φ; support) + λ/2·‖φ − θ‖²,   dL/dθ = λ (H + λI)⁻¹ ∂L/∂φ,   H = ∂²ℓ/∂φ²

The inverse is applied by conjugate gradients on Hessian-vector products.  Memory does not depend on the inner steps.
It is exact only where the inner loop has converged and H + λI is positive definite; conjugate gradients stop where
they meet negative curvature.  How far from converged an inner loop ended stands in its record, as `residual`.  What the
support loss depends on without moving it, θ_m, gets −∂⟨∇ℓ, v/λ⟩/∂θ_m.

Rajeswaran et al. 2019 (iMAML), https://arxiv.org/abs/1909.04630
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from metaglot.inner.estimators.parts import Estimate, Inner, add_to, judge, leaves_of, pulled_back, record_of
from metaglot.inner.estimators.products import ExactProduct, Gradient, Step, Through
from metaglot.inner.loop import gradients
from metaglot.seeds import fold
from metaglot.types import Episode, Params, Problem

RESIDUAL = "residual"
"""In a record: the gradient of the inner problem where the loop ended, relative to that where it began."""


@dataclass(frozen=True)
class Implicit:
    """The implicit gradient; the inner loop needs a proximal term."""

    iterations: int = 10  # of conjugate gradients
    tolerance: float = 1e-10  # of the squared residual, relative
    name: str = "implicit"
    second_order: bool = True
    exact: bool = False

    def __call__(self, inner: Inner, problem: Problem, meta: Params, episode: Episode, seed: int | None) -> Estimate:
        """Return the meta-gradient."""
        leaves = leaves_of(meta)
        support = inner.support(problem, leaves, episode.support, seed=seed)
        start = inner.start(problem, leaves, support, seed=seed)
        still = {name: value.detach() for name, value in start.items()}
        fixed = {name: value.detach() for name, value in support.items()}
        fast = inner.loop.run(problem, meta, still, fixed, seed=seed, create_graph=False)
        at = leaves_of(fast.params)
        judged = judge(inner.judging(problem), leaves, [(1.0, at)], episode, seed)
        query_grads = gradients(judged.loss, {**_meta_tagged(leaves), **at})
        total = {name: query_grads[f"meta {name}"] for name in leaves}
        outer = {name: query_grads[name] for name in at}
        strength = inner.loop.proximal
        step = Step(fixed, None if seed is None else fold(seed, "implicit"))
        through = Through(inner.loop, problem, meta, step)
        solved = _solve(through, fast.params, outer, strength, self)
        _, grads = inner.loop.gradient(
            problem, leaves, leaves_of(fast.params), support, seed=step.seed, create_graph=True
        )
        # Both at once: a head made from the support set, and a resting body, share its features.
        outputs = {
            **{f"gradient {n}": -grad for n, grad in grads.items()},
            **{f"start {n}": v for n, v in start.items()},
        }
        adjoints = {f"gradient {n}": value for n, value in solved.items()}
        adjoints |= {f"start {n}": strength * value for n, value in solved.items()}
        add_to(total, pulled_back(outputs, adjoints, leaves))
        pulled = {name: grad.detach() + strength * (fast.params[name] - still[name]) for name, grad in grads.items()}
        residual = _size(pulled) / max(_size(through.gradient(still)[1]), 1e-12)
        return total, {**record_of(problem, fast.trace, judged.logits, episode), RESIDUAL: residual}


def _meta_tagged(leaves: Params) -> dict[str, Tensor]:
    return {f"meta {name}": value for name, value in leaves.items()}


def _product(through: Through, fast: Params, toward: Params) -> dict[str, Tensor]:
    gradient: Gradient = ExactProduct()(through, fast)
    return gradient.pull(toward, torch.zeros_like(gradient.loss))[0]


def _size(values: Params) -> float:
    return float(_dot(values, values).sqrt())


def _solve(through: Through, fast: Params, outer: Params, strength: float, options: Implicit) -> dict[str, Tensor]:
    """Return (H + λI)⁻¹ outer by conjugate gradients, from outer / λ."""
    solution = {name: torch.zeros_like(value) for name, value in outer.items()}
    residual = dict(outer)
    direction = dict(residual)
    size = first = _dot(residual, residual)
    for _ in range(options.iterations):
        if float(size) <= options.tolerance * float(first):
            break
        turned = _product(through, fast, direction)
        turned = {name: turned[name] + strength * direction[name] for name in direction}
        curvature = _dot(direction, turned)
        if float(curvature) <= 0:  # not a minimum along this direction
            break
        rate = size / curvature
        solution = {name: value + rate * direction[name] for name, value in solution.items()}
        residual = {name: value - rate * turned[name] for name, value in residual.items()}
        size, before = _dot(residual, residual), size
        direction = {name: residual[name] + size / before * value for name, value in direction.items()}
    if not any(bool(value.any()) for value in solution.values()):
        return {name: value / strength for name, value in outer.items()}
    return solution


def _dot(a: Params, b: Params) -> Tensor:
    return torch.stack([(a[name] * b[name]).sum() for name in a]).sum()
