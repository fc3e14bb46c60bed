"""Placeholders in a text of a program, which its translation must keep: `%(count)d`, `%s`, `{name}` and their kin.

Those of Python and C, of Qt (`%1`, `%L1`, `%n`), of shells and PHP (`$name`, `${name}`), and of templates
(`{{ name }}`).
"""

import re
from collections import Counter

_PLACEHOLDER = re.compile(
    r"%(?:\([^()\s]*\)|\d+\$)?[#0+\-]*(?:\*|\d+)?(?:\.(?:\*|\d+))?(?:hh|h|ll|l|L|q|j|z|t)?[diouxXeEfFgGcrsa]"
    r"|%L?(?:[1-9]\d?|n)(?!\w)|\$\{?[A-Za-z_]\w*\}?|\{\{\s[^{}]*\s\}\}"
    r"|\{(?:[^\W\d]\w*|\d*)(?:[.\[][^{}\s]*)?(?:![rsa])?(?::[^{}\s]*)?\}"
)


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
