"""Algorithms whose rule learns, on quadratics: φ_{t+1} = φ_t − R_t A(φ_t − c), R_t what the rule makes of its rates."""

import pytest
import torch
from tests.algorithms.quadratic import EYE, INFO, META, THETA, Case, Point, close, draw
from torch import Tensor

from metaglot.algorithms import GradientBased, build_algorithm, why_not
from metaglot.algorithms.maml import maml
from metaglot.algorithms.maml_plus_plus import maml_plus_plus
from metaglot.algorithms.meta_curvature import meta_curvature
from metaglot.algorithms.meta_sgd import meta_sgd
from metaglot.algorithms.metanet import metanet_n
from metaglot.algorithms.reml import reml
from metaglot.choices import RULES
from metaglot.errors import MetaglotError
from metaglot.inner import Curvature, LayerRates, MetaNet, MetaSgd, Momentum, Recurrent
from metaglot.inner.curvature import SCALE
from metaglot.inner.estimators import Implicit, Towards
from metaglot.inner.recurrent import LSTM
from metaglot.inner.rule import RATE
from metaglot.models import All, HeadOnly, Lora, Prototypes
from metaglot.types import Params

STEPS = 3
PARTS = ("a", "b")


def with_rule(algorithm: GradientBased) -> dict[str, Tensor]:
    """The point, and what the rule learns, with noise where it is a rate."""
    learnt = algorithm.init(Point(), [INFO], seed=0)
    own = {n: v.double() for n, v in learnt.items() if n.startswith("algorithm.")}
    rates = [n for n in own if n.startswith(RATE)]
    return {**META, **own, **{n: 0.5 + torch.rand_like(own[n]) for n in rates}}


def found(algorithm: GradientBased, case: Case, meta: Params, *, step: int = 0) -> dict[str, Tensor]:
    grads = algorithm.meta_grad([case.problem], meta, [case.episode], step=step, seed=0).grads
    return {**grads, "theta": torch.cat([grads["body.a"], grads["body.b"]])}


def rates_by_step(meta: Params) -> list[Tensor]:
    """Return, for every step, the learnt rate of each coordinate."""
    return [torch.cat([meta[RATE + part][t].expand(len(META[f"body.{part}"])) for part in PARTS]) for t in range(STEPS)]


