"""Which part of a pair a task is about: both texts, or one of them alone.

    nats(r) = Σ_i log p_r(y_i | x_i) − Σ_i log π(y_i),      p_r(c | x) ∝ π(c) exp(β s_c(x))
    gain(r) = nats(r) − max(nats(both), 0)

over examples set aside, where the scores s are those of a head in closed form that was made of the other examples and
reads r, and π is how frequent each class is.  nats(r) is 0 for a part that tells nothing.  One part alone is read where
its gain is more than one nat; where both parts gain as much, the part that gains more.  A task such as the kind of a
name within a sentence is about the name: of two texts pooled as one, most of the tokens are the sentence's.  For tasks
about how two texts agree one of them tells nothing, and both are read (docs/tuning.md).

A part is never read alone where it cannot tell the examples apart: where the same part often stands under different
labels, as a premise does that is entailed once and contradicted once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.encoder import Encoder, PairChoice
from metaglot.adaptation.support import features_of
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.families.classes.tools import ClassTools
from metaglot.families.family import AnyFamily

PAIR_CHOICES: tuple[PairChoice, ...] = get_args(PairChoice)
ENOUGH = 1.0  # nats that a part alone must gain
CONFLICTS = 0.1  # share of the examples that may stand under several labels by one part, and not by both


def reader_of(
    encoder: Encoder,
    family: AnyFamily,
    examples: Examples[Any],
    effort: Effort | AsTrained | None = None,
    *,
    reads: PairChoice | None = None,
) -> Encoder:
    """Return the encoder that reads a part of pairs: the one asked for, its own, or the one that suits the examples.

    It is the encoder itself where the examples are single texts, and where an algorithm reads what it was trained to.
    Both parts are read for kinds of tasks other than classes.  A function of the examples.
    """
    if examples.inputs.pairs is None or (reads is None and (isinstance(effort, AsTrained) or encoder.reads)):
        return encoder
    if reads is None:
        tools = family.exclusive
        gain = None if tools is None else gains_of(encoder, family, tools, examples)
        reads = "both" if gain is None else best_of(gain, conflicts_of(examples))
    return replace(encoder, reads=reads)


def check_reads(reads: object) -> None:
    """Raise MetaglotError for a part of another name."""
    if not isinstance(reads, str) or reads not in PAIR_CHOICES:
        raise MetaglotError(f"reads {reads!r:.60}: expected one of {', '.join(PAIR_CHOICES)}")


def gains_of(
    encoder: Encoder, family: AnyFamily, tools: ClassTools, examples: Examples[Any]
) -> dict[PairChoice, float]:
    """Return by how many nats either part alone tells examples set aside better than both do, and than chance does."""
    schema = family.schema(examples.targets)
    numbers, count = family.tensor(examples.targets, schema), len(schema.outputs)
    rows = {part: features_of(replace(encoder, reads=part), {}, examples.inputs, numbers) for part in PAIR_CHOICES}
    return gains({part: tools.over_chance(rows[part], count, encoder.metric) for part in PAIR_CHOICES})


def gains(nats: Mapping[PairChoice, float]) -> dict[PairChoice, float]:
    """Return the gain of either part alone from `ClassTools.over_chance` of all three."""
    usual = max(nats["both"], 0.0)
    return {"first": nats["first"] - usual, "second": nats["second"] - usual}


def conflicts_of(examples: Examples[Any]) -> dict[PairChoice, float]:
    """Return which share of the examples stands under several labels by either part, and does not so by both."""
    inputs, labels = examples.inputs, examples.targets
    parts = inputs, Inputs(inputs.texts), Inputs(inputs.pairs or ())
    whole, first, second = (_conflicting(part.folded(), labels) for part in parts)
    return {"first": (first - whole) / len(labels), "second": (second - whole) / len(labels)}


def best_of(gain: Mapping[PairChoice, float], conflicts: Mapping[PairChoice, float]) -> PairChoice:
    """Return the part to read, from `gains` and `conflicts_of`."""
    enough: list[PairChoice] = [part for part in gain if gain[part] > ENOUGH and conflicts[part] < CONFLICTS]
    return max(enough, key=lambda part: gain[part]) if enough else "both"


def _conflicting(parts: Sequence[str], labels: Sequence[Any]) -> int:
    """Return how many examples have a part that another example has under another label."""
    labels_by_text: dict[str, set[Any]] = {}
    for part, label in zip(parts, labels, strict=True):
        labels_by_text.setdefault(part, set()).add(label)
    return sum(len(labels_by_text[part]) > 1 for part in parts)
