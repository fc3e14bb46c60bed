"""Placeholders in a text of a program, which its translation must keep: `%(count)d`, `%s`, `{name}` and their kin.

Those of Python and C, of Qt (`%1`, `%L1`, `%n`), of shells and PHP (`$name`, `${name}`), and of templates
(`{{ name }}`).  A translation keeps as well the tags that form pairs (`<b>…</b>`) or end themselves (`<br/>`), and the
mark before the letter that is the key of a menu (`_File`, `&File`).
"""

import re
from collections import Counter

_PLACEHOLDER = re.compile(
    r"%(?:\([^()\s]*\)|\d+\$)?[#0+\-]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|L|q|j|z|t)?[diouxXeEfFgGcrsa]"
    r"|%L?(?:[1-9]\d?|n)(?!\w)|\$\{?[A-Za-z_]\w*\}?|\{\{\s[^{}]*\s\}\}"
    r"|\{(?:[^\W\d]\w*|\d*)(?:[.\[][^{}\s]*)?(?:![rsa])?(?::[^{}\s]*)?\}"
)
_TAG = re.compile(r"<(/?)([A-Za-z][\w:.-]*)(?=[\s/>])[^<>]*>")
_KEY = re.compile(r"_(?=[^\W\d_])|&(?=[^\W\d_])(?!\w+;)")


def placeholders_in(text: str) -> Counter[str]:
    """Return the placeholders of a text, each with how often it stands there; %% and {{braces}} are none."""
    bare = re.sub(r"%%|\{\{(?!\s)|(?<!\s)\}\}", "", text)
    return Counter(found.group() for found in _PLACEHOLDER.finditer(bare))


def places_of_placeholders(text: str) -> list[tuple[int, int]]:
    """Return where each placeholder begins and ends."""
    return [found.span() for found in _PLACEHOLDER.finditer(text)]


def keeps_placeholders(source: str, target: str) -> bool:
    """Return whether a target has the placeholders of its source, each as often, in any order."""
    return placeholders_in(source) == placeholders_in(target)


def keeps_marks(source: str, target: str) -> bool:
    """Return whether a target has the placeholders, the tags and the one mark of a key that its source has."""
    keys, kept = _KEY.findall(source), _KEY.findall(target)
    return (
        keeps_placeholders(source, target) and _tags_in(source) == _tags_in(target) and (len(keys) != 1 or keys == kept)
    )


def _tags_in(text: str) -> Counter[str]:
    """Return tags by their names, "/" before those that end one; `<none>`, which nothing ends, is a word."""
    found = [(f"{tag[1]}{tag[2]}", tag[0].endswith("/>")) for tag in _TAG.finditer(text)]
    names = {name for name, _ in found}
    return Counter(name for name, whole in found if whole or name.startswith("/") or f"/{name}" in names)
