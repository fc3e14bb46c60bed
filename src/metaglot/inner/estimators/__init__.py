"""Estimators: how the outer gradient of one episode is found; one file each."""

from typing import Literal

from metaglot.inner.estimators.adjoint import Adjoint
from metaglot.inner.estimators.auto import Auto
from metaglot.inner.estimators.first_order import FirstOrder
from metaglot.inner.estimators.implicit import Implicit
from metaglot.inner.estimators.parts import Estimate, Estimator, Inner
from metaglot.inner.estimators.products import ExactProduct, FiniteProduct, Product
from metaglot.inner.estimators.reptile import Towards
from metaglot.inner.estimators.unrolled import Unrolled

unrolled = Unrolled()
first_order = FirstOrder()
reptile = Towards()

EstimatorName = Literal["auto", "unrolled", "adjoint", "mixed", "finite-differences", "first-order"]
"""What algorithms that differentiate through their steps take as the option `estimator`."""

__all__ = [
    "Adjoint",
    "Auto",
    "Estimate",
    "Estimator",
    "EstimatorName",
    "ExactProduct",
    "FiniteProduct",
    "FirstOrder",
    "Implicit",
    "Inner",
    "Product",
    "Towards",
    "Unrolled",
    "first_order",
    "reptile",
    "unrolled",
]
