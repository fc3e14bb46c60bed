"""A look at several labels a text: how many rows each has, how many a text has, which stand together."""

from collections import Counter
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import TypeVar

from metaglot.data.label_lists import absent_notes, labels_in
from metaglot.data.label_shape import joined_notes
from metaglot.data.labels import Label, alike_notes
from metaglot.data.target_facts import Facts, Grid

T = TypeVar("T")
SHOWN = 20  # labels in a table
PAIRS = 10  # of labels that stand together


def label_facts(cells: Sequence[Label | None], name: Callable[[int], str]) -> Facts:
    """Return the facts; raise MetaglotError for a cell that holds no labels."""
    own = [labels_in(cell, name(row)) for row, cell in enumerate(cells)]
    counts = _ranked(Counter(label for labels in own for label in labels))
    together = _ranked(Counter(pair for labels in own for pair in combinations(sorted(labels), 2)))
    sizes = [len(labels) for labels in own] or [0]
    mean, none = sum(sizes) / len(sizes), sizes.count(0)
    pairs = list(together.items())[:PAIRS]
    joined = {" | ".join(pair): rows for pair, rows in together.items()}
    return Facts(
        own,
        [
            ("labels", _spread(list(counts.values()))),
            ("labels a text", f"{mean:.2f} on average, {max(sizes)} at most"),
            ("texts without a label", f"{none:,} ({100 * none / len(sizes):.1f} %)"),
        ],
        {
            "labels": counts,
            "labels_a_text": {"mean": mean, "max": max(sizes), "none": none},
            "together": [{"labels": list(pair), "rows": rows} for pair, rows in pairs],
        },
        [
            Grid("Labels", ("label", "rows"), _rows(counts, SHOWN)),
            Grid("Labels of one text", ("labels", "rows"), _rows(joined, PAIRS)),
        ],
        [*absent_notes(sum(cell is None for cell in cells), len(cells)), *label_notes(own)],
    )


def label_notes(own: Sequence[frozenset[str]]) -> list[str]:
    """Return what is odd about the labels of texts."""
    counts = Counter(label for labels in own for label in labels)
    once = sorted(label for label, count in counts.items() if count == 1)
    always = sorted(label for label, count in counts.items() if count == len(own))
    notes = [f"only one example of {_listed(once)}; a second one helps much"] if once and len(own) > 1 else []
    if once and len(once) == len(counts):
        notes = [
            "each label has one example only, so that none can be set aside to find the probability from which on a "
            "label is given: names of labels that are words stand in, else it is a guess; give two examples a label"
        ]
    notes += [f"all examples have {_listed(always)}; add texts that have it not"] if always else []
    return [*notes, *joined_notes(counts), *alike_notes(counts, noun="label", nouns="labels")]


def _ranked(counts: Counter[T]) -> dict[T, int]:
    """Return the counts, the largest first and equal ones in order."""
    return dict(sorted(counts.items(), key=lambda item: (-item[1], str(item[0]))))


def _spread(counts: list[int]) -> str:
    return f"{len(counts)} ({min(counts):,} to {max(counts):,} rows each)" if counts else "none"


def _rows(counts: dict[str, int], most: int) -> tuple[tuple[str, ...], ...]:
    rows = [(label, f"{count:,}") for label, count in list(counts.items())[:most]]
    return (*rows, *([(f"… {len(counts) - most} more", "")] if len(counts) > most else []))


def _listed(labels: list[str]) -> str:
    return ", ".join(map(repr, labels[:3])) + (f" and {len(labels) - 3} more" if len(labels) > 3 else "")
