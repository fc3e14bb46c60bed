"""State and examples become an adapted model: predict, add examples, save, load."""

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.choice import Choice
from metaglot.adaptation.effort import AS_TRAINED, AUTO, EFFORTS, AsTrained, Effort
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.face import adapt_until, load_any
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.model import Model, load_model
from metaglot.families.classes.expected import Expected
from metaglot.families.classes.explanation import Evidence, Explanation

__all__ = [
    "AS_TRAINED",
    "AUTO",
    "EFFORTS",
    "Adapted",
    "AsTrained",
    "Choice",
    "Effort",
    "Encoder",
    "Evidence",
    "Expected",
    "Explanation",
    "Fit",
    "Model",
    "adapt_until",
    "load_any",
    "load_model",
]
