"""A server of many adapted tasks over one model, and the client that talks to it.

Nothing is imported before its first use: the client needs no torch, and a command needs no client.
"""

import typing as _typing

from metaglot.choices import Choices as _Choices

if _typing.TYPE_CHECKING:
    from metaglot.serving.client import Client

__all__ = ["Client"]

_LAZY: _Choices[_typing.Any] = _Choices({"Client": "metaglot.serving.client:Client"})


def __getattr__(name: str) -> _typing.Any:
    """Return a public name, whose module is imported at its first use."""
    if name in _LAZY:
        return _LAZY[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
