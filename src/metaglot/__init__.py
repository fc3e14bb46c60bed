"""metaglot: language models that learn a new text task from a handful of examples.

import metaglot as mg
model = mg.load("builtin:mini")
adapted = model.adapt(texts, labels)
adapted.predict(["a new text"])
"""

import typing as _typing

from metaglot.choices import Choices as _Choices
from metaglot.errors import MetaglotError
from metaglot.loading import load
from metaglot.version import __version__

if _typing.TYPE_CHECKING:
    from metaglot.adaptation import Adapted, Effort, Evidence, Expected, Explanation, Model, adapt_until
    from metaglot.data.answers import Answer
    from metaglot.data.candidates import Candidates, Choice
    from metaglot.data.spans import Span
    from metaglot.data.texts import Pairs
    from metaglot.decoding import Decoding
    from metaglot.families.records import Predictions
    from metaglot.sklearn import FewShotClassifier

__all__ = [
    "Adapted",
    "Answer",
    "Candidates",
    "Choice",
    "Decoding",
    "Effort",
    "Evidence",
    "Expected",
    "Explanation",
    "FewShotClassifier",
    "MetaglotError",
    "Model",
    "Pairs",
    "Predictions",
    "Span",
    "__version__",
    "adapt_until",
    "load",
]

_LAZY: _Choices[_typing.Any] = _Choices(
    {
        "Adapted": "metaglot.adaptation:Adapted",
        "Answer": "metaglot.data.answers:Answer",
        "Candidates": "metaglot.data.candidates:Candidates",
        "Choice": "metaglot.data.candidates:Choice",
        "Decoding": "metaglot.decoding:Decoding",
        "Effort": "metaglot.adaptation:Effort",
        "Evidence": "metaglot.adaptation:Evidence",
        "Expected": "metaglot.adaptation:Expected",
        "Explanation": "metaglot.adaptation:Explanation",
        "FewShotClassifier": "metaglot.sklearn:FewShotClassifier",
        "Model": "metaglot.adaptation:Model",
        "Pairs": "metaglot.data.texts:Pairs",
        "Predictions": "metaglot.families.records:Predictions",
        "Span": "metaglot.data.spans:Span",
        "adapt_until": "metaglot.adaptation:adapt_until",
    }
)


def __getattr__(name: str) -> _typing.Any:
    """Return a public name whose module, and torch with it, is imported at its first use."""
    if name in _LAZY:
        return _LAZY[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
