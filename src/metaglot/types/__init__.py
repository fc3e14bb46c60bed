"""The nouns of metaglot.

Everything is a mapping: data become tasks, a task distribution gives episodes, an algorithm adapts a learner on
the support set of an episode and is judged on its query set.  Each noun is a frozen dataclass, a NamedTuple or a
Protocol, and each arrow between them is a pure function or an iterator.
"""

from metaglot.types.algorithm import Algorithm, Budget, Fast, MetaGrad, TraceStep
from metaglot.types.episode import Episode, TaskDistribution
from metaglot.types.learner import Embedding, Learner
from metaglot.types.objective import Objective
from metaglot.types.problem import Problem
from metaglot.types.values import (
    FEATURES,
    VOCABULARY,
    Batch,
    HeadSpec,
    Outputs,
    Params,
    Record,
    Row,
    RuleState,
    Snapshot,
    Targets,
    TaskInfo,
    Units,
)

__all__ = [
    "FEATURES",
    "VOCABULARY",
    "Algorithm",
    "Batch",
    "Budget",
    "Embedding",
    "Episode",
    "Fast",
    "HeadSpec",
    "Learner",
    "MetaGrad",
    "Objective",
    "Outputs",
    "Params",
    "Problem",
    "Record",
    "Row",
    "RuleState",
    "Snapshot",
    "Targets",
    "TaskDistribution",
    "TaskInfo",
    "TraceStep",
    "Units",
]
