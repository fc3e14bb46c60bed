"""Meta-Curvature: gradients multiplied by learnt matrices."""

import pytest
import torch

from metaglot.algorithms import GradientBased
from metaglot.errors import MetaglotError
from metaglot.inner import Curvature, Sgd, Unrolled
from metaglot.inner.curvature import LEFT, RIGHT, SCALE
from metaglot.models import All, HeadOnly, Lora, Prototypes

SCOPES = {"all": All(), "head": HeadOnly(), "lora": Lora(rank=2)}
LOSS = torch.zeros(())
SHAPES = {"body.w": (3, 4), "body.b": (4,), "body.embeddings.word.weight": (9, 4), "body.long": (12, 4)}
HEAD = {"head.weight": (0, 4), "head.bias": (0,)}


def test_which_sides_have_a_matrix(draw):
    found = Curvature(limit=10).learnt(draw({**SHAPES, **HEAD}), steps=1, seed=0)
    assert {name: tuple(value.shape) for name, value in found.items()} == {
        LEFT + "body.w": (3, 3),
        RIGHT + "body.w": (4, 4),
        SCALE + "body.b": (4,),
        RIGHT + "body.embeddings.word.weight": (4, 4),
        RIGHT + "body.long": (4, 4),
        RIGHT + "head.weight": (4, 4),
        SCALE + "head.bias": (),
    }
    assert LEFT + "body.long" in Curvature(limit=12).learnt(draw({**SHAPES, **HEAD}), steps=1, seed=0)


@pytest.mark.parametrize("scope", SCOPES)
def test_it_starts_as_gradient_descent(same_path, scope):
    pair = Curvature(lr=0.125, head_lr=0.5, clip=0.5), Sgd(lr=0.125, head_lr=0.5, clip=0.5)
    assert same_path(*pair, SCOPES[scope]) >= 2


def around_identity(value, size: int) -> torch.Tensor:
    eye = torch.eye(size, dtype=torch.float64)
    return eye if value is None else eye + value / size**0.5


@pytest.mark.parametrize("classes", [2, 5])
def test_a_step_by_hand_for_any_number_of_classes(draw, classes):
    """vec(L G R) = (L ⊗ Rᵀ) vec(G), row by row."""
    shapes = {**SHAPES, "head.weight": (classes, 4), "head.bias": (classes,)}
    rule = Curvature(lr=0.3, head_lr=0.7, limit=10)
    meta = {n: v.double() for n, v in rule.learnt(draw({**SHAPES, **HEAD}), steps=1, seed=0).items()}
    meta = {n: v + draw({n: tuple(v.shape)}, len(n))[n] for n, v in meta.items()}
    fast, grads = draw(shapes), draw(shapes, 1)
    moved, _ = rule.update(meta, fast, grads, LOSS, {}, 0)
    for name, value in fast.items():
        rate, way = 0.7 if name.startswith("head") else 0.3, grads[name]
        if SCALE + name in meta:
            way = meta[SCALE + name] * way
        else:
            left, right = (
                around_identity(meta.get(side + name), n) for side, n in zip((LEFT, RIGHT), way.shape, strict=True)
            )
            way = (torch.kron(left, right.T.contiguous()) @ way.flatten()).view_as(way)
        assert torch.allclose(moved[name], value - rate * way, rtol=1e-12, atol=1e-14), name


def test_the_inverse_hessian_solves_a_quadratic_in_one_step(draw):
    """½tr((W − C)ᵀA(W − C)B) has the gradient A(W − C)B: L = A⁻¹, R = B⁻¹ is Newton's step."""
    found = draw({"A": (3, 3), "B": (4, 4), "W": (3, 4), "C": (3, 4)})
    A, B = (found[n] @ found[n].T + torch.eye(len(found[n])) for n in "AB")
    meta = {
        LEFT + "body.w": (A.inverse() - torch.eye(3)) * 3**0.5,
        RIGHT + "body.w": (B.inverse() - torch.eye(4)) * 4**0.5,
    }
    grads = {"body.w": A @ (found["W"] - found["C"]) @ B}
    moved, _ = Curvature(lr=1.0).update(meta, {"body.w": found["W"]}, grads, LOSS, {}, 0)
    assert torch.allclose(moved["body.w"], found["C"], atol=1e-10)


def test_a_head_of_another_width_is_refused(draw):
    rule = Curvature()
    meta = rule.learnt(draw(HEAD), steps=1, seed=0)
    with pytest.raises(MetaglotError, match=r"learnt for a width of 4, the task needs 6; use the rule meta-sgd"):
        rule.update(meta, draw({"head.weight": (2, 6)}), draw({"head.weight": (2, 6)}), LOSS, {}, 0)


def test_the_head_has_a_matrix_in_every_scope(bert, problem):
    for scope in SCOPES.values():
        algorithm = GradientBased(scope, Prototypes(), Curvature(), 1, Unrolled())
        meta = algorithm.init(bert, [problem.task], seed=0)
        assert meta[RIGHT + "head.weight"].shape == (16, 16)
    assert LEFT + "body.embeddings.word_embeddings.weight" not in meta


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("limit", [2048, 20])
def test_its_derivatives(check_exact, scope, limit):
    own = check_exact(Curvature(lr=0.1, limit=limit, clip=1.0), SCOPES[scope])
    assert sum(bool(v.any()) for v in own.values()) >= {"all": 40, "head": 2, "lora": 18}[scope]
