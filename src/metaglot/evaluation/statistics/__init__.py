"""Intervals, tests, effect sizes and ranks; each module says over what: draws, tasks, or both."""

from metaglot.evaluation.statistics.intervals import (
    Interval,
    Key,
    Scores,
    bootstrap_interval,
    differences,
    macro_draws,
    macro_interval,
    over_tasks,
    paired_difference,
    t_interval,
)
from metaglot.evaluation.statistics.levels import two_level
from metaglot.evaluation.statistics.paired import cohen_dz, holm, paired_t, share_won, signed_rank
from metaglot.evaluation.statistics.ranks import Ranking, cliques, critical_difference, friedman, rank_methods
from metaglot.evaluation.statistics.simulation import CoverageResult, coverage, coverage_table

__all__ = [
    "CoverageResult",
    "Interval",
    "Key",
    "Ranking",
    "Scores",
    "bootstrap_interval",
    "cliques",
    "cohen_dz",
    "coverage",
    "coverage_table",
    "critical_difference",
    "differences",
    "friedman",
    "holm",
    "macro_draws",
    "macro_interval",
    "over_tasks",
    "paired_difference",
    "paired_t",
    "rank_methods",
    "share_won",
    "signed_rank",
    "t_interval",
    "two_level",
]
