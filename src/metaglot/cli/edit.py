"""`metaglot edit`: examples of an adapted model are added, removed, or get another label."""

import json
from collections.abc import Callable
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from metaglot.cli.shared.labelled import facts_in, names_of_rows
from metaglot.cli.shared.options import AdaptedPrecision, Columns, DeviceOption, Encoding, ErrorsOnly, Json
from metaglot.cli.shared.texts import (
    adapted_in,
    check_device,
    complete,
    precision_called,
    read_file,
    summary_of,
    task_in,
    texts_of,
)
from metaglot.data.examples import Examples
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    from metaglot.families.family import AnyFamily, Schema


def edit(
    folder: Annotated[Path, typer.Argument(help="A folder that metaglot adapt made with --keep-examples.")],
    *,
    add: Annotated[list[Path] | None, typer.Option(help="A file of more examples; may be given several times.")] = None,
    remove: Annotated[
        list[int] | None, typer.Option(help="The number of an example to take out; may be given several times.")
    ] = None,
    relabel: Annotated[
        list[str] | None,
        typer.Option(
            help="ROW=LABEL: another label (or labels, or number) for an example; may be given several times."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Where the result is saved. Default: in place.", show_default=False)
    ] = None,
    precision: AdaptedPrecision = "auto",
    device: DeviceOption = "auto",
    columns: Columns = None,
    encoding: Encoding = None,
    quiet: ErrorsOnly = False,
    as_json: Json = False,
) -> None:
    """Add, remove or relabel examples of an adapted model; the result is as if it was adapted to these examples anew.

    Rows are counted from 1, as the lines of examples.jsonl and as predict --explain shows them; the numbers are
    those from before the command.

    Examples:

      metaglot edit my-model --remove 4 --relabel 7=billing

      metaglot edit my-model --add more.csv --out my-model-2
    """
    if not (add or remove or relabel):
        raise MetaglotError("nothing to do: give --add FILE, --remove ROW or --relabel ROW=LABEL")
    labels = _relabelled(relabel or [])
    runs = precision_called(precision), check_device(device)
    from metaglot.data.folders import check_adapted

    check_adapted(folder)
    task = task_in(folder)
    new = [_added(file, columns, encoding, task) for file in add or []]
    from metaglot.adaptation import Adapted
    from metaglot.adaptation.editing import edited

    more = reduce(lambda before, after: before.plus(after), (added.examples for added in new), Examples())
    before = adapted_in(folder, *runs).fit
    for added in new:
        before.family.like(added.examples.targets, before.schema, added.name)
    changed = _targets(labels, before.family, before.schema)
    adapted = Adapted(edited(before, remove=[row - 1 for row in remove or []], relabel=changed, add=more))
    target = folder if out is None else out
    adapted.save(target, force=out is None)
    if as_json:
        labelled = {"labels": list(adapted.labels)} if adapted.fit.family.probable else {}
        outcome = {"out": str(target), **labelled, "examples": adapted.fit.count}
        typer.echo(json.dumps(outcome, ensure_ascii=False))
    elif not quiet:
        typer.echo(printable(f"{summary_of(adapted)} → {target}"))


def _relabelled(given: list[str]) -> dict[int, str]:
    """Return labels by the number of the example, from 0; of several labels there may be none."""
    found: dict[int, str] = {}
    for one in given:
        row, sign, label = one.partition("=")
        if not sign or not row.strip().isdecimal():
            raise MetaglotError(f"--relabel {one!r}: expected ROW=LABEL, e.g. 7=billing")
        if found.setdefault(int(row) - 1, label.strip()) != label.strip():
            raise MetaglotError(f"--relabel gives example {int(row)} two labels; choose one")
    return found


def _targets(labels: dict[int, str], family: "AnyFamily", schema: "Schema") -> dict[int, Any]:
    """Return the target in each label, by the number of the example."""
    rows = list(labels)

    def name(i: int) -> str:
        return f"--relabel {rows[i] + 1}={labels[rows[i]]}: the label"

    found = family.parse(list(labels.values()), name)
    targets = dict(zip(rows, found.targets, strict=True))
    if absent := [row for row, target in targets.items() if target is None or target == ""]:
        raise MetaglotError(f"--relabel '{absent[0] + 1}=': expected ROW=LABEL, e.g. 7=billing")
    family.like(list(targets.values()), schema, name)
    return targets


class _Added(NamedTuple):
    """The examples of a file."""

    examples: Examples[Any]
    name: Callable[[int], str]  # what an error calls the label of one


def _added(file: Path, columns: str | None, encoding: str | None, task: str) -> _Added:
    table = read_file(file, columns, encoding, task=task)
    if "label" not in table.column_names:
        raise MetaglotError(f"{file}: no column called label; name it: --columns label=COLUMN")
    from metaglot.data.labels import typed_labels

    facts = facts_in(table, file, task)
    labels = typed_labels(table) if facts is None else facts.targets
    return _Added(Examples(texts_of(table), tuple(complete(labels, table, file))), names_of_rows(table, file))
