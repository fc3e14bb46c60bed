"""The model card of an adaptation, as Markdown."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from metaglot.adaptation.expected import Expected
from metaglot.data.labels import label_text

if TYPE_CHECKING:
    from metaglot.adaptation.adapted import Adapted


def model_card(adapted: "Adapted") -> str:
    """Return a README for the folder: what it is, what it was made from, how to use it."""
    facts = adapted.provenance
    classes = "\n".join(
        f"| {_cell(label_text(label))} | {n} |" for label, n in zip(adapted.labels, adapted.counts, strict=True)
    )
    trained_on = facts.get("meta_training", {}).get("data", [])
    sets = ", ".join(trained_on) if trained_on else "no labelled sets (untouched backbone)"
    versions = ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items())
    return f"""---
library_name: metaglot
pipeline_tag: text-classification
base_model: {facts.get("base", adapted.model.backbone.name)}
---

# A text classifier with {len(adapted.labels)} classes

Adapted from `{facts.get("model", adapted.model.name)}` with {sum(adapted.counts)} examples.

| class | examples |
|---|---|
{classes}

- base: {facts.get("base", "?")}
- meta-trained on: {sets}
- effort: {_effort(adapted)}{_why(facts)}; seed {adapted.seed}
{_found(adapted)}{_known(adapted)}- SHA-256 of the examples: {facts.get("data_sha256", "?")}
- made with {versions}

```python
from metaglot import Adapted
Adapted.load("this/folder").predict(["a text"])
```

It knows only the classes above and gives every text one of them.
"""


def _found(adapted: "Adapted") -> str:
    return _names(adapted.provenance) + _reads(adapted.provenance) + _solver(adapted)


def _names(facts: Mapping[str, Any]) -> str:
    names = facts.get("names")
    return "- the name of each class stood beside its examples as one more\n" if names else ""


def _reads(facts: Mapping[str, Any]) -> str:
    part = facts.get("reads", "both")
    return "" if part == "both" else f"- of two texts it reads the {part} alone\n"


def _solver(adapted: "Adapted") -> str:
    return "- the head is logistic regression, better on examples set aside\n" if adapted.solver == "logistic" else ""


def _known(adapted: "Adapted") -> str:
    if adapted.known is None:
        return ""
    return f"- weights.safetensors holds a feature vector of each example (width {adapted.known.features.shape[1]})\n"


def _effort(adapted: "Adapted") -> str:
    steps = f"{adapted.effort.steps} gradient steps"
    algorithm = getattr(adapted.effort, "algorithm", None)
    return steps if algorithm is None else f"as meta-trained, by {algorithm} ({steps})"


def _why(facts: Mapping[str, Any]) -> str:
    choice = facts.get("choice")
    if not choice:
        return ""
    found = choice.get("expected")
    return f" (chosen: {choice['reason']})" + (f"\n- {Expected(**found).said()}" if found else "")


def _cell(label: str) -> str:
    return " ".join(label.split()).replace("|", "\\|")
