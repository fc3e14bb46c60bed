"""A look at sentences with spans: types and how often each stands, lengths, sentences without any."""

from collections import Counter
from collections.abc import Callable, Sequence
from statistics import mean
from typing import NamedTuple

from metaglot.data.labels import Label, alike_notes, label_text
from metaglot.data.spans import Spans, spans_in, texts_in
from metaglot.data.target_facts import Facts, Grid
from metaglot.data.words import words

SHOWN = 20  # types in a table
LONG = 60  # characters of a span that is shown


class _Type(NamedTuple):
    """What there is to tell of the spans of a type."""

    label: str
    spans: int
    sentences: int  # that have it
    words: float  # on average
    longest: str


def span_facts(cells: Sequence[Label | None], name: Callable[[int], str]) -> Facts:
    """Return the facts; raise MetaglotError for a cell that holds no spans."""
    texts = [None if cell is None else label_text(cell) for cell in cells]
    own = [spans_in(cell, name(row)) for row, cell in enumerate(texts)]
    rows = [(spans, texts_in(cell or "[]", spans)) for spans, cell in zip(own, texts, strict=True) if spans is not None]
    types = _types(rows)
    n, bare = sum(len(spans) for spans, _ in rows), sum(not spans for spans, _ in rows)
    lengths = [len(words(part)) for _, parts in rows for part in parts]
    return Facts(
        own,
        [
            ("sentences", f"{len(rows):,}, with {n:,} spans of {len(types)} types"),
            ("length of spans", f"{mean(lengths):.2f} words on average, {max(lengths)} at most" if lengths else "none"),
            ("sentences without any", f"{bare:,} ({100 * bare / max(1, len(rows)):.1f} %)"),
            ("not known", f"{len(own) - len(rows):,}"),
        ],
        {
            "spans": {"n": n, "mean_words": mean(lengths) if lengths else 0.0, "max_words": max(lengths, default=0)},
            "sentences": {"n": len(rows), "without_spans": bare, "unknown": len(own) - len(rows)},
            "types": [one._asdict() for one in types],
        },
        [Grid("Types", ("type", "spans", "sentences", "words", "longest"), _rows(types))],
        span_notes(rows),
        "with unlike spans",
    )


def span_notes(rows: Sequence[tuple[Spans, Sequence[str]]]) -> list[str]:
    """Return what is odd about the spans of texts, which come with their parts of the text."""
    sentences = Counter(label for spans, _ in rows for label in {span.label for span in spans})
    once = sorted(label for label, count in sentences.items() if count == 1)
    listed = ", ".join(map(repr, once[:3])) + (f" and {len(once) - 3} more" if len(once) > 3 else "")
    notes = [f"one sentence only has {listed}; a second one helps much"] if once and len(rows) > 1 else []
    return [*notes, *alike_notes(sentences, noun="type", nouns="types")]


def _types(rows: Sequence[tuple[Spans, Sequence[str]]]) -> list[_Type]:
    """Return the types, those with the most spans first."""
    parts: dict[str, list[str]] = {}
    for spans, own in rows:
        for span, part in zip(spans, own, strict=True):
            parts.setdefault(span.label, []).append(part)
    sentences = Counter(label for spans, _ in rows for label in {span.label for span in spans})
    types = [
        _Type(label, len(own), sentences[label], mean(len(words(part)) for part in own), max(own, key=len))
        for label, own in parts.items()
    ]
    return sorted(types, key=lambda one: (-one.spans, one.label))


def _rows(types: Sequence[_Type]) -> tuple[tuple[str, ...], ...]:
    rows = [
        (one.label, f"{one.spans:,}", f"{one.sentences:,}", f"{one.words:.1f}", one.longest[:LONG])
        for one in types[:SHOWN]
    ]
    return (*rows, *([(f"… {len(types) - SHOWN} more", "", "", "", "")] if len(types) > SHOWN else []))
