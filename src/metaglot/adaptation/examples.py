"""The texts that an adaptation learnt from, in a file of their own beside it, if the user wants them kept.

`examples.jsonl` has a line for each example, in the order of the features that stand beside it: examples are known by
their number.  `adapted.json` has their hash, so that a file that was edited or put in another order is noticed.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from metaglot.data.checked import Stored, parse_stored
from metaglot.data.labels import Label
from metaglot.data.rawfiles import is_there, read_bytes
from metaglot.errors import MetaglotError

EXAMPLES = "examples.jsonl"


class _Line(Stored):
    """A line of the file."""

    text: str
    text_pair: str | None = None
    label: str | bool | int | float


@dataclass(frozen=True)
class Examples:
    """The labelled texts an adaptation saw; empty after loading, unless they were saved with it."""

    texts: tuple[str, ...] = ()
    labels: tuple[Label, ...] = ()
    pairs: tuple[str, ...] | None = None

    def rows(self) -> list[tuple[str, str | None, Label]]:
        """Return text, second text and label of each."""
        pairs: Sequence[str | None] = self.pairs or (None,) * len(self.texts)
        return list(zip(self.texts, pairs, self.labels, strict=True))

    def sha256(self) -> str:
        """Return a hash of them, in their order."""
        return data_hash(self.texts, self.labels, self.pairs)


def joined(parts: Sequence[Examples]) -> Examples:
    """Return all examples; raise MetaglotError where some are pairs and others are not."""
    if len({part.pairs is None for part in parts}) > 1:
        raise MetaglotError("some examples are pairs and others are not; give files of one kind")
    texts = tuple(text for part in parts for text in part.texts)
    labels = tuple(label for part in parts for label in part.labels)
    pairs = tuple(pair for part in parts for pair in part.pairs or ())
    return Examples(texts, labels, pairs if parts and parts[0].pairs is not None else None)


def data_hash(texts: Sequence[str], labels: Sequence[Label], pairs: Sequence[str] | None) -> str:
    """Return a hash of labelled texts, in their order."""
    rows = [list(texts), [str(label) for label in labels], None if pairs is None else list(pairs)]
    return hashlib.sha256(json.dumps(rows, ensure_ascii=False).encode("utf-8", "surrogatepass")).hexdigest()


def to_keep(examples: Examples, folder: Path, *, asked: bool | None, kept: bool) -> bool:
    """Return whether the texts are to be saved in a folder; raise MetaglotError where that is asked and none are known.

    What was kept stays kept where the user asks for nothing: texts that were loaded (`kept`), and texts of which the
    folder holds some already.
    """
    if asked and not examples.texts:
        raise MetaglotError("the examples cannot be saved: this adaptation was loaded from a folder without them")
    if asked is not None:
        return asked
    return bool(examples.texts) and (kept or _among(folder, examples))


def write_examples(examples: Examples, folder: Path) -> None:
    """Write the file."""
    lines = [
        json.dumps({"text": text, **({} if pair is None else {"text_pair": pair}), "label": label}, ensure_ascii=False)
        for text, pair, label in examples.rows()
    ]
    (folder / EXAMPLES).write_text("".join(line + "\n" for line in lines), "utf-8")


def read_examples(folder: Path) -> Examples:
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
    return Examples(tuple(row.text for row in rows), tuple(row.label for row in rows), tuple(pairs) or None)


def check_kept(folder: Path, examples: Examples, expected: str | None) -> None:
    """Raise MetaglotError where the examples of a folder are not those of this hash; None says that it is not known."""
    if (folder / EXAMPLES).is_file() and expected is not None and examples.sha256() != expected:
        raise MetaglotError(
            f"{folder / EXAMPLES}: these are not the examples that were saved with the adaptation (a line was changed, "
            "added, removed or moved). Put the file back as it was and change examples with `metaglot edit`, or adapt "
            "again from the changed file. Without the file the adaptation works and has no texts"
        )


def _among(folder: Path, examples: Examples) -> bool:
    """Return whether a folder holds examples, and none but these."""
    try:
        earlier = read_examples(folder)
    except MetaglotError:
        return False
    return bool(earlier.texts) and set(earlier.rows()) <= set(examples.rows())
