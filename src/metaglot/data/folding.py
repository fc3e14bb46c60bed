"""When two texts count as the same: after folding case, punctuation and white space; and which stand again."""

import unicodedata
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple, cast

if TYPE_CHECKING:
    import pyarrow as pa


class _Fold(dict[int, str]):
    """A table for `str.translate`: punctuation, separators and controls to a space, filled as it is used."""

    def __missing__(self, code: int) -> str:
        kept = unicodedata.category(chr(code))[0] not in "PZC"
        self[code] = chr(code) if kept else " "
        return self[code]


def folded(text: str) -> str:
    """Return the text in compatibility form (NFKC), case-folded, its words parted by one space.

    A text of nothing but punctuation is only stripped.
    """
    words = unicodedata.normalize("NFKC", text).casefold().translate(_TABLE).split()
    return " ".join(words) or text.strip()


def folded_rows(table: "pa.Table") -> list[str]:
    """Return `folded_texts` of the rows of a canonical table."""
    pairs = cast("list[str | None]", table["text_pair"].to_pylist()) if "text_pair" in table.column_names else None
    return folded_texts(cast("list[str]", table["text"].to_pylist()), pairs)


def folded_texts(texts: Sequence[str], pairs: Sequence[str | None] | None) -> list[str]:
    """Return each text folded, with its second text if it has one; a NUL parts the two."""
    texts = [folded(text) for text in texts]
    if pairs is None:
        return texts
    return [text if pair is None else f"{text}\0{folded(pair)}" for text, pair in zip(texts, pairs, strict=True)]


class Again(NamedTuple):
    """Rows, from 0, each with an earlier one."""

    repeats: list[tuple[int, int]]  # (row, first row of its text)
    clashes: list[tuple[int, int]]  # (row, first labelled row of its text, which has another label)


def again(keys: Sequence[str], labels: Sequence[Hashable | None]) -> Again:
    """Return the rows whose key, a folded text, stands before, and those whose label there is another."""
    first: dict[str, int] = {}
    labelled: dict[str, int] = {}
    repeats: list[tuple[int, int]] = []
    clashes: list[tuple[int, int]] = []
    for row, (key, label) in enumerate(zip(keys, labels, strict=True)):
        if first.setdefault(key, row) != row:
            repeats.append((row, first[key]))
        if label is not None and labels[labelled.setdefault(key, row)] != label:
            clashes.append((row, labelled[key]))
    return Again(repeats, clashes)


_TABLE = _Fold()
