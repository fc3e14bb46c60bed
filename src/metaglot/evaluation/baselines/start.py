"""What baselines start from."""

from typing import NamedTuple

from metaglot.adaptation import Model
from metaglot.evaluation.baselines.features import Remembered


class Start(NamedTuple):
    """What baselines start from."""

    backbone: Model  # untouched
    queries: Remembered  # its features of the queries, shared by the frozen arms
    multitask: Model | None = None  # trained on all tasks jointly
