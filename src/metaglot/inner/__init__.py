"""The inner loop as a function of its start point; update rules; estimators of the outer gradient."""

from metaglot.inner.adam import Adam
from metaglot.inner.estimators import ESTIMATORS, Estimator, Inner, first_order, reptile, unrolled
from metaglot.inner.loop import InnerLoop, gradients
from metaglot.inner.rule import Rule
from metaglot.inner.sgd import Sgd

__all__ = [
    "ESTIMATORS",
    "Adam",
    "Estimator",
    "Inner",
    "InnerLoop",
    "Rule",
    "Sgd",
    "first_order",
    "gradients",
    "reptile",
    "unrolled",
]
