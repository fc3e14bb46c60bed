"""The model card of an adaptation, as Markdown."""

from metaglot.adaptation.effort import AsTrained
from metaglot.adaptation.fit import Fit


def model_card(fit: Fit) -> str:
    """Return a README for the folder: what it is, what it was made from, how to use it."""
    facts = fit.provenance
    description = fit.family.described(fit.schema)
    rows = "\n".join(f"| {_cell(name)} | {value} |" for name, value in description.rows)
    trained_on = facts.get("meta_training", {}).get("data", [])
    sets = ", ".join(trained_on) if trained_on else "no labelled sets (untouched backbone)"
    versions = ", ".join(f"{name} {version}" for name, version in facts.get("versions", {}).items())
    return f"""---
library_name: metaglot
pipeline_tag: {description.tag}
base_model: {facts.get("base", fit.encoder.backbone.name)}
---

# {description.title}

Adapted from `{facts.get("model", fit.encoder.name)}` with {fit.count} examples.

| {description.columns[0]} | {description.columns[1]} |
|---|---|
{rows}

- base: {facts.get("base", "?")}
- meta-trained on: {sets}
- effort: {_effort(fit)}{_why(fit)}; seed {fit.seed}
{_head_facts(fit)}{_feature_facts(fit)}- SHA-256 of the examples: {facts.get("data_sha256", "?")}
- made with {versions}

```python
from metaglot import Adapted
Adapted.load("this/folder").predict(["a text"])
```

{description.limits}
"""


def _head_facts(fit: Fit) -> str:
    return _names(fit) + _reads(fit) + _solver(fit)


def _names(fit: Fit) -> str:
    named = not isinstance(fit.class_names, bool)
    return "- the name of each class stood beside its examples as one more\n" if named else ""


def _reads(fit: Fit) -> str:
    part = fit.pair_choice
    if part == "apart":
        return "- it reads two texts together and apart, and learns too from how they differ and how alike they are\n"
    return "" if part in (None, "both") else f"- of two texts it reads the {part} alone\n"


def _solver(fit: Fit) -> str:
    return (
        "- the head is logistic regression, better on examples set aside\n"
        if fit.family.exclusive and fit.solver == "logistic"
        else ""
    )


def _feature_facts(fit: Fit) -> str:
    if fit.units is None:
        return ""
    return f"- weights.safetensors holds a feature vector of each example (width {fit.units.features.shape[1]})\n"


def _effort(fit: Fit) -> str:
    steps = f"{fit.effort.steps} gradient steps"
    return f"as meta-trained, by {fit.effort.algorithm} ({steps})" if isinstance(fit.effort, AsTrained) else steps


def _why(fit: Fit) -> str:
    if fit.choice is None:
        return ""
    expected = fit.choice.expected
    return f" (chosen: {fit.choice.reason})" + (f"\n- {expected.sentence()}" if expected else "")


def _cell(label: str) -> str:
    return " ".join(label.split()).replace("|", "\\|")
