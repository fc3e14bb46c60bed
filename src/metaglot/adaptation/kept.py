"""The texts that an adaptation learnt from, in a file of their own beside it, if the user wants them kept.

`examples.jsonl` has a line for each example, in the order of the features that stand beside it: examples are known by
their number.  `adapted.json` has their hash, so that a file that was edited or put in another order is noticed.
"""

import json
from pathlib import Path
from typing import Any

from metaglot.data.checked import Stored, parse_stored
from metaglot.data.examples import Examples
from metaglot.data.rawfiles import is_there, read_bytes
from metaglot.errors import MetaglotError
from metaglot.families.family import AnyFamily

EXAMPLES = "examples.jsonl"


class _Line(Stored):
    """A line of the file."""

    text: str
    text_pair: str | None = None
    label: (
        str
        | bool
        | int
        | float
        | list[str]
        | list[int]
        | list[dict[str, str | int]]
        | dict[str, str | int | float | list[str]]
    )


def to_keep(family: AnyFamily, examples: Examples[Any], folder: Path, *, wish: bool | None, kept: bool) -> bool:
    """Return whether the texts are to be saved in a folder; raise MetaglotError where that is asked and none are known.

    What was kept stays kept where the user asks for nothing: texts that were loaded (`kept`), and texts of which the
    folder holds some already.
    """
    if wish and not len(examples):
        raise MetaglotError("the examples cannot be saved: this adaptation was loaded from a folder without them")
    if wish is not None:
        return wish
    return len(examples) > 0 and (kept or _among(folder, family, examples))


def write_examples(family: AnyFamily, examples: Examples[Any], folder: Path) -> None:
    """Write the file."""
    lines = [
        json.dumps({"text": text, **({} if pair is None else {"text_pair": pair}), **target}, ensure_ascii=False)
        for (text, pair), target in ((row, {"label": family.plain(target)}) for row, target in _rows(examples))
    ]
    (folder / EXAMPLES).write_text("".join(line + "\n" for line in lines), "utf-8")


def read_examples(folder: Path, family: AnyFamily) -> Examples[Any]:
    """Return what the file holds; nothing where there is none.

    Raises MetaglotError that names the line where one is damaged.
    """
    file = folder / EXAMPLES
    if not is_there(file):
        return Examples()
    lines = list(enumerate(read_bytes(file).split(b"\n"), start=1))
    way_out = "adapt again, or remove the file: the adaptation works without it"
    rows = [parse_stored(line, _Line, f"{file}, line {number}", way_out) for number, line in lines if line]
    pairs = [row.text_pair for row in rows if row.text_pair is not None]
    if pairs and len(pairs) < len(rows):
        raise MetaglotError(f"{file}: damaged (some lines have a text_pair and others have none); {way_out}")
    read = family.read([row.label for row in rows], lambda row: f"{file}, line {row + 1}: label").targets
    if None in read:
        raise MetaglotError(f"{file}, line {read.index(None) + 1}: damaged (it has no label); {way_out}")
    # A fraction that joined whole numbers left them whole, which numbers that are read together are not.
    targets = [row.label if row.label == target else target for row, target in zip(rows, read, strict=True)]
    return Examples.of([row.text for row in rows], targets, pairs or None)


def check_kept(folder: Path, examples: Examples[Any], expected: str | None) -> None:
    """Raise MetaglotError where the examples of a folder are not those of this hash; None says that it is not known."""
    if (folder / EXAMPLES).is_file() and expected is not None and examples.sha256() != expected:
        raise MetaglotError(
            f"{folder / EXAMPLES}: these are not the examples that were saved with the adaptation (a line was changed, "
            "added, removed or moved). Put the file back as it was and change examples with `metaglot edit`, or adapt "
            "again from the changed file. Without the file the adaptation works and has no texts"
        )


def _among(folder: Path, family: AnyFamily, examples: Examples[Any]) -> bool:
    """Return whether a folder holds examples, and none but these."""
    try:
        earlier = read_examples(folder, family)
    except MetaglotError:
        return False
    return len(earlier) > 0 and set(_rows(earlier)) <= set(_rows(examples))


def _rows(examples: Examples[Any]) -> list[tuple[tuple[str, str | None], Any]]:
    return list(zip(examples.inputs.rows(), examples.targets, strict=True))
