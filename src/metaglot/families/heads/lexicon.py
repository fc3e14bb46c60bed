"""A lexicon between close languages, in closed form: what stands in the place of each word, from a few pairs of texts.

Words are aligned by the first model of Brown et al. 1993 (https://aclanthology.org/J93-2003/), whose chances t(y | x)
are found by expectation maximisation; where a word stands and how it is spelt say beforehand which pairs are likely:

    p(x_i ~ y_j) ∝ t(y_j | x_i) · (0.3 + likeness(x_i, y_j)) · exp(−2 |i/I − j/J|)

A word that the examples do not have is spelt anew (`spelling.py`), since close languages differ by few rules.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from metaglot.data.placeholders import places_of_placeholders
from metaglot.data.words import words
from metaglot.families.heads.spelling import Spelling, spelling_of

ROUNDS = 8  # of expectation maximisation; more change nothing that can be seen
NOWHERE = 0.3  # the weight of a word that stands for no word of the source
APART = 2.0  # how much less likely a pair is whose words stand at opposite ends
AROUND = 256  # words of a longer source that a word of its target is put beside: all would take the square of the time
DOTTED = "\u0130"  # İ
SURE = 0.5  # the chance from which on a word is put in the place of another
SPELT = 0.35  # the chance that a word is right which no example has
ENDINGS = (
    "avi|bak|bat|bib|bin|bmp|bz2|c|cc|cfg|class|com|conf|cpp|cs|css|csv|cxx|d|dat|db|deb|dll|doc|docx|edu|el|eps|"
    "epub|exe|fm|gif|go|gov|gz|h|hpp|htm|html|ico|ics|img|info|ini|io|iso|jar|java|jpeg|jpg|js|json|jsx|key|kt|lock|"
    "log|lua|m|mat|md|mk|mkv|mo|mov|mp3|mp4|mpeg|net|odp|ods|odt|ogg|org|patch|pdf|pem|php|pl|plist|pm|png|po|pot|"
    "ppt|pptx|ps|psd|py|pyc|rar|rb|rc|rpm|rs|rst|rtf|scss|sh|so|sql|srt|svg|swf|swift|tar|tex|tgz|tif|tiff|toml|ts|"
    "tsv|ttf|txt|uk|vue|wav|webm|webp|woff|xhtml|xls|xlsx|xml|xsl|xz|yaml|yml|zip|zst"
)
"""What names of files and of hosts end with; "approx.ten" is two words, between which a space is missing."""
READ_BY_PROGRAMS = re.compile(
    r"</?\w[^<>]*>|&\w+;|\b\w+://\S+|(?<![\w.+-])[\w.+-]+@[\w-]+\.\w+|`[^`]*`"
    r"|\b\w+(?:\.\w+){2,}|\b\w\.[a-z]{1,4}\b|\b(?=[^\W\d_]*[\d_])\w+\.[a-z]{1,4}\b"
    rf"|\b\w+\.(?:{ENDINGS})\b(?![.]\w)"
    r"|\{\{[^{}]*\}\}|\{%[^{}]*%\}|\$\w+|%\w+%|%[A-Za-z]\b|(?<![\w:/])[@:][A-Za-z_]\w*|(?<!\S)(?:--\w[\w-]*|-\w\b)"
)
"""Tags, entities, addresses, names of files, code, what other programs fill in, and options of commands."""
_CASES = re.compile(
    r"\{\s*\w+\s*,\s*(?:plural|select|selectordinal)\s*,(?:\s*offset:\d+)?|(?<![\w{])(?:=\d+|\w+)\s*(?=\{)"
)
_FORMATTED = re.compile(r"\{\s*\w+\s*,\s*\w+\s*(?:,[^{}]*)?\}")
"""Numbers and dates of ICU messages; `_CASES` are their choices: {count, plural, one {# file} other {# files}}."""


class Written(NamedTuple):
    """A text in the other language, and how sure its words are."""

    text: str
    chance: float  # the mean over its words
    least: float = 1.0  # that of the word that is least sure


@dataclass(frozen=True)
class Lexicon:
    """What words become.

    Parameters
    ----------
    words : Mapping of str to str
        A word of the target language for a word of the source language, both in small letters.
    chances : Mapping of str to float
        The chance of each, from 0 to 1.
    spelling : Spelling
        How other words are spelt.
    """

    words: Mapping[str, str]
    chances: Mapping[str, float]
    spelling: Spelling

    def write(self, text: str) -> Written:
        """Return the text word by word; what is no word stays as it is."""
        written: list[str] = []
        chances: list[float] = []
        done = 0
        for begin, end in spoken(text):
            found = text[begin:end]
            word = in_small_letters(found)
            known = word in self.words
            written += text[done:begin], cased(self.words[word] if known else self.spelling.word(word), found)
            chances.append(self.chances[word] if known else SPELT)
            done = end
        return Written(
            "".join([*written, text[done:]]), float(np.mean(chances)) if chances else 1.0, min(chances, default=1.0)
        )


def lexicon_of(sources: Sequence[str], targets: Sequence[str]) -> Lexicon:
    """Return the lexicon of pairs of texts that say the same in two languages."""
    pairs = [(_words(source), _words(target)) for source, target in zip(sources, targets, strict=True)]
    chances = aligned([(x, y) for x, y in pairs if x and y])
    best = {x: max(ys, key=lambda y: (ys[y], y)) for x, ys in chances.items()}
    sure = {x: y for x, y in best.items() if chances[x][y] >= SURE}
    return Lexicon(sure, {x: chances[x][y] for x, y in sure.items()}, spelling_of(sure.items()))


def aligned(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> dict[str, dict[str, float]]:
    """Return t(y | x) for the words x of the first texts and y of the second ones that may stand for each other."""
    table = _Entries.of(pairs)
    chances = table.prior
    for _ in range(ROUNDS):
        parts = chances[table.pair] * table.weight
        parts /= np.bincount(table.target, parts)[table.target]
        counts = np.bincount(table.pair, parts, minlength=len(table.names))
        chances = counts / np.bincount(table.source, counts)[table.source]
    found: dict[str, dict[str, float]] = {}
    for (x, y), chance in zip(table.names, chances.tolist(), strict=True):
        if x:
            found.setdefault(x, {})[y] = chance
    return found


class _Entries(NamedTuple):
    """Every word of a source beside every word of its target, in flat arrays; the empty word stands for none."""

    names: list[tuple[str, str]]  # [K] the words of a pair
    source: NDArray[np.int64]  # [K] the number of the first
    prior: NDArray[np.float64]  # [K] how likely they are to stand for each other
    pair: NDArray[np.int64]  # [E] the pair that an entry is of
    target: NDArray[np.int64]  # [E] the place in a target that it explains
    weight: NDArray[np.float64]  # [E] by place and spelling

    @staticmethod
    def of(pairs: Sequence[tuple[Sequence[str], Sequence[str]]]) -> "_Entries":
        """Return the entries of pairs of texts."""
        numbers: dict[tuple[str, str], int] = {}
        words: dict[str, int] = {}
        entries: list[tuple[int, int, float]] = []
        place = 0
        for xs, ys in pairs:
            for j, y in enumerate(ys):
                for i, x in [(0, ""), *_beside(xs, (j + 0.5) / len(ys))]:
                    near = np.exp(-APART * abs((i - 0.5) / len(xs) - (j + 0.5) / len(ys)))
                    weight = near * (NOWHERE + likeness(x, y)) if x else NOWHERE
                    entries.append((numbers.setdefault((x, y), len(numbers)), place, float(weight)))
                place += 1
        names = list(numbers)
        source = [words.setdefault(x, len(words)) for x, _ in names]
        prior = [1 + 4 * likeness(x, y) ** 2 if x else NOWHERE for x, y in names]
        pair, target, weight = (np.array(column) for column in zip(*entries, strict=True)) if entries else ([], [], [])
        return _Entries(
            names,
            np.array(source, np.int64),
            np.array(prior),
            np.asarray(pair, np.int64),
            np.asarray(target, np.int64),
            np.asarray(weight, np.float64),
        )


def _beside(xs: Sequence[str], place: float) -> list[tuple[int, str]]:
    """Return the words of a source around a place from 0 to 1, each with its number from 1."""
    first = max(0, min(len(xs) - AROUND, round(place * len(xs)) - AROUND // 2))
    return list(enumerate(xs[first : first + AROUND], start=first + 1))


@lru_cache(maxsize=200_000)
def likeness(x: str, y: str) -> float:
    """Return how alike two words are spelt, from 0 to 1: twice the shared letters by all letters."""
    return SequenceMatcher(None, x, y, autojunk=False).ratio()


def cased(word: str, like: str) -> str:
    """Return a word with capital letters where the other has them: all, the first, or none.

    A word with İ is of a language whose i has a dot as a capital too, such as Turkish.
    """
    capitals = len(like) > 1 and like.isupper()  # so are those of 3D
    if not capitals and not like[:1].isupper():
        return word
    count = len(word) if capitals else 1
    first = word[:count].replace("i", DOTTED) if DOTTED in like else word[:count]
    return first.upper() + word[count:]


def in_small_letters(word: str) -> str:
    """Return a word in small letters; İ as i, of which Python makes two characters."""
    return word.replace(DOTTED, "i").lower()


def spoken(text: str) -> list[tuple[int, int]]:
    """Return where the words begin and end; signs, numbers and what is a program's are left out."""
    kept = sorted([*places_of_placeholders(text), *_of_programs(text)])
    found: list[tuple[int, int]] = []
    ahead, until = 0, 0  # of what is kept: the first that begins later, and the end of those before
    for begin, end in words(text):
        while ahead < len(kept) and kept[ahead][0] < end:
            until, ahead = max(until, kept[ahead][1]), ahead + 1
        if begin >= until and text[begin].isalnum() and not text[begin:end].isdecimal():
            found.append((begin, end))
    return found


def _of_programs(text: str) -> list[tuple[int, int]]:
    """Return where what programs read begins and ends, but for placeholders."""
    found = [found.span() for form in (READ_BY_PROGRAMS, _FORMATTED) for found in form.finditer(text)]
    return [*found, *_choices(text)] if re.search(r",\s*(?:plural|select|selectordinal)\s*,", text) else found


def _choices(text: str) -> list[tuple[int, int]]:
    """Return where choices begin and where their names stand, which no text of a choice is around."""
    found: list[tuple[int, int]] = []
    deep, done = 0, 0  # braces that are open at `done`
    for begin, end in (case.span() for case in _CASES.finditer(text)):
        deep, done = deep + text.count("{", done, begin) - text.count("}", done, begin), begin
        if text[begin] == "{" or deep % 2:
            found.append((begin, end))
    return found


def _words(text: str) -> list[str]:
    return [in_small_letters(text[begin:end]) for begin, end in spoken(text)]
