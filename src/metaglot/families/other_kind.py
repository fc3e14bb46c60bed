"""Targets that are added to an adaptation, and look like another kind of task than the one that it learnt."""

from collections.abc import Sequence
from typing import NoReturn

from metaglot.data.label_lists import SEPARATOR, is_list
from metaglot.data.number_cells import is_number
from metaglot.errors import MetaglotError
from metaglot.families.records import Name

SHOWN = 3  # outputs that an error names


def check_no_numbers(given: Sequence[Sequence[str]], known: Sequence[str], name: Name) -> None:
    """Raise MetaglotError where all new labels are numbers, and no known one is.

    `given` has the labels of each row.  A row with a label that is known is one of labels, whatever else it has.
    """
    there = set(known)
    rows = {row: sorted(set(own)) for row, own in enumerate(given) if own and not there & set(own)}
    if rows and all(is_number(label) for own in rows.values() for label in own) and not any(map(is_number, known)):
        row, labels = next(iter(rows.items()))
        _refuse(
            f"{name(row)} is {labels[0]!r}, a number",
            known,
            "learn numbers as a task of their own (--task regression, in Python task='regression')",
        )


def check_one_each(given: Sequence[str], known: Sequence[str], name: Name) -> None:
    """Raise MetaglotError for a new class that is a list, or classes that are known joined by "|"."""
    there = set(known)
    for row, label in enumerate(given):
        joined = SEPARATOR in label and any(part.strip() in there for part in label.split(SEPARATOR))
        if label not in there and (joined or is_list(label)):
            _refuse(
                f"{name(row)} is {label!r:.60}, several labels in one",
                known,
                "give each text one class, or learn several a text as a task of its own (--task multilabel, in Python "
                "task='multilabel')",
            )


def check_levels(given: Sequence[float], levels: Sequence[float], name: Name) -> None:
    """Raise MetaglotError for a number with more decimals than any level has."""
    most = max(map(_decimals, levels))
    for row, number in enumerate(given):
        if _decimals(number) > most:
            _refuse(
                f"{name(row)} is {number:g}, between the levels",
                [f"{level:g}" for level in levels],
                "round it to a level, or learn numbers as a task of their own (--task regression, in Python "
                "task='regression')",
            )


def _refuse(what: str, known: Sequence[str], way: str) -> NoReturn:
    more = ", …" if len(known) > SHOWN else ""
    raise MetaglotError(
        f"{what}, and the examples so far have {', '.join(map(repr, known[:SHOWN]))}{more}: {way}; if it is meant as "
        "one of these, adapt again from all examples"
    )


def _decimals(number: float) -> int:
    """Return how many decimals a number has, of nine digits."""
    return len(f"{number:.9g}".partition(".")[2])
