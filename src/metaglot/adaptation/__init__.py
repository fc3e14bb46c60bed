"""State and examples become an adapted model: predict, add examples, save, load."""

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.effort import EFFORTS, Effort
from metaglot.adaptation.model import Model, load_model

__all__ = ["EFFORTS", "Adapted", "Effort", "Model", "load_model"]
