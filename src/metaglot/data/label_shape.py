"""Labels that look like another task than classification: numbers, free text or ids, several labels in one."""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from itertools import chain

from metaglot.data.label_lists import SEPARATOR, is_list
from metaglot.data.literals import BEGINNINGS, literal
from metaglot.data.number_cells import is_number, without_comma

MANY = 10  # different numbers from which on they are more likely quantities than names of classes
DENSE = 0.9  # share of the whole numbers between the least and the largest that numbers of classes fill at least
FEW = 0.25  # labels that are no numbers for each that is, up to which numbers are meant
ROWS = 10  # fewer examples, each of a class of its own, may well be one example of each class
COMMA = re.compile(r"[+-]?\d+,\d{2,}")  # a number with a comma; with one decimal it may be two labels
MAYBE = re.compile(r"[+-]?\d+(?:,\d+)?")
ALONE = 0.9  # share of labels that stand once from which on they look like free text or ids


def shape_notes(labels: Sequence[str | None]) -> list[str]:
    """Return what labels of a classification look like where they look like no classes, and what there is to do."""
    counts = Counter(label for label in labels if label is not None)
    notes = _commas(counts, COMMA) or _several(counts) or _commas(counts, MAYBE)
    notes = notes or _numbers(counts) or _but_for(labels) or _alone(counts)
    return [f"{notes}; as classes, each distinct label is one"] if notes else []


def several_hint(labels: Sequence[str | None]) -> str:
    """Return the way out of rows without a class where labels look like several in one; empty where they do not."""
    note = _several(Counter(label for label in labels if label is not None))
    return f"{note}; to --task multilabel an empty cell says that a text has no label" if note else ""


def _but_for(labels: Sequence[str | None]) -> str | None:
    """Return a note where all labels are numbers but for a few, such as n/a."""
    others = {row: label for row, label in enumerate(labels) if label is not None and not is_number(label)}
    numbers = Counter(label for label in labels if label is not None and is_number(label))
    if not 0 < len(others) <= FEW * numbers.total() or _numbers(numbers) is None:
        return None
    row, label = next(iter(others.items()))
    what = (
        f"{len(others)} of {len(others) + numbers.total()} labels are none, such as {label[:40]!r} of example {row + 1}"
    )
    return (
        f"the labels look like numbers, but {what}: empty these cells or leave the rows out, and numbers are learnt as "
        "such (--task regression)"
    )


def _numbers(counts: Mapping[str, int]) -> str | None:
    try:
        numbers = [float(label) for label in counts]
    except ValueError:
        return None
    if len(numbers) < 3:
        return None
    fractions = not all(map(float.is_integer, numbers))
    gaps = len(numbers) < DENSE * (max(numbers) - min(numbers) + 1)
    if not fractions and not (len(numbers) >= MANY and gaps):
        return None
    return (
        f"the labels look like numbers ({len(numbers)} different ones from {min(numbers):g} to {max(numbers):g}), and "
        "a classifier does not know that near ones are alike: --task regression learns numbers, or put them into a few "
        "ranges first, such as low and high"
    )


def _commas(counts: Mapping[str, int], form: re.Pattern[str]) -> str | None:
    """Return a note where all labels are numbers of a form, and one has a comma in place of the point."""
    example = next(filter(COMMA.fullmatch, counts), None)
    if len(counts) < 3 or example is None or not all(map(form.fullmatch, counts)):
        return None
    return (
        f"the labels look like numbers with a comma, such as {example[:40]!r}: {without_comma(example[:40])}, and they "
        "are learnt as numbers (--task regression)"
    )


def _alone(counts: Mapping[str, int]) -> str | None:
    once = sum(count == 1 for count in counts.values())
    if sum(counts.values()) < ROWS or once < ALONE * len(counts):
        return None
    example = next(label for label, count in counts.items() if count == 1)
    return (
        f"{once} of {len(counts)} labels stand once, such as {example[:40]!r}, which looks like free text or ids: name "
        "the column of the classes (--columns label=COLUMN), or give each class two examples or more"
    )


def _several(counts: Mapping[str, int]) -> str | None:
    """Return a note where labels are lists."""
    for parts_of in PARTS:
        if again := _lists(counts, parts_of):
            rows = sum(counts[label] for label in again)
            return (
                f"the labels look like several in one, such as {again[0][:40]!r} ({rows} rows): --task "
                f"multilabel learns several labels a text{_joined(again[0])}; or keep the most important one of each"
            )
    return None


def joined_notes(counts: Mapping[str, int]) -> list[str]:
    """Return a note where each of several labels a text looks like several in one, which another sign joins."""
    for mark in OTHERS:
        if again := _lists(counts, _split_at(mark)):
            rows = sum(counts[label] for label in again)
            return [
                f"labels look joined by {mark!r}, such as {again[0][:40]!r} ({rows} rows): join them by {SEPARATOR}"
            ]
    return []


def _lists(counts: Mapping[str, int], parts_of: Callable[[str], list[str]]) -> list[str]:
    """Return the labels that are lists of parts of other labels; none unless most lists have only such parts."""
    lists = {label: parts for label in counts if len(parts := parts_of(label)) > 1 or (parts and parts != [label])}
    stand = Counter(chain.from_iterable(set(lists.get(label, [label])) for label in counts))
    again = [label for label, parts in lists.items() if all(stand[part] > 1 for part in parts)]
    return again if len(again) >= 0.5 * len(lists) else []


def _joined(label: str) -> str:
    """Return how to write several labels, where they are written otherwise."""
    return "" if SEPARATOR in label or is_list(label) else f", joined by {SEPARATOR}"


def _json_list(label: str) -> list[str]:
    value = literal(label) if label.startswith(BEGINNINGS) else label
    return [str(one) for one in value] if isinstance(value, list) else [label]


def _split_at(mark: str) -> Callable[[str], list[str]]:
    return lambda label: [part.strip() for part in label.split(mark) if part.strip()]


OTHERS = ";,"  # signs between labels of one cell, beside the one that is read
PARTS: tuple[Callable[[str], list[str]], ...] = (_json_list, *map(_split_at, SEPARATOR + OTHERS))
