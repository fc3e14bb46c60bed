"""Questions that hold their candidates: `{"stem": "…", "choices": [{"label": "A", "text": "…"}, …]}`.

So the first files of ARC and CommonsenseQA are written.
"""

from collections.abc import Mapping, Sequence
from typing import cast

STEMS = ("stem", "text", "question")


def unfolded(texts: Sequence[object]) -> tuple[list[object], list[object]] | None:
    """Return the text of each question, and what holds its candidates; None where some question has no such parts."""
    stems = [_part(one, STEMS) for one in texts]
    lists = [_part(one, ("choices",)) for one in texts]
    whole = bool(texts) and all(one is not None for one in (*stems, *lists))
    return (stems, lists) if whole else None


def _part(question: object, names: Sequence[str]) -> object:
    if not isinstance(question, Mapping):
        return None
    parts = cast("Mapping[str, object]", question)
    return next((parts[name] for name in names if parts.get(name) is not None), None)