def path(case: Case, rates: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
    """Return φ_t and dφ_t/dθ for steps with these rates of each coordinate."""
    points, slopes = [THETA], [EYE]
    for rate in rates:
        shrink = EYE - torch.diag(rate) @ case.A
        points.append(case.c + shrink @ (points[-1] - case.c))
        slopes.append(shrink @ slopes[-1])
    return points, slopes


def test_meta_sgd():
    case, algorithm = Case(1), meta_sgd(lr=0.2, steps=STEPS)
    meta = with_rule(algorithm)
    rate = 0.2 * torch.cat([meta[RATE + f"body.{part}"] for part in PARTS])
    points, slopes = path(case, [rate] * STEPS)
    outer = case.A2 @ (points[-1] - case.c2)
    grads = found(algorithm, case, meta)
    assert close(grads["theta"], slopes[-1].T @ outer)
    shrink = EYE - torch.diag(rate) @ case.A
    by_rate = torch.zeros(5).double()
    for t in range(STEPS):  # −g_t acts through the steps that are left
        left = torch.linalg.matrix_power(shrink, STEPS - 1 - t)
        by_rate -= (case.A @ (points[t] - case.c)) * (left.T @ outer)
    assert close(torch.cat([grads[RATE + f"body.{part}"] for part in PARTS]), 0.2 * by_rate)
    assert not grads[RATE + "body.idle"].any()
    assert not grads[RATE + "head.weight"].any(), "the loss has no head"


def test_meta_curvature_of_vectors_is_meta_sgd():
    case, lr = Case(2), 0.2
    algorithm = meta_curvature(lr=lr, steps=STEPS)
    meta = with_rule(algorithm)
    meta |= {SCALE + f"body.{part}": 1 + 0.3 * draw(7, len(META[f"body.{part}"])) for part in PARTS}
    rate = lr * torch.cat([meta[SCALE + f"body.{part}"] for part in PARTS])
    points, slopes = path(case, [rate] * STEPS)
    assert close(found(algorithm, case, meta)["theta"], slopes[-1].T @ case.A2 @ (points[-1] - case.c2))


@pytest.mark.parametrize(("step", "weights"), [(0, [1 / 3, 1 / 3, 1 / 3]), (5, [1 / 6, 1 / 6, 2 / 3]), (10, [0, 0, 1])])
def test_maml_plus_plus_weighs_the_query_loss_of_every_step(step, weights):
    case, algorithm = Case(3), maml_plus_plus(lr=0.2, steps=STEPS, annealed=10, warm_up=0)
    meta = with_rule(algorithm)
    rates = [0.2 * rate for rate in rates_by_step(meta)]
    points, slopes = path(case, rates)
    outer = [case.A2 @ (point - case.c2) for point in points[1:]]
    grads = found(algorithm, case, meta, step=step)
    assert close(grads["theta"], sum(w * s.T @ g for w, s, g in zip(weights, slopes[1:], outer, strict=True)))
    last = -0.2 * (case.A @ (points[-2] - case.c)) * outer[-1] * weights[-1]  # by the last rates, which act once
    assert close(grads[RATE + "a"][-1], last[:2].sum())
    assert close(grads[RATE + "b"][-1], last[2:].sum())


def test_maml_plus_plus_warms_up_by_first_order_and_its_rates_learn():
    """φ_s = θ − Σ_{t<s} r_t∘g_t with constant g_t: ∂L/∂r_t = −Σ_{s>t} w_s ∇L_q(φ_s)∘g_t."""
    case, algorithm = Case(3), maml_plus_plus(lr=0.2, steps=STEPS, annealed=0, warm_up=4)
    meta = with_rule(algorithm)
    rates = [0.2 * rate for rate in rates_by_step(meta)]
    points, _ = path(case, rates)
    warm, then = (found(algorithm, case, meta, step=step) for step in (3, 4))
    outer = [case.A2 @ (point - case.c2) / 3 for point in points[1:]]
    assert close(warm["theta"], sum(outer))
    by_rate = [-0.2 * (case.A @ (points[t] - case.c)) * sum(outer[t:]) for t in range(STEPS)]
    assert close(warm[RATE + "a"], torch.stack([by[:2].sum() for by in by_rate]))
    assert close(warm[RATE + "b"], torch.stack([by[2:].sum() for by in by_rate]))
    assert bool(warm[RATE + "a"].all())
    for name in ("theta", RATE + "b"):
        assert not close(warm[name], then[name]), "after the warm-up the gradient is exact"
    assert close(warm[RATE + "a"][-1:], then[RATE + "a"][-1:]), "of the last step's rates first order is exact"


def test_first_order_meta_sgd():
    case, algorithm = Case(5), meta_sgd(lr=0.2, steps=STEPS, estimator="first-order")
    meta = with_rule(algorithm)
    rate = 0.2 * torch.cat([meta[RATE + f"body.{part}"] for part in PARTS])
    points, _ = path(case, [rate] * STEPS)
    outer = case.A2 @ (points[-1] - case.c2)
    grads = found(algorithm, case, meta)
    assert close(grads["theta"], outer)
    moves = sum(case.A @ (point - case.c) for point in points[:-1])
    assert close(torch.cat([grads[RATE + f"body.{part}"] for part in PARTS]), -0.2 * moves * outer)


def test_with_one_step_first_order_of_the_rates_is_exact():
    case = Case(6)
    made = [meta_sgd(lr=0.2, steps=1, estimator=name) for name in ("first-order", "unrolled")]
    meta = with_rule(made[0])
    rough, exact = (found(algorithm, case, meta) for algorithm in made)
    rates = [name for name in meta if name.startswith(RATE)]
    assert all(close(rough[name], exact[name]) for name in rates)
    assert not close(rough["theta"], exact["theta"])


def test_reml_starts_as_maml_judged_after_every_step():
    case, algorithm = Case(4), reml(lr=0.25, steps=STEPS, scope=All())
    meta = {**with_rule(algorithm), RATE + "body": torch.tensor(1.0).double()}
    points, slopes = path(case, [torch.full((5,), 0.25).double()] * STEPS)
    grads = found(algorithm, case, meta)
    assert close(
        grads["theta"], sum(s.T @ case.A2 @ (p - case.c2) for p, s in zip(points[1:], slopes[1:], strict=True))
    )
    assert bool(grads[LSTM + "out"].all()), "from zero it begins to write"
    assert not grads[LSTM + "input"].any()
    last = maml(lr=0.25, steps=STEPS)
    assert close(slopes[-1].T @ case.A2 @ (points[-1] - case.c2), found(last, case, META)["theta"])


LEARNING = {"meta-sgd": MetaSgd(), "layer-rates": LayerRates(), "curvature": Curvature(), "recurrent": Recurrent()}


@pytest.mark.parametrize("rule", [*LEARNING, "meta-network"])
@pytest.mark.parametrize("estimator", [Towards(), Implicit()], ids=lambda e: e.name)
def test_estimators_that_would_never_teach_the_rule_are_refused(rule, estimator):
    learning = LEARNING.get(rule, MetaNet())
    options = {"proximal": 1.0} if estimator.name == "implicit" else {}
    choices = GradientBased(Lora(), Prototypes(), learning, 2, estimator, **options)
    assert "would never change; use the estimator unrolled, adjoint or first-order" in str(why_not(choices))
    assert why_not(GradientBased(Lora(), Prototypes(), Momentum(), 2, estimator, **options)) is None


def test_rules_by_name():
    assert len(RULES) == 8
    assert {name: RULES[name]() for name in LEARNING} == LEARNING
    with pytest.raises(MetaglotError, match="writes LoRA weights"):
        metanet_n(scope=HeadOnly()).init(Point(), [INFO], seed=0)


def test_from_plain_values():
    made = build_algorithm("metanet-n", {"layers": 4, "hidden": 8, "scope": {"lora": {"rank": 2}}})
    assert made == metanet_n(layers=4, hidden=8, scope=Lora(rank=2))
    assert build_algorithm("maml++", {"steps": 2, "annealed": 5}).weights == (0.5, 0.5)
    assert build_algorithm("reml", {"hidden": 4}).rule == Recurrent(lr=None, head_lr=1.0, hidden=4)
