"""The inner loop as a function of its start point; update rules; estimators of the outer gradient."""

from metaglot.inner.adam import Adam
from metaglot.inner.estimators import (
    ESTIMATORS,
    Adjoint,
    Estimator,
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
from metaglot.inner.loop import InnerLoop, gradients
from metaglot.inner.rule import Rule
from metaglot.inner.sgd import Sgd

__all__ = [
    "ESTIMATORS",
    "Adam",
    "Adjoint",
    "Estimator",
    "FiniteProduct",
    "FirstOrder",
    "Implicit",
    "Inner",
    "InnerLoop",
    "Rule",
    "Sgd",
    "Towards",
    "Unrolled",
    "first_order",
    "gradients",
    "reptile",
    "unrolled",
]
