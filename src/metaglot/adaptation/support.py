"""What an adaptation is made from: features of examples and of names, the rows of gradient steps, and the head."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.encoder import Encoder
from metaglot.data.examples import Inputs
from metaglot.data.labels import Label, label_text, normal
from metaglot.data.names import names_of
from metaglot.errors import MetaglotError
from metaglot.families.class_heads import Solver, blend, prototypes, solver_of
from metaglot.families.support_units import SupportUnits, support_units
from metaglot.models.heads import LOG_SCALE, prototype_layer
from metaglot.types import Batch, Params

MOST_OFTEN = 8  # times that an example of a rare class stands among those of gradient steps
Names = bool | Mapping[str, str] | Mapping[Label, str]
"""Whether names of classes help to learn them, where they say something; or words for labels that say nothing."""


class Support(NamedTuple):
    """Inputs, their classes by number, and the names of classes that count as examples."""

    inputs: Inputs
    numbers: Sequence[int]
    class_names: Mapping[int, str]

    def units(self, encoder: Encoder, moved: Params) -> SupportUnits:
        """Return the features of examples and names, with the parameters that adaptation moved."""
        return features_of(encoder, moved, self.inputs, self.numbers).plus(names_as(encoder, moved, self.class_names))

    def batch(self, encoder: Encoder) -> Batch:
        """Return the rows for gradient steps, names among them, rare classes several times."""
        rows = evened([*self.numbers, *self.class_names])
        numbers = [*self.numbers, *self.class_names]
        inputs = self.inputs.plus(Inputs(tuple(self.class_names.values()))) if self.class_names else self.inputs
        return encoder.collate(inputs.at(rows), [numbers[row] for row in rows])


def class_names_of(classes: Sequence[Label], effort: Effort | AsTrained, names: Names) -> dict[int, str]:
    """Return the name of each class by its number; none unless every class has one, so that none is favoured."""
    labels = [label_text(label) for label in classes]
    given = names_given(names)
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


def features_of(encoder: Encoder, moved: Params, inputs: Inputs, numbers: Sequence[int]) -> SupportUnits:
    """Return the features of examples, with the parameters that adaptation moved."""
    features = encoder.features({**encoder.meta, **moved}, inputs)
    return support_units(features, torch.tensor(numbers, device=features.device), is_class_name=False)


def names_as(encoder: Encoder, moved: Params, class_names: Mapping[int, str]) -> SupportUnits:
    """Return the features of the classes' names."""
    device = encoder.backbone.learner.device
    if not class_names:
        empty = torch.zeros(0, encoder.backbone.learner.hidden_size, device=device)
        return support_units(empty, torch.zeros(0, dtype=torch.long, device=device), is_class_name=True)
    features = encoder.features({**encoder.meta, **moved}, Inputs(tuple(class_names.values())))
    return support_units(features, torch.tensor(list(class_names), device=device), is_class_name=True)


def head_of(
    encoder: Encoder, effort: Effort | AsTrained, units: SupportUnits, classes: int
) -> tuple[dict[str, Tensor], Solver]:
    """Return the head that an effort in closed form makes, and how it was solved for."""
    if effort.head == "blend":
        solver, beta = solver_of(units, classes, encoder.metric)
        return blend(units, classes, encoder.metric, solver=solver, beta=beta), solver
    scale = encoder.meta[LOG_SCALE].exp() if LOG_SCALE in encoder.meta else units.features.new_tensor(10.0)
    return prototype_layer(prototypes(units, classes).float(), scale, encoder.metric), "ridge"


def evened(numbers: Sequence[int]) -> list[int]:
    """Return the rows for gradient steps: those of rare classes several times, so that no class is drowned."""
    members: dict[int, list[int]] = {}
    for row, number in enumerate(numbers):
        members.setdefault(number, []).append(row)
    most = max(map(len, members.values()))
    again = {number: min(MOST_OFTEN, max(1, round(most / len(rows)))) for number, rows in members.items()}
    return [row for row, number in enumerate(numbers) for _ in range(again[number])]
