"""Every meta-learner by name: short files that fix scope, head, rule and estimator."""

from metaglot.algorithms.build import AnyAlgorithm, adapting, build_algorithm
from metaglot.algorithms.cotrained import CoTrained
from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.joint import Joint
from metaglot.algorithms.sequential_reptile import SequentialReptile
from metaglot.algorithms.why_not import why_not

__all__ = [
    "AnyAlgorithm",
    "CoTrained",
    "GradientBased",
    "Joint",
    "SequentialReptile",
    "adapting",
    "build_algorithm",
    "why_not",
]
