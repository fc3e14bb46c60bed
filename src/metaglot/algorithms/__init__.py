"""Every meta-learner by name: short files that fix scope, head, rule and estimator."""

from metaglot.algorithms.build import ALGORITHMS, build_algorithm
from metaglot.algorithms.gradient_based import GradientBased, why_not
from metaglot.algorithms.joint import Joint

__all__ = ["ALGORITHMS", "GradientBased", "Joint", "build_algorithm", "why_not"]
