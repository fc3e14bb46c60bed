"""The messages of a chat as texts, each with its role.

A message that calls tools has a line of JSON for each call below what it says, {"name": …, "arguments": …}: it is what
most chat templates show of a call, each between marks of its own.  https://huggingface.co/docs/transformers/chat_extras
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any, cast

from metaglot.data.literals import literal
from metaglot.errors import MetaglotError


def messages_of(value: object, where: str) -> list[tuple[str, str]]:
    """Return role and text of each message of a chat; raise MetaglotError that names the row for what is none."""
    if isinstance(value, str):
        value = literal(value)
        if isinstance(value, str):
            raise MetaglotError(f"{where}: the messages are {value!r:.60}, not a list in JSON.")
    found: list[tuple[str, str]] = []
    for item in _items(value):
        message = cast("Mapping[str, object]", item) if isinstance(item, Mapping) else {}
        role, content = message.get("role", message.get("from")), _content(message)
        if not isinstance(role, str) or not isinstance(content, str):
            raise MetaglotError(
                f'{where}: a message is {item!r:.80}; each is {{"role": "user", "content": "what was said"}}.'
            )
        found.append((role.lower(), content))
    if not found:
        raise MetaglotError(f'{where}: the messages are {value!r:.60}; give a list of {{"role": …, "content": …}}.')
    return found


def _content(message: Mapping[str, object]) -> object:
    """Return what a message says, and the tools that it calls; its parts are a line each, where all are texts."""
    content = message.get("content", message.get("value"))
    parts = _items(content)
    texts = [cast("Mapping[str, object]", one).get("text") for one in parts if isinstance(one, Mapping)]
    plain = [text for text in texts if isinstance(text, str)]
    said = "\n".join(plain) if parts and len(plain) == len(parts) else content
    lone = message.get("function_call")
    given = _items(message.get("tool_calls")) or ([lone] if lone else [])
    calls = [_call(one) for one in given]
    if not calls or not isinstance(said, str | None):
        return said
    return None if None in calls else "\n".join([*([said] if said and said.strip() else []), *map(str, calls)])


def _call(value: object) -> str | None:
    """Return a call as JSON; None for what is none."""
    call = cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
    own = call.get("function", call)
    function = cast("Mapping[str, Any]", own) if isinstance(own, Mapping) else {}
    name, arguments = function.get("name"), function.get("arguments", {})
    if not isinstance(name, str):
        return None
    return json.dumps({"name": name, "arguments": _parsed(arguments)}, ensure_ascii=False, default=str)


def _parsed(arguments: object) -> object:
    """Return arguments that stand as text in JSON, as some services write them, as what they are."""
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except (ValueError, RecursionError):
        return arguments


def _items(value: object) -> Sequence[object]:
    return cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()
