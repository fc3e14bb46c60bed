"""Sentences that come as tokens: their text, where each token stands in it, and tags of tokens as spans of the text."""

from collections.abc import Sequence
from typing import NamedTuple

from metaglot.data.labels import normal
from metaglot.data.spans import Span, Spans
from metaglot.data.tags import Chunk, Scheme, tags_of
from metaglot.data.words import is_unspaced
from metaglot.errors import MetaglotError

Places = Sequence[tuple[int, int]]
"""Where tokens begin and end in a text."""


class Joined(NamedTuple):
    """A sentence of tokens as a text."""

    text: str
    places: Places


def joined(tokens: Sequence[str]) -> Joined:
    """Return tokens as a text: one space between them, but none between two of a script without spaces."""
    parts: list[str] = []
    places: list[tuple[int, int]] = []
    at = 0
    for number, token in enumerate(tokens):
        if number and not (is_unspaced(tokens[number - 1][-1:]) and is_unspaced(token[:1])):
            parts.append(" ")
            at += 1
        parts.append(token)
        places.append((at, at + len(token)))
        at += len(token)
    return Joined("".join(parts), places)


def aligned(tokens: Sequence[str], text: str) -> Places:
    """Return where tokens stand in a text, one behind the other; raise MetaglotError for one that does not."""
    places: list[tuple[int, int]] = []
    at = 0
    for number, token in enumerate(tokens, start=1):
        first = text.find(token, at)
        if first < 0:
            raise MetaglotError(
                f"token number {number}, {token!r:.40}, does not stand in the text behind {text[:at][-20:]!r}"
                "; leave the column of the text out, and tokens are joined by spaces"
            )
        at = first + len(token)
        places.append((first, at))
    return places


def spans_at(chunks: Sequence[Chunk], places: Places) -> Spans:
    """Return chunks of tokens as spans of a text; raise MetaglotError for a type that is no name."""
    spans: list[Span] = []
    for chunk in chunks:
        label = normal(chunk.label)
        if label is None:
            raise MetaglotError(f"a tag has the type {chunk.label!r:.40}, which is no name")
        spans.append(Span(places[chunk.first][0], places[chunk.behind - 1][1], label))
    return tuple(spans)


def tags_at(spans: Spans, places: Places, scheme: Scheme = "IOB2") -> list[str]:
    """Return the tags of tokens; raise MetaglotError for a span that does not begin and end with a token."""
    begins = {start: number for number, (start, _) in enumerate(places)}
    ends = {end: number + 1 for number, (_, end) in enumerate(places)}
    for span in spans:
        if span.start not in begins or span.end not in ends:
            raise MetaglotError(
                f"the span {span.label} from {span.start} to {span.end} does not begin and end with a token; "
                "split the tokens there"
            )
    chunks = [Chunk(begins[span.start], ends[span.end], span.label) for span in spans]
    return tags_of(chunks, len(places), scheme)
