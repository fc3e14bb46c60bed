"""Estimators: how the outer gradient of one episode is found; one file each, and one dict."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from metaglot.inner.estimators.adjoint import Adjoint
from metaglot.inner.estimators.first_order import FirstOrder
from metaglot.inner.estimators.implicit import Implicit
from metaglot.inner.estimators.parts import Estimate, Estimator, Inner
from metaglot.inner.estimators.products import ExactProduct, FiniteProduct, Product
from metaglot.inner.estimators.reptile import Towards
from metaglot.inner.estimators.unrolled import Unrolled

unrolled = Unrolled()
first_order = FirstOrder()
reptile = Towards()

ESTIMATORS: Mapping[str, Callable[[], Estimator]] = MappingProxyType(
    {
        "unrolled": Unrolled,
        "adjoint": Adjoint,
        "mixed": lambda: Adjoint(keep=2),
        "finite-differences": lambda: Adjoint(product=FiniteProduct()),
        "first-order": FirstOrder,
        "reptile": Towards,
        "implicit": Implicit,
    }
)

__all__ = [
    "ESTIMATORS",
    "Adjoint",
    "Estimate",
    "Estimator",
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
