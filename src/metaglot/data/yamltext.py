"""YAML as recipes hold it: 1e-4 is a number, no key stands twice, nothing leads in a circle or swells beyond bounds."""

import re
import reprlib
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, cast

import yaml

from metaglot.errors import MetaglotError

SIZE = 1 << 20  # bytes of a recipe
VALUES = 20_000  # of a recipe, aliases written out
DEPTH = 50


def parse_yaml(text: str, where: str) -> Any:
    """Return the plain values of a YAML text.

    Raises MetaglotError that begins with `where` for text that is not YAML, too large or too deep, for an alias that
    holds itself, and for aliases that stand for more than VALUES values.
    """
    if len(text) > SIZE:
        raise MetaglotError(f"{where}: more than {SIZE >> 20} MiB of YAML; a recipe is a page of settings")
    try:
        value: object = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise MetaglotError(f"{where}: not valid YAML: {' '.join(str(error).split())[:400]}") from error
    except (ValueError, OverflowError, LookupError) as error:  # month 99, a number of 5,000 digits, `!!int` of nothing
        raise MetaglotError(f"{where}: not valid YAML: {str(error)[:200]}") from error
    except RecursionError as error:
        raise MetaglotError(f"{where}: nested too deep; settings stand at most {DEPTH} levels deep") from error
    _measure(value, where, {}, depth=0)
    return value


def shown(value: object) -> str:
    """Return a value as a message shows it: its first 80 characters."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a number of more than 30 digits"
    short = reprlib.Repr()
    short.maxstring = short.maxother = 80
    short.maxlevel = 3
    text = short.repr(value)
    return text if len(text) <= 200 else f"{text[:199]}…"


class _Loader(yaml.SafeLoader):
    """YAML in which 1e-4 is a number (YAML 1.1 wants 1.0e-4) and a key must not stand twice."""

    def flatten_mapping(self, node: Any) -> None:
        """Write merged keys (`<<: *base`) out, of which every level may multiply those of the level before."""
        super().flatten_mapping(node)
        if len(node.value) > VALUES:
            raise yaml.constructor.ConstructorError(
                None, None, f"merged keys (<<) stand for more than {VALUES:,} values", node.start_mark
            )

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":  # <<: *base
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                break  # refused below
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key!r:.60} stands twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?([0-9][0-9_]*(\.[0-9_]*)?|\.[0-9]+)([eE][-+]?[0-9]+)$"),
    list("-+0123456789."),
)


def _measure(value: object, where: str, sizes: dict[int, int], *, depth: int) -> int:
    """Return how many values `value` holds, aliases written out; each object is looked at once.

    A 0 in `known` marks what is being measured: meeting it again is a circle.
    """
    if isinstance(value, Mapping):
        inner = list(cast("Mapping[object, object]", value).values())
    elif isinstance(value, Sequence | set | frozenset) and not isinstance(value, str | bytes):
        inner = list(cast("Sequence[object]", value))
    else:
        return 1
    if sizes.get(id(value)) == 0:
        raise MetaglotError(f"{where}: an alias (*name) stands within what it names; write the values out")
    if depth > DEPTH:
        raise MetaglotError(f"{where}: nested too deep; settings stand at most {DEPTH} levels deep")
    if id(value) not in sizes:
        sizes[id(value)] = 0
        sizes[id(value)] = 1 + sum(_measure(one, where, sizes, depth=depth + 1) for one in inner)
    if sizes[id(value)] > VALUES:
        raise MetaglotError(f"{where}: its aliases (*name) stand for more than {VALUES:,} values; write less")
    return sizes[id(value)]
