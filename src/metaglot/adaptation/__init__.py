"""State and examples become an adapted model: predict, add examples, save, load."""

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.auto import Choice
from metaglot.adaptation.effort import AS_TRAINED, AUTO, EFFORTS, AsTrained, Effort
from metaglot.adaptation.expected import Expected
from metaglot.adaptation.explanation import Evidence, Explanation
from metaglot.adaptation.load import load_model
from metaglot.adaptation.loading import load_any
from metaglot.adaptation.model import Model

__all__ = [
    "AS_TRAINED",
    "AUTO",
    "EFFORTS",
    "Adapted",
    "AsTrained",
    "Choice",
    "Effort",
    "Evidence",
    "Expected",
    "Explanation",
    "Model",
    "load_any",
    "load_model",
]
