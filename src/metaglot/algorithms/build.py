"""An algorithm from plain values, as a recipe or a saved run gives them."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import fields
from difflib import get_close_matches
from functools import partial
from typing import Any, Literal, TypeVar, get_args, get_origin

from metaglot.algorithms.cotrained import CoTrained
from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.joint import Joint
from metaglot.algorithms.sequential_reptile import SequentialReptile
from metaglot.choices import ALGORITHMS, HEADS, SCOPES
from metaglot.errors import MetaglotError
from metaglot.models import Prototypes

T = TypeVar("T")
AnyAlgorithm = GradientBased | Joint | SequentialReptile | CoTrained


def build_algorithm(name: str, options: Mapping[str, Any] | None = None) -> AnyAlgorithm:
    """Return the algorithm `name` with its options.

    Options are those of the function of that name; `head` and `scope` are names of `HEADS` and `SCOPES`, or such a name
    with options, as in `{generated: {layers: 3}}`; a list of name patterns is the scope `named`.
    Raises MetaglotError for unknown names and options, with the nearest known ones.
    """
    return _build(f"algorithm {name}: ", _maker(name), options or {})


def full_options(name: str, options: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the options of an algorithm with its defaults, as plain values that `build_algorithm` takes.

    What a run records: with them it stays the same algorithm when a default changes.  Raises as `build_algorithm`.
    """
    make = _maker(name)
    given = _values(f"algorithm {name}: ", make, options or {})
    defaults = {key: option.default for key, option in inspect.signature(make).parameters.items()}
    return {key: _plain(value, {"head": HEADS, "scope": SCOPES}.get(key)) for key, value in (defaults | given).items()}


def prototype_metric(name: str, options: Mapping[str, Any]) -> str:
    """Return how the prototypes of an algorithm compare: cosine for one without any, or one that cannot be built."""
    try:
        algorithm = build_algorithm(name, options)
    except MetaglotError:
        return "cosine"
    head = adapting(algorithm).head
    return head.metric if isinstance(head, Prototypes) else "cosine"


def adapting(algorithm: AnyAlgorithm) -> GradientBased:
    """Return how the algorithm adapts to one task."""
    if isinstance(algorithm, GradientBased):
        return algorithm
    return algorithm.fine_tune if isinstance(algorithm, Joint) else algorithm.alone


def has_dropout(algorithm: AnyAlgorithm) -> bool:
    """Return whether meta-training runs with dropout."""
    return algorithm.dropout if isinstance(algorithm, GradientBased | Joint) else algorithm.alone.dropout


def named(value: Any, choices: Mapping[str, Callable[..., Any]]) -> str:
    """Return the name of a choice in its dict; of several makers of one type, that whose fixed options it has."""
    best, most = type(value).__name__, -1
    for name, make in choices.items():
        kind, fixed = (make.func, make.keywords) if isinstance(make, partial) else (make, dict[str, Any]())
        fits = type(value) is kind and all(getattr(value, key) == wanted for key, wanted in fixed.items())
        if fits and len(fixed) > most:
            best, most = name, len(fixed)
    return best


def _plain(value: Any, choices: Mapping[str, Callable[..., Any]] | None = None) -> Any:
    """Return a value as JSON has it; one of `choices` by its name with its fields."""
    if choices is None:
        return list(value) if isinstance(value, tuple) else value
    return {named(value, choices): {field.name: _plain(getattr(value, field.name)) for field in fields(value)}}


def _maker(name: str) -> Callable[..., AnyAlgorithm]:
    make = ALGORITHMS.get(name)
    if make is None:
        raise MetaglotError(f"unknown algorithm {name!r}{_near(name, ALGORITHMS)}; there are: {', '.join(ALGORITHMS)}")
    return make


def _build(where: str, make: Callable[..., T], options: Mapping[str, Any]) -> T:
    """Return what `make` makes of plain values; `where` ends in what separates it from an option's name."""
    return make(**_values(where, make, options))


def _values(where: str, make: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return plain values as what `make` takes."""
    parameters = inspect.signature(make).parameters
    values = dict(options)
    for key, value in values.items():
        if key not in parameters:
            has = f"it has {', '.join(parameters)}" if parameters else "it has none"
            raise MetaglotError(f"{where[:-1].rstrip(':')}: unknown option {key!r}{_near(key, parameters)}; {has}")
        values[key] = _value(where + key, key, value, parameters[key])
    missing = [key for key, option in parameters.items() if option.default is option.empty and key not in values]
    if missing:
        raise MetaglotError(f"{where}{missing[0]}: nothing given; it is needed")
    return values


def _value(where: str, key: str, value: Any, option: inspect.Parameter) -> Any:
    default = option.default
    if value is None and type(None) in get_args(option.annotation):
        return None
    if key == "head":
        return _chosen(where, value, HEADS)
    if key == "scope":
        return _chosen(where, {"named": value} if isinstance(value, list) and value else value, SCOPES)
    if any(get_origin(kind) is tuple for kind in (option.annotation, *get_args(option.annotation))):
        return _names(where, value)
    if get_origin(option.annotation) is Literal:
        return _one_of(where, value, {choice: choice for choice in get_args(option.annotation)})
    if isinstance(default, bool):
        return _typed(where, value, bool)
    if isinstance(default, int):
        return _typed(where, value, int)
    if isinstance(default, float) or (default is None and value is not None):
        return float(_typed(where, value, (int, float)))
    if isinstance(default, str):
        return _typed(where, value, str)
    return value


def _typed(where: str, value: Any, kind: Any) -> Any:
    wrong = isinstance(value, bool) and kind is not bool
    if wrong or not isinstance(value, kind):
        expected = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise MetaglotError(f"{where}: expected {expected}, got {value!r}")
    return value


def _one_of(where: str, value: Any, choices: Mapping[str, T]) -> T:
    if not isinstance(value, str) or value not in choices:
        raise MetaglotError(f"{where}: expected one of {', '.join(choices)}, got {value!r}{_near(str(value), choices)}")
    return choices[value]


def _names(where: str, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise MetaglotError(f"{where}: expected a list of names, got {value!r}")
    return tuple(value)


def _chosen(where: str, value: Any, choices: Mapping[str, Callable[..., T]]) -> T:
    """Return the choice of a name, or of a name with options; a list of options is a list of name patterns."""
    name, options = next(iter(value.items())) if isinstance(value, Mapping) and len(value) == 1 else (value, {})
    if not isinstance(name, str) or name not in choices:
        near = _near(str(name), choices)
        patterns = ", a list of name patterns" if "named" in choices else ""
        raise MetaglotError(
            f"{where}: expected one of {', '.join(choices)}{patterns}, or one with options as in "
            f"{{{EXAMPLES[where.rpartition(' ')[2]]}}}; got {value!r}{near}"
        )
    options = {"patterns": options} if isinstance(options, list) else options
    if not isinstance(options, Mapping):
        raise MetaglotError(f"{where}.{name}: expected options by name, got {options!r}")
    return _build(f"{where}.{name}.", choices[name], options)


EXAMPLES = {"head": "generated: {layers: 3}", "scope": "lora: {rank: 8, targets: [query, value]}"}


def _near(name: str, names: Mapping[str, Any]) -> str:
    close = get_close_matches(name, list(names), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
