"""An algorithm from plain values, as a recipe or a saved run gives them."""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args, get_origin

from metaglot.algorithms.anil import anil
from metaglot.algorithms.gradient_based import GradientBased
from metaglot.algorithms.imaml import imaml
from metaglot.algorithms.joint import Joint
from metaglot.algorithms.maml import fomaml, maml
from metaglot.algorithms.maml_plus_plus import maml_plus_plus
from metaglot.algorithms.meta_curvature import meta_curvature
from metaglot.algorithms.meta_sgd import meta_sgd
from metaglot.algorithms.metanet import metanet_1, metanet_n
from metaglot.algorithms.protonet import protonet
from metaglot.algorithms.reml import reml
from metaglot.algorithms.reptile import reptile
from metaglot.algorithms.sequential_reptile import SequentialReptile, sequential_reptile
from metaglot.algorithms.transfer import joint, transfer
from metaglot.errors import MetaglotError
from metaglot.models import All, Head, HeadOnly, Lora, Named, Prototypes, Scope, Zeros

T = TypeVar("T")

ALGORITHMS: dict[str, Any] = {
    "joint": joint,
    "transfer": transfer,
    "protonet": protonet,
    "maml": maml,
    "fomaml": fomaml,
    "anil": anil,
    "imaml": imaml,
    "reptile": reptile,
    "sequential-reptile": sequential_reptile,
    "meta-sgd": meta_sgd,
    "maml++": maml_plus_plus,
    "meta-curvature": meta_curvature,
    "reml": reml,
    "metanet-1": metanet_1,
    "metanet-n": metanet_n,
}


def build_algorithm(name: str, options: Mapping[str, Any] | None = None) -> GradientBased | Joint | SequentialReptile:
    """Return the algorithm `name` with its options.

    Options are those of the function of that name; `head` is `zeros`, `prototypes` or `euclidean-prototypes`;
    `scope` is `all`, `head`, a list of name patterns, or `{lora: {rank: 8, targets: [query, value]}}`.
    Raises MetaglotError for unknown names and options, with the nearest known ones.
    """
    make = ALGORITHMS.get(name)
    if make is None:
        raise MetaglotError(f"unknown algorithm {name!r}{_near(name, ALGORITHMS)}; there are: {', '.join(ALGORITHMS)}")
    known = inspect.signature(make).parameters
    values = dict(options or {})
    for key, value in values.items():
        if key not in known:
            raise MetaglotError(
                f"algorithm {name}: unknown option {key!r}{_near(key, known)}; it has {', '.join(known)}"
            )
        values[key] = _value(f"algorithm {name}: {key}", key, value, known[key])
    return make(**values)


def _value(where: str, key: str, value: Any, option: inspect.Parameter) -> Any:
    default = option.default
    if key == "head":
        return _head(where, value)
    if key == "scope":
        return _scope(where, value)
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


def _head(where: str, value: Any) -> Head:
    heads: dict[str, Head] = {
        "zeros": Zeros(),
        "prototypes": Prototypes(),
        "euclidean-prototypes": Prototypes(metric="euclidean"),
    }
    return _one_of(where, value, heads)


def _one_of(where: str, value: Any, choices: Mapping[str, T]) -> T:
    if not isinstance(value, str) or value not in choices:
        raise MetaglotError(f"{where}: expected one of {', '.join(choices)}, got {value!r}{_near(str(value), choices)}")
    return choices[value]


def _scope(where: str, value: Any) -> Scope:
    if value == "all":
        return All()
    if value == "head":
        return HeadOnly()
    if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
        return Named(tuple(value))
    if isinstance(value, Mapping) and set(value) == {"lora"} and isinstance(value["lora"], Mapping):
        options = dict(value["lora"])
        if set(options) <= {"rank", "targets"}:
            rank, targets = options.get("rank", 8), options.get("targets", ["query", "value"])
            if not isinstance(targets, list):
                raise MetaglotError(f"{where}.lora.targets: expected a list of names, got {targets!r}")
            return Lora(rank=_typed(f"{where}.lora.rank", rank, int), targets=tuple(map(str, targets)))
    raise MetaglotError(
        f"{where}: expected all, head, a list of name patterns, or {{lora: {{rank: 8, targets: [query, value]}}}}; "
        f"got {value!r}"
    )


def _near(name: str, known: Mapping[str, Any]) -> str:
    close = get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean {close[0]!r}?)" if close else ""
