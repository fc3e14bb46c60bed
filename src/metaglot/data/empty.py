"""Texts that are empty."""

from collections.abc import Sequence

from metaglot.errors import MetaglotError


def empty_rows(texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[int]:
    """Return the rows whose text, and second text if there is one, is white space."""
    return [i for i, text in enumerate(texts) if not text.strip() and not (pairs and pairs[i].strip())]


def check_not_all_empty(texts: Sequence[str], pairs: Sequence[str] | None = None) -> None:
    """Raise MetaglotError where no text says anything, so that nothing can be learnt."""
    if len(empty_rows(texts, pairs)) == len(texts):
        raise MetaglotError(
            f"all {len(texts)} texts are empty, so that nothing can be learnt; give texts that have words"
        )
