"""When two texts count as the same: after folding case, punctuation and white space."""

import unicodedata


class _Fold(dict[int, str]):
    """A table for `str.translate`: punctuation, separators and controls to a space, filled as it is used."""

    def __missing__(self, code: int) -> str:
        kept = unicodedata.category(chr(code))[0] not in "PZC"
        self[code] = chr(code) if kept else " "
        return self[code]


def folded(text: str) -> str:
    """Return the text in compatibility form (NFKC), case-folded, its words parted by one space.

    A text of nothing but punctuation is only stripped.
    """
    words = unicodedata.normalize("NFKC", text).casefold().translate(_TABLE).split()
    return " ".join(words) or text.strip()


_TABLE = _Fold()
