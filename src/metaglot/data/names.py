"""The words in the names of classes: `card_arrival` says "card arrival", `LABEL_3` has none."""

import re
from collections.abc import Mapping, Sequence

LETTERS = 3  # in a row, that a word of an alphabet has at least
_TAG = re.compile(r"^[BIES]-(?=[A-Z])")  # of a chunk of tokens, before the name of its class
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SEPARATORS = re.compile(r"[\W_]+")


def names_of(labels: Sequence[str], said: Mapping[str, str] | None = None) -> tuple[str, ...]:
    """Return the words of each label; empty for one without words, and for those that say the same as another.

    `said` has words for some labels, which stand in place of their own.  Tokens with a digit are no words: they count
    classes, they do not describe them.
    """
    given = said or {}
    texts = [given[label].strip() if label in given else words_of(label) for label in labels]
    plain = [words if label in given else _without_codes(words) for label, words in zip(labels, texts, strict=True)]
    return tuple(words if plain.count(bare) == 1 else "" for words, bare in zip(texts, plain, strict=True))


def words_of(label: str) -> str:
    """Return a label as it would be read aloud, in lower case: `PlayMusic` as "play music"; empty if it has no word."""
    apart = _HUMP.sub(" ", _TAG.sub("", label))
    words = " ".join(_SEPARATORS.sub(" ", apart).split()).lower()
    return words if _without_codes(words) else ""


def _without_codes(words: str) -> str:
    kept = " ".join(word for word in words.split() if not any(letter.isdigit() for letter in word))
    # A sign of a script without spaces can be a word of its own; of an alphabet it takes some letters.
    return kept if re.search(rf"[^\W\d_]{{{LETTERS},}}|[^\W\d_\x00-\u024f]", kept) else ""
