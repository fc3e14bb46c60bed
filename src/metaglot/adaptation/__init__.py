"""State and examples become an adapted model: predict, add examples, save, load."""

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.choice import Choice
from metaglot.adaptation.effort import AS_TRAINED, AUTO, EFFORTS, AsTrained, Effort
from metaglot.adaptation.expected import Expected
from metaglot.adaptation.explanation import Evidence, Explanation
from metaglot.adaptation.loading import load_any
from metaglot.adaptation.model import Model
from metaglot.adaptation.model_folders import load_model

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
