"""What of a pair is read: both texts in one pass, one of them alone, or both in one pass and apart.

    nats(r) = Σ_i log p_r(y_i | x_i) − Σ_i log π(y_i),      p_r(c | x) ∝ π(c) exp(β s_c(x))
    gain(r) = nats(r) − max(nats(both), nats(apart), 0)

over examples set aside, where the scores s are those of a head in closed form that was made of the other examples and
reads r, and π is how frequent each class is.  nats(r) is 0 for a part that tells nothing.  One part alone is read where
its gain is more than one nat; where both parts gain as much, the part that gains more.  A task such as the kind of a
name within a sentence is about the name: of two texts pooled as one, most of the tokens are the sentence's.  For tasks
about how two texts agree one of them tells nothing, and both are read (docs/tuning.md): apart, as `pair_features.py`
says, where nats(apart) is more than nats(both) or nats(both) is below 0, and in one pass else.  What two texts say
together is in the features of one pass after few examples; how they agree is not, so that a pass that tells less than
nothing is a sign of such a task (docs/results/pairs.md).

A part is never read alone where it cannot tell the examples apart: where the same part often stands under different
labels, as a premise does that is entailed once and contradicted once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, get_args

from metaglot.adaptation.effort import AsTrained, Effort, usual_effort
from metaglot.adaptation.encoder import Encoder, PairChoice
from metaglot.adaptation.support import features_of
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.families.classes.tools import ClassTools
from metaglot.families.family import AnyFamily

PAIR_CHOICES: tuple[PairChoice, ...] = get_args(PairChoice)
PARTS: tuple[PairChoice, ...] = ("both", "first", "second")  # what one pass may read
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
    """Return the encoder that reads of pairs what is asked for, its own choice, or what suits the examples.

    It is the encoder itself where the examples are single texts, and where an algorithm reads what it was trained to.
    Both parts are read in one pass for kinds of tasks other than classes.  A function of the examples.  Raises
    MetaglotError where texts are to be read apart and the head that stays is not made in closed form.
    """
    if examples.inputs.pairs is None:
        return encoder
    asked = reads or encoder.reads
    if asked in ("first", "second") and family.tokens is not None:
        raise MetaglotError(
            f"reads={asked!r} is not for a task of {family.name}, which reads both in its own way; leave reads out"
        )
    if "apart" in (reads, encoder.reads):
        _check_apart(family, effort)
    if reads is None and (isinstance(effort, AsTrained) or encoder.reads):
        return encoder
    if reads is None:
        tools = family.exclusive
        reads = "both" if tools is None else _best(encoder, family, tools, examples, effort)
    return replace(encoder, reads=reads)


def usual_reader(
    encoder: Encoder, family: AnyFamily, examples: Examples[Any], *, reads: PairChoice | None = None
) -> tuple[Encoder, str]:
    """Return what reads the examples, and the name of the effort that they get where none is named.

    It has no steps where texts are read apart, since these read them in one pass and cost 4 points
    (docs/results/pairs.md).
    """
    usual = usual_effort(family)
    if examples.inputs.pairs is None or usual == "instant":
        return encoder, usual
    reader = reader_of(encoder, family, examples, reads=reads)
    return reader, "instant" if reader.reads == "apart" else usual


def _best(
    encoder: Encoder,
    family: AnyFamily,
    tools: ClassTools,
    examples: Examples[Any],
    effort: Effort | AsTrained | None,
) -> PairChoice:
    nats = nats_of(encoder, family, tools, examples)
    if not _takes_apart(effort):
        del nats["apart"]
    return best_of(nats, conflicts_of(examples))


def _takes_apart(effort: Effort | AsTrained | None) -> bool:
    """Whether the head that stays is made in closed form; None is an effort that is still to be chosen."""
    return effort is None or (isinstance(effort, Effort) and effort.head == "blend")


def _check_apart(family: AnyFamily, effort: Effort | AsTrained | None) -> None:
    own = family.tokens is not None or family.shared is not None  # it reads texts in its own way
    if own or not _takes_apart(effort):
        what = f"a task of {family.name}" if own else "an effort that keeps the head of its steps"
        way = "leave reads out" if own else "read 'both', 'first' or 'second'"
        raise MetaglotError(f"reads='apart' is not for {what}: the texts are read in one pass there; {way}")


def check_reads(reads: object) -> None:
    """Raise MetaglotError for a part of another name."""
    if not isinstance(reads, str) or reads not in PAIR_CHOICES:
        raise MetaglotError(f"reads {reads!r:.60}: expected one of {', '.join(PAIR_CHOICES)}")


def nats_of(encoder: Encoder, family: AnyFamily, tools: ClassTools, examples: Examples[Any]) -> dict[PairChoice, float]:
    """Return by how many nats each way to read tells examples set aside better than chance does."""
    schema = family.schema(examples.targets)
    numbers, count = family.tensor(examples.targets, schema), len(schema.outputs)
    rows = {way: features_of(replace(encoder, reads=way), {}, examples.inputs, numbers) for way in PARTS}
    apart = encoder.apart(examples.inputs, *(rows[part].features for part in PARTS))
    rows["apart"] = rows["both"]._replace(features=apart)
    return {way: tools.over_chance(rows[way], count, encoder.metric) for way in PAIR_CHOICES}


def gains(nats: Mapping[PairChoice, float]) -> dict[PairChoice, float]:
    """Return the gain of either part alone from `nats_of`; apart may be missing there."""
    usual = max(nats["both"], nats.get("apart", 0.0), 0.0)
    return {"first": nats["first"] - usual, "second": nats["second"] - usual}


def conflicts_of(examples: Examples[Any]) -> dict[PairChoice, float]:
    """Return which share of the examples stands under several labels by either part, and does not so by both."""
    inputs, labels = examples.inputs, examples.targets
    parts = inputs, Inputs(inputs.texts), Inputs(inputs.pairs or ())
    whole, first, second = (_conflicting(part.folded(), labels) for part in parts)
    return {"first": (first - whole) / len(labels), "second": (second - whole) / len(labels)}


def best_of(nats: Mapping[PairChoice, float], conflicts: Mapping[PairChoice, float]) -> PairChoice:
    """Return what to read, from `nats_of` and `conflicts_of`."""
    gain = gains(nats)
    enough: list[PairChoice] = [part for part in gain if gain[part] > ENOUGH and conflicts[part] < CONFLICTS]
    if enough:
        return max(enough, key=lambda part: gain[part])
    return "apart" if "apart" in nats and (nats["both"] < 0 or nats["apart"] > nats["both"]) else "both"


def _conflicting(parts: Sequence[str], labels: Sequence[Any]) -> int:
    """Return how many examples have a part that another example has under another label."""
    labels_by_text: dict[str, set[Any]] = {}
    for part, label in zip(parts, labels, strict=True):
        labels_by_text.setdefault(part, set()).add(label)
    return sum(len(labels_by_text[part]) > 1 for part in parts)
