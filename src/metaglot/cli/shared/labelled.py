"""The examples of a file to learn from, by the kind of the task, and what is odd about them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from metaglot.choices import FAMILIES
from metaglot.cli.shared.checks import notes_on, text_notes
from metaglot.cli.shared.texts import check_labels_there, complete, labels_of, learnt_from, read_file, texts_of
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.data.target_facts import Facts


class Labelled(NamedTuple):
    """Examples of a kind of task."""

    task: str  # a key of `choices.FAMILIES`
    examples: Examples[Any]
    notes: list[str]  # what is odd about them


def read_labelled(file: Path, columns: str | None, encoding: str | None, task: str | None) -> Labelled:
    """Return the examples of a file, of the split train alone where it has one.

    The kind of the task is what the labels look like where none is asked for.  Raises MetaglotError that names the file
    for a row without a target, for a label that is none, and where all texts are empty.
    """
    from metaglot.data.empty import check_not_all_empty
    from metaglot.data.form import answered
    from metaglot.data.labels import table_notes
    from metaglot.data.task_kind import task_of

    table = read_file(file, columns, encoding, task=task)
    kind = task or task_of(table)
    table, left = learnt_from(answered(table))
    inputs = texts_of(table)
    facts = facts_in(table, file, kind)
    targets = labels_of(table, file) if facts is None else complete(facts.targets, table, file)
    try:
        check_not_all_empty(inputs.texts, inputs.pairs)
    except MetaglotError as error:
        raise MetaglotError(f"{file}: {error}") from error
    others = f"{left} rows of other splits than train are left out; a file without that column is learnt from whole"
    labels = table["label"].to_pylist()
    odd = notes_on(inputs.texts, labels, inputs.pairs) if facts is None else _notes(facts, labels, inputs)
    return Labelled(kind, Examples(inputs, tuple(targets)), [*([others] if left else []), *table_notes(table), *odd])


def check_learnable(labelled: Labelled, file: Path, *, named: bool) -> None:
    """Raise MetaglotError that names the file where there is nothing to learn, and for names that nothing has.

    `named` is whether it was said that names help, or do not.  Classes are checked as they are read.
    """
    if FAMILIES.exclusive(labelled.task):
        return
    family, targets = FAMILIES[labelled.task](), labelled.examples.targets
    try:
        family.check(targets)
    except MetaglotError as error:
        raise MetaglotError(f"{file}: {error}") from error
    if named and family.alone(family.schema(targets).outputs[0]) is None:
        raise MetaglotError(f"--names and --no-names have no use: a task of {family.name} has no labels with names")


def facts_in(table: Any, file: Path, kind: str) -> "Facts | None":
    """Return the targets of a kind, and what there is to tell of them; None of classes, which `labels_of` reads."""
    from metaglot.data.labels import typed_labels
    from metaglot.data.target_facts import look_of

    look_at = look_of(kind)
    if look_at is None:
        return None
    check_labels_there(table, file)
    return look_at(typed_labels(table), names_of_rows(table, file))


def names_of_rows(table: Any, file: Path) -> Callable[[int], str]:
    """Return what an error calls the label of a row of a table."""
    rows = table["row"].to_pylist()
    return lambda row: f"{file}: the label of row {rows[row] + 1}"


def _notes(facts: "Facts", labels: Sequence[str | None], inputs: Inputs) -> list[str]:
    """Return what is odd about targets and texts."""
    from metaglot.data.repeats import again

    keys = inputs.folded()
    repeats = again(keys, facts.targets).repeats
    again_note = f"{len(repeats)} examples repeat an earlier text; where some are set aside, repeats stay together"
    shown = ["no label" if label is None else label for label in labels]
    odd = text_notes(inputs.texts, shown, inputs.pairs, keys, targets=facts.targets, conflict=facts.conflict)
    return [*facts.notes, *([again_note] if repeats else []), *odd]
