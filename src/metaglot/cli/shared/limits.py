"""`--limit METHOD:shots=8,draws=3,without=a+b`: a smaller plan for an expensive method."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from metaglot.cli.shared.judging import numbers_of, words_of
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation.protocol import Limit

KEYS = ("shots", "draws", "without")


def parse_limits(
    texts: Sequence[str],
    methods: Sequence[str],
    tasks: Sequence[str],
    *,
    defaults: "Mapping[str, Limit]",
    plan_shots: Sequence[int],
) -> "tuple[tuple[str, Limit], ...]":
    """Return the limits of methods, given or by default; raise MetaglotError for a wrong form, method or task."""
    from metaglot.evaluation.protocol import Limit

    limits: dict[str, Limit] = dict(defaults)
    for text in texts:
        method, _, rest = text.partition(":")
        values = dict(_pair(part) for part in words_of(rest))
        if method not in methods or not values or set(values) - set(KEYS):
            raise MetaglotError(
                f"--limit {text}: expected METHOD:shots=4+8,draws=3,without=TASK+TASK, with one of these keys or more, "
                f"and a method that is judged: {', '.join(methods)}"
            )
        without = frozenset(values.get("without", "").split("+")) - {""}
        if absent := sorted(without - set(tasks)):
            raise MetaglotError(f"--limit {text}: no task {absent[0]!r}; there are {', '.join(tasks)}")
        shots, draws = (_numbers(text, name, values[name]) if name in values else None for name in KEYS[:2])
        if shots and (other := sorted(set(shots) - set(plan_shots))):
            raise MetaglotError(f"--limit {text}: {other[0]} is none of --shots {','.join(map(str, plan_shots))}")
        limits[method] = Limit(shots, draws[0] if draws else None, without)
    return tuple(limits.items())


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.partition("=")
    return name, value


def _numbers(text: str, name: str, value: str) -> tuple[int, ...]:
    return tuple(numbers_of(f"--limit {text}: {name}", value.replace("+", ",")))
