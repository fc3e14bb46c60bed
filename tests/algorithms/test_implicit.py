"""iMAML on quadratics: the gradient through the regularised solution, whatever path led there.

φ* = (A + λI)⁻¹(Ac + λθ);  dL/dθ = λ(A + λI)⁻¹ A′(φ* − c′).
"""

from dataclasses import replace

import pytest
import torch
from tests.algorithms.quadratic import EYE, META, ONLY_A, THETA, Case, D, Point, close, meta_grad, theta_grad

from metaglot.algorithms.imaml import imaml
from metaglot.algorithms.maml import maml
from metaglot.cli.shared.live import unsolved_note
from metaglot.errors import MetaglotError
from metaglot.inner import Implicit
from metaglot.models import All, HeadOnly, Named, Prototypes
from metaglot.models.heads import LOG_SCALE

STRENGTH = 0.7


def solved(case: Case):
    """φ* and the gradient, by hand."""
    inverse = torch.linalg.inv(case.A + STRENGTH * EYE)
    at = inverse @ (case.A @ case.c + STRENGTH * THETA)
    return at, STRENGTH * inverse @ case.A2 @ (at - case.c2)


def exact(**options):
    """iMAML whose inner loop and conjugate gradients have converged."""
    made = imaml(
        **{"lr": 0.3, "momentum": 0.0, "steps": 300, "scope": All(), "proximal": STRENGTH, "iterations": D, **options}
    )
    return replace(made, estimator=replace(made.estimator, tolerance=0.0))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_gradient_through_the_solution(seed):
    case = Case(seed)
    at, expected = solved(case)
    assert close(theta_grad(exact(), case), expected)
    fast = exact().adapt(case.problem, META, case.episode.support, seed=0)
    assert torch.allclose(torch.cat([fast.params["body.a"], fast.params["body.b"]]), at, rtol=1e-10)


@pytest.mark.slow
def test_the_unrolled_gradient_of_a_long_loop_is_the_same():
    case = Case(4)
    unrolled = replace(maml(lr=0.3, steps=300), proximal=STRENGTH)
    assert torch.allclose(theta_grad(unrolled, case), theta_grad(exact(), case), rtol=1e-9)


def test_the_gradient_does_not_depend_on_the_path():
    case = Case(4)
    assert torch.allclose(theta_grad(exact(lr=0.2, steps=500), case), theta_grad(exact(), case), rtol=1e-10)


def test_within_a_scope_the_rest_acts_through_the_solution():
    """Only a moves: φ_a = (A_aa + λ)⁻¹(…); b acts on the query loss directly, and on φ_a through A_ab."""
    case = Case(5)
    A, n = case.A, 2
    inverse = torch.linalg.inv(A[:n, :n] + STRENGTH * EYE[:n, :n])
    pull = A[:n, :n] @ case.c[:n] - A[:n, n:] @ (THETA[n:] - case.c[n:]) + STRENGTH * THETA[:n]
    x = torch.cat([inverse @ pull, THETA[n:]])
    outer = case.A2 @ (x - case.c2)
    expected = torch.cat([STRENGTH * inverse @ outer[:n], outer[n:] - A[n:, :n] @ inverse @ outer[:n]])
    assert close(theta_grad(exact(scope=Named(("a",))), case), expected)
    assert ONLY_A.trace() == n


def test_a_head_from_the_features_is_a_start_point_too():
    """w₀ = 2sθ, x = w − Mθ with M = 0: φ* and its derivative in θ and s through the start."""
    scale = 1.5
    case = Case(9, torch.zeros(D, D).double())
    meta = {**META, LOG_SCALE: torch.tensor(scale, dtype=torch.float64).log()}
    start = 2 * scale * THETA
    inverse = torch.linalg.inv(case.A + STRENGTH * EYE)
    at = inverse @ (case.A @ case.c + STRENGTH * start)
    carried = STRENGTH * inverse @ case.A2 @ (at - case.c2)
    found = meta_grad(exact(scope=HeadOnly(), head=Prototypes(metric="euclidean")), case, meta=meta)
    assert close(torch.cat([found["body.a"], found["body.b"]]), 2 * scale * carried)
    assert close(found[LOG_SCALE], start @ carried)


def test_conjugate_gradients_converge():
    """The error in the norm of H + λI falls at each iteration and is nothing after D of them.

    It stays below the bound 2((√κ−1)/(√κ+1))^k.
    """
    case = Case(6)
    _, expected = solved(case)
    matrix = case.A + STRENGTH * EYE
    spectrum = torch.linalg.eigvalsh(matrix)
    root = float((spectrum[-1] / spectrum[0]).sqrt())

    def error(iterations: int) -> float:
        away = (theta_grad(exact(iterations=iterations), case) - expected) / STRENGTH
        return float((away @ matrix @ away).sqrt())

    errors = [error(k) for k in range(1, D + 1)]
    first = float((expected @ matrix @ expected).sqrt()) / STRENGTH
    for k, (before, after) in enumerate(zip([first, *errors], errors, strict=False), start=1):
        assert after < before
        assert after <= 2 * ((root - 1) / (root + 1)) ** k * first
    assert errors[-1] < 1e-9 * first


def test_a_strong_pull_leaves_the_start_and_the_plain_gradient():
    case = Case(7)
    plain = case.A2 @ (THETA - case.c2)
    strong = exact(proximal=1e8, lr=1e-9, steps=50)
    assert torch.allclose(theta_grad(strong, case), plain, rtol=1e-6)


def test_negative_curvature_ends_conjugate_gradients():
    """Where H + λI is not positive definite there is no inner minimum: the plain gradient is given back."""
    case = Case(8)
    case.A = -3 * EYE
    support = case.objective.collate([{"center": case.c, "matrix": case.A}] * 2)
    case.episode = replace(case.episode, support=support)
    found = theta_grad(exact(steps=1, lr=0.1), case)
    phi = THETA + 0.3 * (THETA - case.c)
    assert close(found, case.A2 @ (phi - case.c2))


@pytest.mark.parametrize("options", [{"proximal": 0.0}, {"steps": 0, "head": Prototypes()}], ids=str)
def test_without_a_regularised_problem_it_is_refused(options):
    with pytest.raises(MetaglotError, match="it needs proximal > 0 and steps ≥ 1"):
        imaml(**options).init(Point(), [], seed=0)


def test_what_is_chosen():
    made = imaml(proximal=0.3, iterations=7, scope=All())
    assert made.estimator == Implicit(iterations=7)
    assert made.proximal == 0.3
    assert made.second_order
    assert imaml().scope == HeadOnly()


def test_the_record_tells_how_far_the_inner_problem_is_from_solved():
    case = Case(1)
    residuals = []
    for steps in (1, 10, 300):
        found = exact(steps=steps).meta_grad([case.problem], META, [case.episode], step=0, seed=0)
        residuals.append(found.records[0]["residual"])
    assert residuals[0] > residuals[1] > residuals[2]
    assert residuals[2] < 1e-9
    assert "far from its solution" in unsolved_note({"residual": residuals[0]})
    assert unsolved_note({"residual": residuals[2]}) == unsolved_note({"loss": 1.0}) == ""
