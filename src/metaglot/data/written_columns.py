"""Columns of a file that hold sources and the texts that are written for them, or chats, of which they are made.

The pair of columns goes by the names of its kind: source and target of translations, document and summary, question
and answer, and so on.  A chat is a list of messages, each with a role and its content: what the assistant says last is
the target, and all before it the source.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import NamedTuple, TypeAlias, cast

import pyarrow as pa

from metaglot.choices import Cells
from metaglot.data.labels import is_absent, scalar_of
from metaglot.data.messages import messages_of
from metaglot.errors import MetaglotError

Values: TypeAlias = Sequence[object] | pa.ChunkedArray
Where: TypeAlias = Callable[[int], str]
WRITING = "generation"
"""The kind of task that writes, as `choices.FAMILIES` names it."""
WRITTEN_ROLES = ("messages",)
"""The column that is read where texts are written, beside the canonical ones."""
ASKED = "asked"
"""The role of a chat that is to be answered."""
NO_TARGET = "no row has a target"
"""The note on a file whose column of targets is empty."""
_PAIRS = (
    ("source", "target"),
    ("src", "tgt"),
    *product(("document", "article", "dialogue", "text"), ("summary", "highlights")),
    *product(("question", "prompt", "instruction", "query"), ("answer", "response")),
    *product(("prompt", "instruction"), ("completion", "output", "reply")),
    ("input", "output"),
    ("text", "target"),
    ("text", "label"),
    ("source", "label"),
)
_BESIDE = {"instruction": "input", "question": "context"}  # the column that a source may have below it
_ASSISTANT = ("assistant", "gpt", "model", "bot")
_CHATS = ("messages", "conversations", "conversation")


class FoundTexts(NamedTuple):
    """The columns of a file with sources as `text`, and the targets as cells."""

    columns: Mapping[str, Values]
    cells: list[str | None] | None = None  # None: the file has sources alone
    notes: tuple[str, ...] = ()


def written_roles(
    columns: Sequence[str], chosen: Mapping[str, str], wanted: Mapping[str, str], cells: Cells
) -> dict[str, str]:
    """Return {role: column of the file} for a source and its target, or for a chat; nothing for other kinds.

    Raises MetaglotError where several pairs of columns could be meant and none is asked for.
    """
    if cells != "texts":
        return {}
    names = {column.casefold(): column for column in reversed(columns)}
    chats = [wanted["messages"]] if "messages" in wanted else [names[one] for one in _CHATS if one in names]
    if chats and not {"text", "label"} & wanted.keys():
        return {"messages": chats[0]}
    pairs = [(names[one], names[other]) for one, other in _PAIRS if one in names and other in names]
    text, label = wanted.get("text", ""), wanted.get("label", "")
    fitting = [pair for pair in pairs if text in ("", pair[0]) and label in ("", pair[1])]
    lone = next((names[one] for one, _ in _PAIRS if one in names), chosen.get("text", ""))
    source, target = fitting[0] if fitting else (text or lone, label or chosen.get("label", ""))
    found = {"text": text or source, "label": label or target}
    beside = names.get(_BESIDE.get(found["text"].casefold(), ""), "")
    if beside and "text_pair" not in wanted and beside not in found.values():
        found["text_pair"] = beside
    return {role: column for role, column in found.items() if column}


def read_written(columns: Mapping[str, Values], where: Where) -> FoundTexts:
    """Return the columns of a file with its sources as `text`, and its targets as cells.

    Raises MetaglotError that names the row for a chat without a last word of the assistant, and for a target that is no
    text.
    """
    rest = {name: values for name, values in columns.items() if name not in ("label", ASKED, *WRITTEN_ROLES)}
    if ASKED in columns:
        chats = [_asked(value, where(row)) for row, value in enumerate(_listed(columns[ASKED]))]
        return FoundTexts({**rest, "text": chats})
    if "messages" in columns:
        chats = [_chat(value, where(row)) for row, value in enumerate(_listed(columns["messages"]))]
        return FoundTexts({**rest, "text": [source for source, _ in chats]}, [target for _, target in chats])
    if "text_pair" in rest:
        rest["text_pair"] = [None if is_absent(value) else value for value in _listed(rest["text_pair"])]
    if "label" not in columns:
        return FoundTexts(rest)
    found = [_target(value, where(row)) for row, value in enumerate(_listed(columns["label"]))]
    missing = sum(one is None for one in found)
    untold = NO_TARGET if missing == len(found) else f"{missing} rows have no target"
    notes = (untold,) if missing else ()
    return FoundTexts(rest, found if missing < len(found) else None, notes)


def _target(value: object, where: str) -> str | None:
    value = scalar_of(value)
    if is_absent(value):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise MetaglotError(f"{where}: the target is {value!r:.60}, not a text. Write it in quotes.")
    return str(value).strip() or None


def _chat(value: object, where: str) -> tuple[str, str]:
    """Return what comes before the last reply of the assistant, and that reply."""
    messages = messages_of(value, where)
    last = next((i for i, (role, _) in reversed(list(enumerate(messages))) if role in _ASSISTANT), None)
    if not last or not messages[last][1].strip():
        raise MetaglotError(f"{where}: a chat needs a message of the assistant behind another one; it is the target.")
    return _source(messages[:last]), messages[last][1].strip()


def _asked(value: object, where: str) -> str:
    """Return what is to be answered: a whole chat, or what comes before the reply that it ends with."""
    messages = messages_of(value, where)
    answered = len(messages) > 1 and messages[-1][0] in _ASSISTANT
    return _source(messages[:-1] if answered else messages)


def _source(messages: Sequence[tuple[str, str]]) -> str:
    """Return messages as one text, a line each; one alone as it is."""
    return messages[0][1] if len(messages) == 1 else "\n".join(f"{role}: {content}" for role, content in messages)


def _listed(values: Values) -> list[object]:
    return _plain(values) if isinstance(values, pa.ChunkedArray) else list(values)


def _plain(values: pa.ChunkedArray) -> list[object]:
    return cast("list[object]", values.to_pylist())
