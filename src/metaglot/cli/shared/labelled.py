"""Reads the examples of a file for learning, by the kind of the task, with notes on them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from metaglot.choices import FAMILIES
from metaglot.cli.shared.checks import example_notes, text_notes
from metaglot.cli.shared.texts import (
    check_label_column,
    complete_targets,
    cut_note,
    labels_of,
    read_file,
    texts_of,
    train_rows,
)
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.adaptation import Model
    from metaglot.data.target_facts import Facts


class LabelledExamples(NamedTuple):
    """Examples of a kind of task."""

    task: str  # a key of `choices.FAMILIES`
    examples: Examples[Any]
    notes: list[str]


def read_labelled(file: Path, columns: str | None, encoding: str | None, task: str | None) -> LabelledExamples:
    """Return the examples of a file; where it has a split `train`, only these rows.

    Where `task` is None, the labels decide the kind of the task.  Raises MetaglotError that names the file for a row
    without a target, for a wrong label, and where all texts are empty.
    """
    from metaglot.data.form import answered
    from metaglot.data.labels import table_notes
    from metaglot.data.task_kind import task_of
    from metaglot.data.texts import check_not_all_empty

    table = read_file(file, columns, encoding, task=task)
    kind = task or task_of(table)
    table, left_out = train_rows(answered(table))
    inputs = texts_of(table)
    facts = facts_of(table, file, kind)
    targets = labels_of(table, file) if facts is None else complete_targets(facts.targets, table, file)
    try:
        check_not_all_empty(inputs.texts, inputs.pairs)
    except MetaglotError as error:
        raise MetaglotError(f"{file}: {error}") from error
    split_note = f"{left_out} rows are left out, since their split is not train; without that column all rows are used"
    labels = table["label"].to_pylist()
    notes = example_notes(inputs.texts, labels, inputs.pairs) if facts is None else _notes(facts, labels, inputs)
    return LabelledExamples(
        kind, Examples(inputs, tuple(targets)), [*([split_note] if left_out else []), *table_notes(table), *notes]
    )


def check_learnable(labelled: LabelledExamples, file: Path, *, names_option: bool) -> None:
    """Raise MetaglotError that names the file for targets that nothing is learnt from, and for --names without names.

    `names_option` is whether --names or --no-names was given.  Classes are checked when they are read.
    """
    if FAMILIES.exclusive(labelled.task):
        return
    family, targets = FAMILIES[labelled.task](), labelled.examples.targets
    try:
        family.check(targets)
    except MetaglotError as error:
        raise MetaglotError(f"{file}: {error}") from error
    if names_option and family.alone(family.schema(targets).outputs[0]) is None:
        raise MetaglotError(f"--names and --no-names have no use: a task of {family.name} has no labels with names")


def facts_of(table: Any, file: Path, kind: str) -> "Facts | None":
    """Return the targets of a table and their description, by their kind; None for classes, which `labels_of` reads."""
    from metaglot.data.labels import typed_labels
    from metaglot.data.target_facts import look_of

    look_at = look_of(kind)
    if look_at is None:
        return None
    check_label_column(table, file)
    return look_at(typed_labels(table), names_of_rows(table, file))


def names_of_rows(table: Any, file: Path) -> Callable[[int], str]:
    """Return a function that names the label of a row of a table in an error."""
    rows = table["row"].to_pylist()
    return lambda row: f"{file}: the label of row {rows[row] + 1}"


def _notes(facts: "Facts", labels: Sequence[str | None], inputs: Inputs) -> list[str]:
    """Return notes on targets and texts."""
    from metaglot.data.folding import again

    keys = inputs.folded()
    repeats = again(keys, facts.targets).repeats
    repeat_note = f"{len(repeats)} examples repeat an earlier text; cross-validation keeps repeats together"
    label_texts = ["no label" if label is None else label for label in labels]
    notes = text_notes(inputs.texts, label_texts, inputs.pairs, keys, targets=facts.targets, conflict=facts.conflict)
    return [*facts.notes, *([repeat_note] if repeats else []), *notes]


def note_on_length(model: "Model", labelled: LabelledExamples) -> str:
    """Return the note on examples that are too long for the model; "" where there are none."""
    family, (inputs, targets) = FAMILIES[labelled.task](), (labelled.examples.inputs, labelled.examples.targets)
    learner = model.encoder.backbone.learner
    if family.writes is not None and not (learner.decoder or learner.seq2seq):
        return ""  # it writes nothing, and is refused
    if family.writes is not None:
        from metaglot.adaptation.writing import form_of

        form = form_of(model.encoder, family.writes)
        cut, length = family.writes.cut(form, inputs, targets), form.length
        what = "examples have more than {} tokens in source and target; the rest of their sources is not read"
        what += ", nor that of targets which are longer alone"
        return f"{cut} of {len(inputs)} {what.format(length)}" if cut else ""
    cut = model.encoder.cut_of(family, inputs)
    return cut_note(cut, len(inputs), model.max_length) if cut else ""
