"""What an adaptation is made from: features of examples and of names, the rows of gradient steps, and the head."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from torch import Tensor

from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.shared_head import solved_head
from metaglot.adaptation.token_units import token_units, window_batch, windows_of
from metaglot.adaptation.writing import rows_to_learn
from metaglot.data.examples import Examples, Inputs
from metaglot.data.labels import Label, label_text, normal
from metaglot.data.names import names_of
from metaglot.errors import MetaglotError
from metaglot.families.family import AnyFamily
from metaglot.families.records import Schema, Solved
from metaglot.families.support_units import SupportUnits, support_units
from metaglot.models.heads import LOG_SCALE
from metaglot.types import Batch, Params

MOST_OFTEN = 8  # times that an example of a rare class stands among those of gradient steps
Names = bool | Mapping[str, str] | Mapping[Label, str]
"""Whether names of classes help to learn them, if they are words; or words for labels that are none."""


class Support(NamedTuple):
    """Examples of a kind of task, and the names of outputs that count as examples."""

    family: AnyFamily
    schema: Schema
    examples: Examples[Any]
    class_names: Mapping[int, str]

    def units(self, encoder: Encoder, moved: Params) -> SupportUnits:
        """Return the features of examples and names, with the parameters that adaptation moved."""
        units = units_of(encoder, moved, self.family, self.schema, self.examples)
        return with_names(units, encoder, moved, self.family, self.schema, self.class_names)

    def batch(self, encoder: Encoder) -> Batch:
        """Return the rows for gradient steps, names among them, rare strata several times."""
        alone = [self.family.alone(self.schema.outputs[c]) for c in self.class_names]
        if self.family.writes is not None:
            return rows_to_learn(encoder, self.family, self.family.writes, self.schema, self.examples)
        targets, inputs = [*self.examples.targets, *alone], self.examples.inputs
        if self.class_names:
            inputs = inputs.plus(Inputs(tuple(self.class_names.values())))
        rows = evened(self.family.strata(targets))
        if (tools := self.family.tokens) is not None:
            cut = windows_of(encoder, tools, inputs.at(rows))
            return window_batch(encoder, self.family, tools, self.schema, cut, [targets[row] for row in rows])
        objective = self.family.objective(self.schema, encoder.pad_token_id)
        return encoder.batch(objective, inputs.at(rows), [self.family.row(targets[row], self.schema) for row in rows])


def class_names_of(family: AnyFamily, schema: Schema, effort: Effort | AsTrained, names: Names) -> dict[int, str]:
    """Return the name of each output by its number; none unless every one has a name, so that none is favoured."""
    labels, given = [label_text(label) for label in schema.outputs], names_given(names)
    if schema.outputs and family.alone(schema.outputs[0]) is None:
        if given:
            raise MetaglotError(
                f"names has words for {next(iter(given))!r}; a task of {family.name} has no names to give"
            )
        return {}
    if unknown := sorted(set(given) - set(labels)):
        raise MetaglotError(
            f"names has words for {unknown[0]!r}, which is no label of the examples; they have {', '.join(labels[:20])}"
        )
    if not effort.names or names is False:
        return {}
    words = names_of(labels, given)
    return dict(enumerate(words)) if all(words) else {}


def names_given(names: Names) -> dict[str, str]:
    """Return the words that were given for labels, by what the labels read as."""
    given = names.items() if isinstance(names, Mapping) else ()
    return {(normal(label) or "") if isinstance(label, str) else label_text(label): words for label, words in given}


def words_by_label(classes: Sequence[Label], class_names: Mapping[int, str]) -> dict[str, str]:
    """Return the words of each class by its label, as JSON has it."""
    return {label_text(classes[c]): words for c, words in class_names.items()}


def units_of(
    encoder: Encoder, moved: Params, family: AnyFamily, schema: Schema, examples: Examples[Any]
) -> SupportUnits:
    """Return the units of examples, with the parameters that moved: the texts themselves, or what stands in them."""
    if (tools := family.tokens) is not None:
        return token_units(encoder, moved, family, tools, schema, examples.inputs, examples.targets).units
    return features_of(encoder, moved, examples.inputs, family.tensor(examples.targets, schema))


def features_of(encoder: Encoder, moved: Params, inputs: Inputs, targets: Tensor) -> SupportUnits:
    """Return the features of examples with their targets (`Family.tensor`), with the parameters that moved."""
    features = encoder.features({**encoder.meta, **moved}, inputs)
    return support_units(features, targets.to(features.device), is_class_name=False)


def with_names(
    units: SupportUnits,
    encoder: Encoder,
    moved: Params,
    family: AnyFamily,
    schema: Schema,
    class_names: Mapping[int, str],
) -> SupportUnits:
    """Return the units, and after them the features of the names of outputs."""
    return units.plus(names_as(encoder, moved, family, schema, class_names)) if class_names else units


def names_as(
    encoder: Encoder, moved: Params, family: AnyFamily, schema: Schema, class_names: Mapping[int, str]
) -> SupportUnits:
    """Return the features of the names of outputs, of which there is one at least."""
    targets = family.tensor([family.alone(schema.outputs[c]) for c in class_names], schema)
    features = encoder.features({**encoder.meta, **moved}, Inputs(tuple(class_names.values())))
    return support_units(features, targets.to(features.device), is_class_name=True)


def head_of(
    encoder: Encoder, family: AnyFamily, schema: Schema, effort: Effort | AsTrained, units: SupportUnits
) -> Solved:
    """Return the head that an effort in closed form makes; raise MetaglotError for prototypes of what is no class."""
    if family.shared is not None:
        return solved_head(encoder, family, family.shared, schema, units)
    if effort.head == "blend":
        return family.solve(units, schema, encoder.metric)
    tools = family.exclusive
    if tools is None:
        raise MetaglotError(f"prototypes are means of classes, which a task of {family.name} has none of; use instant")
    scale = encoder.meta[LOG_SCALE].exp() if LOG_SCALE in encoder.meta else units.features.new_tensor(10.0)
    return Solved(tools.prototypes(units, len(schema.outputs), encoder.metric, scale), "ridge")


def evened(strata: Sequence[str]) -> list[int]:
    """Return the rows for gradient steps: those of rare strata (classes) several times, so that none is drowned."""
    members: dict[str, list[int]] = {}
    for row, stratum in enumerate(strata):
        members.setdefault(stratum, []).append(row)
    most = max(map(len, members.values()))
    again = {stratum: min(MOST_OFTEN, max(1, round(most / len(rows)))) for stratum, rows in members.items()}
    return [row for row, stratum in enumerate(strata) for _ in range(again[stratum])]
