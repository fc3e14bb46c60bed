"""Reading files of texts and saved adaptations, and the notes on them, for several commands."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from metaglot.choices import FAMILIES
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    from metaglot.adaptation import Adapted, Model
    from metaglot.data.labels import Label
    from metaglot.evaluation import TaskSet
    from metaglot.models.devices import Precision

T = TypeVar("T")
SAMPLE_SIZE = 500  # texts of a task, at most, whose length is measured
PRECISIONS: Mapping[str, "Precision"] = {"auto": "auto", "bf16": "bf16", "fp32": "fp32"}
DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d{1,4})?")


def parse_precision(name: str) -> "Precision":
    """Return the precision of that name; raise MetaglotError for another."""
    if name not in PRECISIONS:
        raise MetaglotError(f"--precision {name}: unknown; use {', '.join(PRECISIONS)}")
    return PRECISIONS[name]


def check_task(name: str | None) -> None:
    """Raise MetaglotError for an unknown kind of task."""
    if name is not None and name not in FAMILIES:
        raise MetaglotError(f"--task {name}: unknown; use {', '.join(FAMILIES)}")


def check_device(name: str) -> str:
    """Return the name of a device; raise MetaglotError for a wrong form.  A model is loaded to see if it is there."""
    if not DEVICE.fullmatch(name):
        raise MetaglotError(f"--device {name}: unknown; use auto, cpu, cuda, cuda:N or mps")
    return name


def load_adapted(folder: Path, precision: "Precision", device: str) -> "Adapted":
    """Return the adaptation in a folder, with this precision and on this device."""
    from metaglot.adaptation import Adapted
    from metaglot.adaptation.storage import load_fit
    from metaglot.models import Runtime

    return Adapted(load_fit(folder, runtime=Runtime(precision, device=device)))


def task_of_folder(folder: Path) -> str:
    """Return the kind of task of the adaptation in a folder."""
    from metaglot.data.folders import ADAPTED, recovered
    from metaglot.data.jsonfile import read_object

    return str(read_object(recovered(folder) / ADAPTED).get("family", "classification"))


def reading_task(folder: Path) -> str | None:
    """Return the kind of task by which a file is read for the adaptation in a folder; None: by the look of the file.

    Candidates and passages stand in columns of many names, which a file shows by itself only beside right answers.
    """
    from metaglot.data.folders import ADAPTED, recovered

    if not (recovered(folder) / ADAPTED).is_file():
        return None
    task = task_of_folder(folder)
    return task if task in FAMILIES and FAMILIES.kinds[task].cells in ("answers", "candidates", "texts") else None


def summary_of(adapted: "Adapted") -> str:
    """Return a phrase on the number of examples of an adaptation and its targets."""
    fit = adapted.fit
    if fit.family.exclusive:
        return f"{fit.count} examples of {len(adapted.labels)} classes"
    return f"{fit.family.described(fit.schema).title}, from {fit.count} examples"


def cut_note(cut: int, texts: int, length: int) -> str:
    """Return the note on texts that are too long."""
    return f"{cut} of {texts} texts are longer than {length} tokens; the rest of them is not read"


def cut_notes(model: "Model", task_sets: "Sequence[TaskSet]") -> list[str]:
    """Return a note for each task with texts that are too long for the model, measured on a sample."""
    from metaglot.adaptation.writing import form_of

    notes: list[str] = []
    learner = model.encoder.backbone.learner
    for task in task_sets:
        inputs, tools, length, cut = task.sample(SAMPLE_SIZE), task.family.writes, model.max_length, 0
        if tools is None:
            cut = model.encoder.cut_of(task.family, inputs)
        elif learner.decoder or learner.seq2seq:
            form = form_of(model.encoder, tools)
            cut, length = tools.cut(form, inputs), form.length
        share = f"{'about ' if len(inputs) < len(task.table) else ''}{100 * cut / max(1, len(inputs)):.0f} %"
        what = f"{task.name}: {share} of the texts are longer than {length} tokens; the rest of them is not read"
        notes += [what] if cut else []
    return notes


def tell_notes(notes: Sequence[str], *, quiet: bool) -> None:
    """Print notes on standard error, unless quiet."""
    for note in () if quiet else notes:
        typer.echo(f"note: {printable(note)}", err=True)


def read_file(
    file: Path,
    columns: str | None,
    encoding: str | None = None,
    *,
    task: str | None = "classification",
    asking: bool = False,
) -> Any:
    """Return the table of a file with its columns renamed; `task` decides how labels are read, None their look."""
    from metaglot.data.columns import parse_columns
    from metaglot.data.readers import read_table
    from metaglot.data.task_kind import cells_of

    mapping = None if columns is None else parse_columns([columns])
    return read_table(file, mapping=mapping, encoding=encoding, cells=cells_of(task), asking=asking)


def texts_of(table: Any) -> Inputs:
    """Return the texts of a table, with their second texts if it has any."""
    pairs = table.column("text_pair").to_pylist() if "text_pair" in table.column_names else None
    if pairs is not None and all(pair is None for pair in pairs):
        pairs = None
    return Inputs.of(table.column("text").to_pylist(), None if pairs is None else [pair or "" for pair in pairs])


def train_rows(table: Any) -> tuple[Any, int]:
    """Return the rows of the split train, and the number of the others; all rows where no row is of train."""
    splits = table.column("split").to_pylist() if "split" in table.column_names else []
    train = [row for row, split in enumerate(splits) if split == "train"]
    return (table.take(train), table.num_rows - len(train)) if train else (table, 0)


def check_label_column(table: Any, file: Path) -> None:
    """Raise MetaglotError for a table without a column of labels."""
    from metaglot.data.no_labels import no_labels

    if "label" not in table.column_names:
        raise MetaglotError(f"{file}: {no_labels(table)}")


def complete_targets(targets: "Sequence[T | None]", table: Any, file: Path, hint: str = "") -> "list[T]":
    """Return the targets of a table; raise MetaglotError, which ends with the hint, for rows without a target."""
    missing = [row + 1 for row, target in zip(table["row"].to_pylist(), targets, strict=True) if target is None]
    if missing:
        rows = ", ".join(map(str, missing[:10])) + (", …" if len(missing) > 10 else "")
        raise MetaglotError(
            f"{file}: example number {missing[0]} has no label ({len(missing)} such); an empty cell, nan and <NA> are "
            f"no labels; fill or remove these rows: {rows}{'; ' if hint else ''}{hint}"
        )
    return [target for target in targets if target is not None]


def labels_of(table: Any, file: Path) -> "list[Label]":
    """Return the labels of a table, one a row.

    Raises MetaglotError where there is no column of labels, where a row has no label, and for a single class.
    """
    from metaglot.data.label_shape import several_hint
    from metaglot.data.labels import typed_labels

    check_label_column(table, file)
    labels = complete_targets(typed_labels(table), table, file, several_hint(table["label"].to_pylist()))
    if len(set(labels)) < 2:
        raise MetaglotError(
            f"{file}: all {len(labels)} examples have the label {labels[0]!r}; give examples of at least two classes"
        )
    return labels
