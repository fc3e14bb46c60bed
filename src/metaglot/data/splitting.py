"""A text cut into sentences, in any language that ends them with one of a few marks.

A mark and the closing quotes and brackets after it end a sentence where white space follows (after marks of scripts
written without spaces, always), unless a small letter goes on, the mark belongs to an abbreviation or an initial, or
it stands between numbers.  An empty line always ends one.
"""

import re
from collections.abc import Iterator

from metaglot.data.minhash import UNSPACED

CLOSING = "\"'”’»›)\\]}*_"
WIDE_CLOSING = "」』）】》〉〕］｝”’"
OPENING = "\"'“‘„‚«‹([{*_¿¡—–-"

# Never the end of a sentence: a name or more follows.
TITLES = (
    "mr mrs ms messrs dr prof rev hon gen col capt lt sgt maj adm gov sen rep st mt ste jr sr esq "
    "mme mlle mm sra srta dña don fr hr frl ing dipl sig dott "
    "e.g i.e z.b d.h u.a bzw ca cf vgl viz vs approx resp p.ej c.-à-d т.е т.д"
)
# Not the end where a number follows.
COUNTED = "no nos nr num vol vols fig figs p pp pg ch chap sec sect art op eq ed bd str núm стр гл"

_END = re.compile(rf"[.!?…؟۔።။]+[{CLOSING}]*\s+|[।॥][{CLOSING}]*\s*|[。！？｡．]+[{WIDE_CLOSING}]*\s*|\n\s*\n\s*")
_WORD = re.compile(r"[^\W\d_]\S*")
_TITLES, _COUNTED = frozenset(TITLES.split()), frozenset(COUNTED.split())
_LAST = re.compile(r"(?:^|[\s\"'“‘„«(\[{*_—–-])([\w.\-]*\w)$")


def split_sentences(text: str) -> list[str]:
    """Return the sentences of a text in order, white space within them as single spaces; empty ones are left out.

    Nothing but white space is lost.
    """
    return [sentence for part in _cut(text) if (sentence := " ".join(part.split()))]


def count_words(text: str) -> int:
    """Return how many words a text has: runs without white space that hold a letter; in scripts that are written
    without spaces, characters.
    """
    return len(_WORD.findall(text if text.isascii() else UNSPACED.sub(r" \g<0> ", text)))


def _cut(text: str) -> Iterator[str]:
    start = 0
    for match in _END.finditer(text):
        if _ends(text, start, match):
            yield text[start : match.end()]
            start = match.end()
    yield text[start:]


def _ends(text: str, start: int, match: re.Match[str]) -> bool:
    """Return whether what looks like the end of the sentence that begins at `start` is one."""
    mark = match[0][0]
    if mark not in ".!?…؟۔።။":
        return True
    follows = text[match.end() : match.end() + 8].lstrip(OPENING)[:1]
    if follows.islower():
        return False
    if mark != "." or match[0].startswith(".."):
        return True
    before = _LAST.search(text[max(start, match.start() - 24) : match.start()].rstrip())
    word = before[1] if before else ""
    number = word[-1:].isdigit()
    if number and (follows.isdigit() or not any(map(str.isalpha, text[start : match.start()]))):
        return False
    initial = (len(word) == 1 and word.isupper()) or re.fullmatch(r"(?:\w\.)+\w", word) is not None
    lower = word.lower()
    return not (initial or lower in _TITLES or (lower in _COUNTED and follows.isdigit()))
