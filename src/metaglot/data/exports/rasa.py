"""Rasa: the examples of intents, in nlu.yml (versions 2 and 3) or in JSON (`rasa_nlu_data`).

https://legacy-docs-oss.rasa.com/docs/rasa/training-data-format/
"""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from metaglot.data.columns import Pick, Raw
from metaglot.data.exports.answers import as_list, as_object
from metaglot.data.span_marks import without_marks
from metaglot.data.yamltext import parse_yaml
from metaglot.errors import MetaglotError

FORM = "Rasa"
_ENTITY = re.compile(r"\[([^\[\]]+)\](?:\([^()]*\)|\{[^{}]*\})")  # [Berlin](city), [Berlin]{"entity": "city"}


def read_nlu(path: Path, pick: Pick, text: str) -> Raw:
    """Return texts and intents of a nlu.yml; marks of entities are left out, other parts than intents are not read.

    Raises MetaglotError for YAML that is no such file.
    """
    parts = as_object(parse_yaml(text, str(path))).get("nlu")
    if not isinstance(parts, list):
        raise MetaglotError(
            f"{path}: YAML without a list called nlu, so no training data of Rasa. Give a csv or jsonl."
        )
    rows: list[tuple[str, str]] = []
    for number, part in enumerate(map(as_object, as_list(parts)), start=1):
        if "intent" in part:
            examples = _examples(part.get("examples"), f"{path}, intent {part['intent']!r} (item {number} of nlu)")
            rows += [(example, str(part["intent"])) for example in examples]
    if not rows:
        raise MetaglotError(f"{path}: nlu without examples of an intent. Give a file that holds some.")
    lines = _lines(text, [example for example, _ in rows])

    def where(row: int) -> str:
        return f"{path}, line {lines[row]}"

    if pick.cells == "spans":
        marked = [without_marks(example, where(row)) for row, (example, _) in enumerate(rows)]
        return _raw(pick, [text for text, _ in marked], [intent for _, intent in rows], where, [s for _, s in marked])
    texts: list[object] = [_ENTITY.sub(r"\1", example) for example, _ in rows]
    return _raw(pick, texts, [intent for _, intent in rows], where)


def rasa_json(path: Path, pick: Pick, value: object) -> Raw | None:
    """Return texts and intents of a JSON file of Rasa; None for what is none."""
    data = as_object(as_object(value).get("rasa_nlu_data"))
    examples = [as_object(one) for one in as_list(data.get("common_examples"))]
    if not examples:
        return None
    texts, intents = ([one.get(name) for one in examples] for name in ("text", "intent"))
    spans = [as_list(one.get("entities")) for one in examples] if pick.cells == "spans" else None
    return _raw(pick, texts, intents, lambda row: f"{path}, example {row + 1}", spans)


def _raw(
    pick: Pick,
    texts: Sequence[object],
    intents: Sequence[object],
    where: Callable[[int], str],
    spans: Sequence[object] | None = None,
) -> Raw:
    """Return the picked columns; labels are the intents unless there are spans."""
    named = {"text": texts, "label": intents if spans is None else spans, "intent": intents}
    chosen = pick(list(named))
    return Raw(
        {name: named[column] for name, column in chosen.items()}, where, form=FORM, file_columns=("text", "intent")
    )


def _examples(value: object, where: str) -> list[str]:
    """Return examples: lines that begin with a dash, or a list of texts or of {text: …}."""
    if isinstance(value, list):
        texts = [as_object(one).get("text", one) for one in as_list(value)]
        bad = next((one for one in texts if not isinstance(one, str)), None)
        if bad is not None:
            raise MetaglotError(f"{where}: an example is {bad!r:.60}, not a text. Write it in quotes.")
        return [str(one).strip().removeprefix("- ") for one in texts]
    if not isinstance(value, str):
        raise MetaglotError(f"{where}: no examples. Write them as lines that begin with a dash, below `examples: |`.")
    lines = [line.strip() for line in value.split("\n") if line.strip()]
    return [line.removeprefix("-").strip() for line in lines]


def _lines(text: str, examples: list[str]) -> list[int]:
    """Return the line (from 1) of each example, which stand in this order."""
    lines = text.split("\n")
    at, numbers = 0, list[int]()
    for example in examples:
        first = example.split("\n")[0]
        at = next((i for i in range(at, len(lines)) if first in lines[i]), at)
        numbers.append(at + 1)
        at += 1
    return numbers
