"""The fit to no example at all: of classes from their names, of other kinds from a head that their tasks share."""

from collections.abc import Iterable, Sequence

import torch

from metaglot.adaptation.checks import check_targets, listed
from metaglot.adaptation.effort import EFFORTS
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.fitting import recorded
from metaglot.adaptation.shared_head import learnt_head
from metaglot.adaptation.support import Names, class_names_of, head_of, names_as, names_given, words_by_label
from metaglot.data.arguments import check_text, check_words
from metaglot.data.labels import Label, in_order, label_text
from metaglot.data.names import names_of
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.families.classification import ClassificationFamily
from metaglot.families.family import AnyFamily
from metaglot.families.records import Schema
from metaglot.families.support_units import SupportUnits


def fit_without_examples(
    encoder: Encoder, labels: Sequence[Label] | None, names: Names | None, task: str | None
) -> Fit:
    """Return the fit to names of classes, or to a kind of task; raise MetaglotError as `Model.zero_shot` says."""
    if (labels is None) == (task is None):
        raise MetaglotError("give either the labels of classes, or the kind of task that the model is to do as it is")
    names = {} if names is None else names
    check_words("names", names, switch=False)
    if labels is None:
        return fit_nothing(encoder, family_called(check_text("task", task)))
    return fit_names(encoder, labels, names)


def fit_names(encoder: Encoder, labels: Sequence[Label], names: Names) -> Fit:
    """Return the fit to names of classes alone; raise MetaglotError where they do not tell classes apart."""
    family, effort = ClassificationFamily(), EFFORTS["instant"]
    classes = in_order(check_names(labels))
    schema = Schema(classes, (0,) * len(classes))
    class_names = class_names_of(family, schema, effort, names)
    if not class_names:
        words = names_of([label_text(label) for label in classes], names_given(names))
        wordless = [label for label, own in zip(classes, words, strict=True) if not own]
        raise MetaglotError(
            f"the label {wordless[0]!r} has no words, or the same words as another; give words, in Python as names="
            f"{{{wordless[0]!r}: 'what it is called'}}, or an example"
        )
    units = names_as(encoder, {}, family, schema, class_names)
    head, solver = head_of(encoder, family, schema, effort, units)
    given = words_by_label(classes, class_names)
    return recorded(Fit(encoder, family, schema, head, effort, 0, units, solver, given))


def fit_nothing(encoder: Encoder, family: AnyFamily) -> Fit:
    """Return the fit to no example: the learnt head; raise MetaglotError where the model has learnt none."""
    tools = family.shared
    if tools is None:
        raise MetaglotError(
            f"a task of {family.name} begins from its own labels, and is not known before there are examples; give "
            "examples, or the names of classes"
        )
    schema = Schema(tools.outputs, (0,) * len(tools.outputs))
    learnt = learnt_head(encoder, family, schema)
    if not learnt:
        raise MetaglotError(f"{encoder.name} cannot begin without examples: {tools.unlearnt}")
    spec, device = encoder.problem(family, schema).head_spec, encoder.backbone.learner.device
    none = torch.zeros(0, dtype=torch.int64, device=device)
    features, targets = (torch.zeros(0, width, device=device) for width in (spec.inputs + spec.beside, spec.outputs))
    units = SupportUnits(features, targets, none > 0, none)
    solved = tools.solve(units, schema, learnt)
    return recorded(
        Fit(encoder, family, schema, solved.params, EFFORTS["instant"], 0, units, solved.solver, paired=True)
    )


def check_names(labels: Iterable[object]) -> list[Label]:
    """Return labels in their one form; raise MetaglotError unless these are two distinct ones or more."""
    names: list[Label] = check_targets(ClassificationFamily(), listed("label", labels))
    if len(set(names)) < 2:
        raise MetaglotError(f"{len(set(names))} label given; a classifier needs at least two")
    if twice := [label for label in in_order(names) if names.count(label) > 1]:
        raise MetaglotError(f"the label {twice[0]!r} is given twice")
    return names
