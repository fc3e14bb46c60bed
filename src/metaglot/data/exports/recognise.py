"""Objects of JSON: those of an annotation tool become its texts and answers, all others stay as they are."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from metaglot.data.columns import Pick, Raw
from metaglot.data.exports.answers import Export, raw_of
from metaglot.data.exports.argilla import argilla
from metaglot.data.exports.doccano import doccano
from metaglot.data.exports.label_studio import label_studio
from metaglot.data.exports.marked_answers import raw_of_marked
from metaglot.data.exports.prodigy import prodigy
from metaglot.errors import MetaglotError

TOOLS: tuple[Callable[[Sequence[Mapping[str, object]]], Export | None], ...] = (
    label_studio,
    argilla,
    prodigy,
    doccano,
)


def raw_objects(
    path: Path, pick: Pick, objects: Sequence[Mapping[str, object]], where: Callable[[int], str], *, form: str
) -> Raw:
    """Return the picked columns of objects; `form` is what they are where they are of no tool.

    Raises MetaglotError that names the file for none, and for exports that hold no classes of texts.
    """
    if not objects:
        raise MetaglotError(f"{path}, line 1: no rows.")
    try:
        export = next((candidate for tool in TOOLS if (candidate := tool(objects)) is not None), None)
    except MetaglotError as error:
        raise MetaglotError(f"{path}: {error}") from error
    if export is not None:
        read = raw_of_marked if pick.cells == "answers" and export.spans else raw_of
        return read(path, pick, export, where)
    names = tuple(dict.fromkeys(name for one in objects for name in one))
    chosen = pick(names)
    columns = {name: [one.get(column) for one in objects] for name, column in chosen.items()}
    return Raw(columns, where, form=form, file_columns=names)
