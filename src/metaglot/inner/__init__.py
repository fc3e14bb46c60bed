"""The inner loop as a function of its start point; update rules; estimators of the outer gradient."""

from metaglot.inner.adam import Adam
from metaglot.inner.curvature import Curvature
from metaglot.inner.estimators import (
    Adjoint,
    Auto,
    Estimator,
    EstimatorName,
    FiniteProduct,
    FirstOrder,
    Implicit,
    Inner,
    Towards,
    Unrolled,
    first_order,
    reptile,
    unrolled,
)
from metaglot.inner.estimators.parts import leaves_of
from metaglot.inner.layer_rates import LayerRates
from metaglot.inner.loop import InnerLoop, gradients
from metaglot.inner.meta_sgd import MetaSgd
from metaglot.inner.metanet import MetaNet
from metaglot.inner.momentum import Momentum
from metaglot.inner.recurrent import Recurrent
from metaglot.inner.rule import Rule
from metaglot.inner.sgd import Sgd

__all__ = [
    "Adam",
    "Adjoint",
    "Auto",
    "Curvature",
    "Estimator",
    "EstimatorName",
    "FiniteProduct",
    "FirstOrder",
    "Implicit",
    "Inner",
    "InnerLoop",
    "LayerRates",
    "MetaNet",
    "MetaSgd",
    "Momentum",
    "Recurrent",
    "Rule",
    "Sgd",
    "Towards",
    "Unrolled",
    "first_order",
    "gradients",
    "leaves_of",
    "reptile",
    "unrolled",
]
