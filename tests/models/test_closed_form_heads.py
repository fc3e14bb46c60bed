"""Ridge and SVM heads against scikit-learn, by certificates of their own, and by finite differences."""

import itertools

import numpy as np
import pytest
import torch
from sklearn.linear_model import Ridge as SklearnRidge
from sklearn.svm import LinearSVC
from torch import Tensor
from torch.nn.functional import normalize, one_hot

from metaglot.errors import MetaglotError
from metaglot.models import Ridge, Svm
from metaglot.models.heads import least_squares, svm
from metaglot.models.heads.dual import solve


def examples(*, classes: int, each: int, width: int, noise: float = 0.7, seed: int = 0) -> tuple[Tensor, Tensor]:
    rng = torch.Generator().manual_seed(seed)
    centres = torch.randn(classes, width, generator=rng, dtype=torch.float64)
    labels = torch.arange(classes).repeat_interleave(each)
    spread = noise * torch.randn(len(labels), width, generator=rng, dtype=torch.float64)
    return normalize(centres[labels] + spread, dim=1), labels


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)


@pytest.mark.parametrize("penalty", [0.01, 1.0, 50.0])
@pytest.mark.parametrize("width", [5, 40], ids=["more examples than features", "fewer"])
def test_ridge_is_that_of_scikit_learn(width, penalty):
    x, labels = examples(classes=4, each=5, width=width)
    y = one_hot(labels).double()
    ours = least_squares(x, y, number(penalty))
    theirs = SklearnRidge(alpha=penalty, fit_intercept=False, solver="cholesky").fit(x.numpy(), y.numpy()).coef_
    assert np.abs(ours.T.numpy() - theirs).max() < 1e-8
    slope = x.T @ (x @ ours - y) + penalty * ours
    assert float(slope.abs().max()) < 1e-12


@pytest.mark.parametrize("width", [3, 9])
def test_ridge_by_finite_differences(width):
    x, labels = examples(classes=3, each=2, width=width)
    inputs = (x.requires_grad_(), number(0.5).requires_grad_())
    y = one_hot(labels).double()
    assert torch.autograd.gradcheck(lambda a, b: least_squares(a, y, b), inputs, eps=1e-6, atol=1e-9, rtol=1e-6)


def test_a_large_penalty_leaves_class_sums_and_a_small_one_interpolates():
    x, labels = examples(classes=3, each=2, width=20)
    y = one_hot(labels).double()
    assert torch.allclose(1e9 * least_squares(x, y, number(1e9)), x.T @ y, rtol=1e-7)
    assert torch.allclose(x @ least_squares(x, y, number(1e-10)), y, atol=1e-7)


def test_the_ridge_head_scales_and_shifts(problem, bert, support):
    meta = {n: v.double() for n, v in Ridge(penalty=0.3, scale=7.0).init(16, seed=0).items()}
    meta = {**bert.body(), **meta, "algorithm.head.ridge.bias": number(0.25)}
    layer = Ridge().start(problem, meta, support)
    x = problem.units(meta, support).features
    expected = 7 * least_squares(x, one_hot(support["labels"]).double(), number(0.3)).T
    assert torch.allclose(layer["head.weight"], expected, rtol=1e-6)
    assert layer["head.bias"].tolist() == [0.25] * 3


def primal(weight: Tensor, x: Tensor, labels: Tensor, c: float) -> float:
    """½‖W‖² + C Σ_n max_k(⟨w_k − w_y, x_n⟩ + 1 − [k = y]), as the paper has it."""
    scores = x @ weight.T
    margins = scores + 1 - one_hot(labels, len(weight))
    slack = margins.max(1).values - scores.gather(1, labels[:, None])[:, 0]
    return float(weight.pow(2).sum() / 2 + c * slack.sum())


def dual(a: Tensor, x: Tensor, labels: Tensor, c: float) -> float:
    """The dual objective of Lee et al. (10), with α = C a; below every primal value wherever a is feasible."""
    return float(c * (a * one_hot(labels, a.shape[1])).sum() - (c * a.T @ x).pow(2).sum() / 2)


@pytest.mark.parametrize(
    ("classes", "each", "width", "c"),
    [(2, 3, 16, 0.1), (3, 2, 16, 1.0), (5, 8, 8, 10.0), (5, 8, 4, 1e-4), (8, 3, 64, 1000.0), (8, 24, 16, 1.0)],
)
def test_the_svm_is_optimal_by_its_duality_gap(classes, each, width, c):
    x, labels = examples(classes=classes, each=each, width=width)
    bounds = one_hot(labels).double()
    found = solve(c * x @ x.T, bounds)
    assert float(found.a.sum(1).abs().max()) < 1e-10
    assert float((found.a - bounds).max()) <= 0
    best = primal(svm(x, one_hot(labels, classes), number(c)), x, labels, c)
    gap = best - dual(found.a, x, labels, c)
    assert -1e-9 * max(1, best) < gap < 1e-8 * max(1, best)


