"""`metaglot edit`: adds, removes and relabels examples of an adapted model."""

import json
from collections.abc import Callable, Mapping
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from metaglot.choices import FAMILIES, Cells
from metaglot.cli.shared.checks import empty_notes
from metaglot.cli.shared.labelled import facts_of, names_of_rows
from metaglot.cli.shared.options import (
    AdaptedPrecision,
    Columns,
    DeviceOption,
    Encoding,
    ErrorsOnly,
    Json,
    ReplaceAdapted,
)
from metaglot.cli.shared.printing import noted
from metaglot.cli.shared.texts import (
    check_device,
    check_label_column,
    complete_targets,
    load_adapted,
    parse_precision,
    read_file,
    summary_of,
    task_of_folder,
    tell_notes,
    texts_of,
)
from metaglot.data.examples import Examples
from metaglot.errors import MetaglotError, printable

NOTHING: Mapping[Cells, str] = {"spans": "[]", "answers": '{"text": ""}'}
"""The cell of a text without a span or answer, by how cells are read: an empty one of a file is not known."""

if TYPE_CHECKING:
    from metaglot.families.family import AnyFamily
    from metaglot.families.records import Schema


def edit(
    folder: Annotated[Path, typer.Argument(help="A folder that metaglot adapt made with --keep-examples.")],
    *,
    add: Annotated[list[Path] | None, typer.Option(help="A file of more examples; may be given several times.")] = None,
    remove: Annotated[
        list[int] | None, typer.Option(help="The number of an example to remove; may be given several times.")
    ] = None,
    relabel: Annotated[
        list[str] | None,
        typer.Option(
            help="ROW=LABEL: another label (or labels, number, answer) for an example; may be given several times. "
            "ROW= takes all labels or spans of an example away, or says that its passage has no answer."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the result is saved. Default: in place.", show_default=False)
    ] = None,
    force: ReplaceAdapted = False,
    precision: AdaptedPrecision = "auto",
    device: DeviceOption = "auto",
    columns: Columns = None,
    encoding: Encoding = None,
    quiet: ErrorsOnly = False,
    as_json: Json = False,
) -> None:
    """Add, remove or relabel examples of an adapted model; the result equals an adaptation to the new examples.

    Examples are counted from 1, like the lines of examples.jsonl and in predict --explain. The numbers are those before
    the command.

    Examples:

      metaglot edit my-model --remove 4 --relabel 7=billing

      metaglot edit my-model --add more.csv --out my-model-2

      metaglot edit reader --relabel "2=nine euros" --relabel 5=
    """
    if not (add or remove or relabel):
        raise MetaglotError("nothing to do: give --add FILE, --remove ROW or --relabel ROW=LABEL")
    labels = _parse_relabel(relabel or [])
    runtime = parse_precision(precision), check_device(device)
    from metaglot.data.folders import check_adapted, check_target

    check_adapted(folder)
    target = folder if out is None else out
    check_target(target, force=force or out is None)  # before anything is learnt
    task = task_of_folder(folder)
    files = [_read_additions(file, columns, encoding, task) for file in add or []]
    from metaglot.adaptation import Adapted
    from metaglot.adaptation.editing import edited

    additions = reduce(lambda first, second: first.plus(second), (file.examples for file in files), Examples())
    fit = load_adapted(folder, *runtime).fit
    for file in files:
        fit.family.like(file.examples.targets, fit.schema, file.name)
    notes = [note for file in files for note in file.notes]
    tell_notes(notes, quiet=quiet)
    new_targets = _targets(labels, fit.family, fit.schema)
    with noted(notes, quiet=quiet):
        adapted = Adapted(edited(fit, remove=[row - 1 for row in remove or []], relabel=new_targets, add=additions))
    adapted.save(target, force=force or out is None)
    if as_json:
        labels_entry = {"labels": list(adapted.labels)} if adapted.fit.family.probable else {}
        outcome = {"out": str(target), **labels_entry, "examples": adapted.fit.count, "notes": notes}
        typer.echo(json.dumps(outcome, ensure_ascii=False))
    elif not quiet:
        typer.echo(printable(f"{summary_of(adapted)} → {target}"))


def _parse_relabel(texts: list[str]) -> dict[int, str]:
    """Return the new labels by the number of the example, from 0; an empty text may mean no label."""
    labels: dict[int, str] = {}
    for text in texts:
        row, sign, label = text.partition("=")
        if not sign or not row.strip().isdecimal():
            raise MetaglotError(f"--relabel {text!r}: expected ROW=LABEL, e.g. 7=billing")
        if labels.setdefault(int(row) - 1, label.strip()) != label.strip():
            raise MetaglotError(f"--relabel gives example {int(row)} two labels; choose one")
    return labels


def _targets(labels: dict[int, str], family: "AnyFamily", schema: "Schema") -> dict[int, Any]:
    """Return the new targets, read from the labels, by the number of the example."""
    rows = list(labels)

    def name(number: int) -> str:
        return f"--relabel {rows[number] + 1}={labels[rows[number]]}: the label"

    nothing = NOTHING.get(FAMILIES.kinds[family.name].cells, "")
    read = family.parse([label or nothing for label in labels.values()], name)
    targets = dict(zip(rows, read.targets, strict=True))
    if missing := [row + 1 for row, target in targets.items() if target is None or target == ""]:
        raise MetaglotError(
            f"--relabel {missing[0]}=: each example has a label here; give one ({missing[0]}=LABEL), or take the "
            f"example out by --remove {missing[0]}"
        )
    family.like(list(targets.values()), schema, name)
    return targets


class _Additions(NamedTuple):
    """The examples of a file."""

    examples: Examples[Any]
    name: Callable[[int], str]  # what an error calls the label of one
    notes: list[str]


def _read_additions(file: Path, columns: str | None, encoding: str | None, task: str) -> _Additions:
    from metaglot.data.form import answered
    from metaglot.data.labels import table_notes, typed_labels
    from metaglot.data.texts import check_not_all_empty

    table = answered(read_file(file, columns, encoding, task=task))
    check_label_column(table, file)
    facts = facts_of(table, file, task)
    labels = typed_labels(table) if facts is None else facts.targets
    examples = Examples(texts_of(table), tuple(complete_targets(labels, table, file)))
    texts, pairs = examples.inputs.texts, examples.inputs.pairs
    try:
        check_not_all_empty(texts, pairs)
    except MetaglotError as error:
        raise MetaglotError(f"{file}: {error}") from error
    notes = [f"{file}: {one}" for one in empty_notes(texts, pairs)]
    return _Additions(examples, names_of_rows(table, file), [*table_notes(table), *notes])
