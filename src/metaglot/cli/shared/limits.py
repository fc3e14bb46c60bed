"""`--limit METHOD:shots=8,draws=3,without=a+b`: less of a plan for a method that is dear."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from metaglot.cli.shared.judging import numbers_of, words_of
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation.protocol import Limit

PARTS = ("shots", "draws", "without")


def limits_of(
    given: Sequence[str],
    methods: Sequence[str],
    tasks: Sequence[str],
    *,
    usual: "Mapping[str, Limit]",
    of_shots: Sequence[int],
) -> "tuple[tuple[str, Limit], ...]":
    """Return what methods are limited to, as given or usual; raise MetaglotError for another form, method or task."""
    from metaglot.evaluation.protocol import Limit

    found: dict[str, Limit] = dict(usual)
    for text in given:
        method, _, rest = text.partition(":")
        values = dict(_pair(part) for part in words_of(rest))
        if method not in methods or not values or set(values) - set(PARTS):
            raise MetaglotError(
                f"--limit {text}: expected METHOD:shots=4+8,draws=3,without=TASK+TASK, one of these or more, of a "
                f"method that is judged: {', '.join(methods)}"
            )
        without = frozenset(values.get("without", "").split("+")) - {""}
        if absent := sorted(without - set(tasks)):
            raise MetaglotError(f"--limit {text}: no task {absent[0]!r}; there are {', '.join(tasks)}")
        shots, draws = (_numbers(text, name, values[name]) if name in values else None for name in PARTS[:2])
        if shots and (other := sorted(set(shots) - set(of_shots))):
            raise MetaglotError(f"--limit {text}: {other[0]} is none of --shots {','.join(map(str, of_shots))}")
        found[method] = Limit(shots, draws[0] if draws else None, without)
    return tuple(found.items())


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value


def _numbers(text: str, name: str, value: str) -> tuple[int, ...]:
    return tuple(numbers_of(f"--limit {text}: {name}", value.replace("+", ",")))