@pytest.mark.parametrize(("classes", "each", "width", "c"), [(3, 2, 16, 1.0), (4, 6, 5, 10.0), (5, 4, 32, 0.1)])
def test_the_svm_is_that_of_scikit_learn(classes, each, width, c):
    x, labels = examples(classes=classes, each=each, width=width)
    theirs = LinearSVC(multi_class="crammer_singer", fit_intercept=False, C=c, tol=1e-10, max_iter=100_000)
    weight = torch.tensor(theirs.fit(x.numpy(), labels.numpy()).coef_)
    ours = svm(x, one_hot(labels, classes), number(c))
    assert primal(ours, x, labels, c) == pytest.approx(primal(weight, x, labels, c), rel=1e-8)
    assert torch.allclose(ours, weight, atol=1e-4)


@pytest.mark.parametrize(("classes", "each", "width", "c"), [(3, 2, 16, 0.2), (2, 4, 6, 0.5), (8, 6, 16, 1.0)])
def test_the_svm_by_finite_differences(classes, each, width, c):
    x, labels = examples(classes=classes, each=each, width=width, noise=1.0)
    rng = torch.Generator().manual_seed(1)
    read, way = (torch.randn(s, generator=rng, dtype=torch.float64) for s in ((classes, width), x.shape))
    way /= way.norm()

    def judged(shift: float, price: float) -> Tensor:
        return (svm(x + shift * way, one_hot(labels, classes), number(price)) * read).sum()

    leaves = (x.clone().requires_grad_(), number(c).requires_grad_())
    of_x, of_c = torch.autograd.grad((svm(leaves[0], one_hot(labels, classes), leaves[1]) * read).sum(), leaves)
    h = 1e-5
    slope = float(judged(h, c) - judged(-h, c)) / (2 * h)
    assert abs(slope) > 1e-3
    assert float((of_x * way).sum()) == pytest.approx(slope, rel=1e-5)
    slope = float(judged(0, c + h) - judged(0, c - h)) / (2 * h)
    assert abs(slope) > 1e-3
    assert float(of_c) == pytest.approx(slope, rel=1e-5)


def test_a_small_price_puts_every_example_at_its_bound():
    """Then α_n moves wholly from the true class to the one that violates most; with two classes, to the other."""
    x, labels = examples(classes=2, each=3, width=8)
    sums = one_hot(labels).double().T @ x
    expected = 1e-3 * torch.stack([sums[0] - sums[1], sums[1] - sums[0]])
    assert torch.allclose(svm(x, one_hot(labels, 2), number(1e-3)), expected, atol=1e-11)


def test_the_order_of_examples_and_classes_does_not_matter():
    x, labels = examples(classes=3, each=3, width=8)
    order = torch.tensor([4, 2, 8, 0, 7, 1, 3, 6, 5])
    for classes in itertools.permutations(range(3)):
        renamed = torch.tensor(classes)[labels]
        for head in (
            lambda a, b: least_squares(a, one_hot(b).double(), number(0.5)).T,
            lambda a, b: svm(a, one_hot(b, 3), number(1.0)),
        ):
            assert torch.allclose(head(x[order], renamed[order])[list(classes)], head(x, labels), atol=1e-8)


def test_single_precision_is_solved_in_double():
    x, labels = examples(classes=3, each=3, width=8)
    found = svm(x.float(), one_hot(labels, 3), torch.tensor(1.0))
    assert found.dtype == torch.float32
    assert torch.allclose(found.double(), svm(x, one_hot(labels, 3), number(1.0)), atol=1e-5)


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (Ridge(penalty=0.0), "the penalty of a ridge head must be above 0, got 0.0"),
        (Ridge(scale=-1.0), "the scale of a ridge head must be above 0"),
        (Svm(c=float("nan")), "C of an SVM head must be above 0, got nan"),
        (Svm(scale=0.0), "the scale of an SVM head"),
    ],
)
def test_what_is_not_positive_is_refused(head, message):
    with pytest.raises(MetaglotError, match=message):
        head.init(16, seed=0)


def test_features_that_are_not_finite_are_an_error():
    x, labels = examples(classes=3, each=2, width=8)
    x[0, 0] = float("nan")
    with pytest.raises(MetaglotError, match="features that are not finite"):
        svm(x, one_hot(labels, 3), number(1.0))
