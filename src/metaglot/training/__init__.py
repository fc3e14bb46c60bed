"""Meta-training: a generator loop, its state, and a run on disk."""

from metaglot.training.combine import COMBINES
from metaglot.training.loop import Optimisation, train
from metaglot.training.run import Event, Plan, run
from metaglot.training.state import State, initial_state
from metaglot.training.validation import Goal, Validation, validate

__all__ = [
    "COMBINES",
    "Event",
    "Goal",
    "Optimisation",
    "Plan",
    "State",
    "Validation",
    "initial_state",
    "run",
    "train",
    "validate",
]
