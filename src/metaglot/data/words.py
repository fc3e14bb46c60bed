"""Words of a text in any language: what spans begin and end with.

A word is a run of letters, digits and their marks, one sign such as a comma, or one character of a script that is
written without spaces, such as Chinese or Thai.  Marks that combine belong to what they stand behind, and a sign within
a word that is not seen, such as a soft hyphen, belongs to the word.
"""

from collections.abc import Iterator
from functools import cache

import regex

UNSPACED = (
    *("Han", "Hiragana", "Katakana", "Bopomofo", "Yi", "Thai", "Lao", "Khmer", "Myanmar"),
    *("Tai_Le", "New_Tai_Lue", "Tai_Tham", "Tai_Viet", "Javanese", "Balinese"),
)
"""Scripts that are written without spaces between words, by their names in Unicode."""

_STACKS = "\u1039\u17d2\u1a60\u1b44\ua9c0"  # marks that put the next letter below the one before
_SCRIPTS = "".join(rf"\p{{scx={script}}}" for script in UNSPACED)
_ALONE = rf"[[\p{{L}}\p{{Nl}}]&&[{_SCRIPTS}]]"
_SPACE = r"\s\x1c-\x1f"  # as str.isspace has it
_FIRST = "\u0e00"  # the first character of such a script


def words(text: str) -> list[tuple[int, int]]:
    """Return where each word begins and ends, in order; all that is not white space is in one word."""
    return [found.span() for found in _word().finditer(text)]


def is_unspaced(char: str) -> bool:
    """Whether a character is of a script that is written without spaces between words."""
    return char >= _FIRST and _alone().match(char) is not None


def unseen_runs(text: str) -> Iterator[regex.Match[str]]:
    """Yield the runs of marks that combine, Korean ones too, and of unseen signs, which some tokenizers leave out."""
    return _unseen().finditer(text)


@cache
def _unseen() -> regex.Pattern[str]:
    return regex.compile(r"[\p{M}\u00ad\u1160-\u11ff\u200c\u200d\u2060\ud7b0-\ud7fb]+")


@cache
def _alone() -> regex.Pattern[str]:
    return regex.compile(rf"(?V1){_ALONE}")


@cache
def _word() -> regex.Pattern[str]:
    """Return the pattern of a word; it takes a tenth of a second to compile, which not all commands need."""
    return regex.compile(
        rf"""(?V1x)
        {_ALONE} \p{{M}}* (?: (?<=[{_STACKS}]) {_ALONE} \p{{M}}* )*
        | (?: [[\p{{L}}\p{{N}}\p{{M}}]--{_ALONE}] | [\u00ad\u200c\u200d\u2060] (?=[\p{{L}}\p{{M}}]) )+
        | [^{_SPACE}] [\p{{M}}\u200c\u200d]*
        """
    )
