"""The models that baselines start from."""

from typing import NamedTuple

from metaglot.adaptation import Model
from metaglot.evaluation.baselines.features import FeatureCache


class Start(NamedTuple):
    """The models that baselines start from."""

    backbone: Model  # untouched
    queries: FeatureCache  # its features of the queries, shared by the frozen baselines
    multitask: Model | None = None  # trained on all tasks jointly
