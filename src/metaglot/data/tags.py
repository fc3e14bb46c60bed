"""Tags of tokens, and the chunks that they mean: IOB2 (BIO), IOB1, BIOES, BILOU, and tags without a prefix (IO).

| scheme | a chunk of three tokens | of one | the same type right behind |
|---|---|---|---|
| IOB2 | B I I | B | B |
| IOB1 | I I I | I | B |
| BIOES | B I E | S | B or S |
| BILOU | B I L | U | B or U |
| IO | X X X | X | cannot be written: one chunk |

Ramshaw and Marcus 1995, https://aclanthology.org/W95-0107; Ratinov and Roth 2009, https://aclanthology.org/W09-1119
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple, get_args

from metaglot.data.spans import OUTSIDE
from metaglot.errors import MetaglotError

Scheme = Literal["IOB2", "IOB1", "BIOES", "BILOU", "IO"]
SCHEMES: tuple[Scheme, ...] = get_args(Scheme)

BEGIN, INSIDE, LAST, SINGLE = "B", "IM", "EL", "SUW"  # prefixes; M and W as in BMES and BMEWO
UNNAMED = "span"  # the type where tags are prefixes alone
_LETTERS = BEGIN + INSIDE + LAST + SINGLE
_SMALL = re.compile(rf"o|[{_LETTERS.lower()}]([-_].+)?", re.DOTALL)
_PREFIXED = re.compile(rf"([{_LETTERS}])[-_](.+)", re.DOTALL)


class Chunk(NamedTuple):
    """Tokens that belong together."""

    first: int  # its first token
    behind: int  # the token behind its last
    label: str


class Chunks(NamedTuple):
    """The chunks of a sentence."""

    chunks: list[Chunk]
    repaired: int  # tags that the scheme does not allow where they stand, such as I-PER behind O


class Tag(NamedTuple):
    """A tag: its prefix (B, I, E or S, empty outside) and its type."""

    prefix: str
    label: str


def in_capitals(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return tags with o and their prefixes as capitals where all are small letters, such as o, b-per and i-per."""
    tags = {tag for row in rows for tag in row}
    small = OUTSIDE.lower() in tags and all(map(_SMALL.fullmatch, tags))
    return [[tag[:1].upper() + tag[1:] for tag in row] if small else list(row) for row in rows]


def scheme_of(rows: Sequence[Sequence[str]], name: Callable[[int], str]) -> Scheme:
    """Return the scheme that the tags of sentences are written in; `name(row)` is what an error calls a sentence.

    Raises MetaglotError where some tags have a prefix and others have none.
    """
    tags = {tag for row in rows for tag in row} - {OUTSIDE}
    with_prefix = {tag for tag in tags if _PREFIXED.fullmatch(tag)}
    prefixes = {tag[0] for tag in with_prefix} if with_prefix else tags if tags <= set(_LETTERS) else set[str]()
    if with_prefix and with_prefix != tags:
        odd = min(tags - with_prefix)
        row = next(number for number, row in enumerate(rows) if odd in row)
        raise MetaglotError(
            f"{name(row)} has the tag {odd!r:.40}, without a prefix, and other tags have one, such as "
            f"{min(with_prefix)!r:.40}; write all tags the same way: O, B-PER, I-PER"
        )
    if not prefixes:
        return "IO"
    if prefixes & set(LAST + SINGLE):
        return "BILOU" if prefixes & set("LU") else "BIOES"
    return "IOB1" if _is_iob1(rows) else "IOB2"


def chunks_of(tags: Sequence[str], scheme: Scheme) -> Chunks:
    """Return the chunks of a sentence, read kindly: a chunk begins where one must, and is closed where one must be.

    So do conlleval and the default of seqeval; a tag that continues nothing begins a chunk.
    """
    chunks: list[Chunk] = []
    repaired, first, before = 0, 0, Tag("", "")
    parsed = [parsed_tag(tag, scheme) for tag in tags]
    for at, tag in enumerate([*parsed, Tag("", "")]):
        continues = tag.prefix in ("I", "E") and before.prefix in ("B", "I") and before.label == tag.label
        if not continues:
            repaired += _unclosed(before, scheme) + _unopened(tag, scheme)
            if before.prefix:
                chunks.append(Chunk(first, at, before.label))
            first = at
        before = tag
    return Chunks(chunks, repaired)


def tags_of(chunks: Iterable[Chunk], n: int, scheme: Scheme = "IOB2") -> list[str]:
    """Return the tags of a sentence of n tokens."""
    tags = [OUTSIDE] * n
    for chunk in chunks:
        length = chunk.behind - chunk.first
        for place in range(length):
            at = chunk.first + place
            adjacent = at > 0 and tags[at - 1][2:] == chunk.label
            tags[at] = _written(chunk.label, place, length, scheme, adjacent=adjacent)
    return tags


def parsed_tag(tag: str, scheme: Scheme) -> Tag:
    """Return the parts of a tag; a prefix alone is of the type UNNAMED."""
    if tag == OUTSIDE:
        return Tag("", "")
    if scheme == "IO":
        return Tag("I", tag)
    found = _PREFIXED.fullmatch(tag)
    letter, label = (found[1], found[2]) if found else (tag, UNNAMED)
    return Tag("I" if letter in INSIDE else "E" if letter in LAST else "S" if letter in SINGLE else "B", label)


def _is_iob1(rows: Sequence[Sequence[str]]) -> bool:
    """Whether B stands only right behind its own type, and some chunk begins with I."""
    begun = False
    for row in rows:
        before = Tag("", "")
        for tag in (parsed_tag(one, "IOB1") for one in row):
            if tag.prefix == "B" and before.label != tag.label:
                return False
            begun = begun or (tag.prefix == "I" and before.label != tag.label)
            before = tag
    return begun


def _unopened(tag: Tag, scheme: Scheme) -> bool:
    """Whether a chunk begins with a tag that the scheme does not begin chunks with."""
    return scheme not in ("IO", "IOB1") and tag.prefix in ("I", "E")


def _unclosed(before: Tag, scheme: Scheme) -> bool:
    """Whether a chunk ends with a tag that the scheme does not end chunks with."""
    return scheme in ("BIOES", "BILOU") and before.prefix in ("B", "I")


def _written(label: str, place: int, length: int, scheme: Scheme, *, adjacent: bool) -> str:
    """Return the tag of the token at a place of a chunk; `adjacent`: the chunk before it is of the same type."""
    first, last = place == 0, place == length - 1
    if scheme == "IO":
        return label
    if scheme == "IOB1":
        return f"{'B' if first and adjacent else 'I'}-{label}"
    if scheme == "IOB2":
        return f"{'B' if first else 'I'}-{label}"
    single, end = ("S", "E") if scheme == "BIOES" else ("U", "L")
    return f"{single if first and last else 'B' if first else end if last else 'I'}-{label}"
