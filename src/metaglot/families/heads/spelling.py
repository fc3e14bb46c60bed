"""How words of one language are spelt in a close one: rules by the letters around a letter, counted on pairs of words.

The two words of a pair are aligned letter by letter.  A letter of a new word becomes what it most often became among
the same letters around it: three on either side, and fewer where that was not seen often enough.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import SequenceMatcher

EDGE = "\x02\x02\x02"  # before a word and behind it
ALIKE = 0.45  # pairs below this likeness are other words, and teach no spelling
SHORT = 2  # words of so few letters stay
MOSTLY = 2 / 3  # of what is counted goes one way, or the letter stays
WIDTHS = ((3, 3, 1), (2, 2, 1), (1, 2, 2), (2, 1, 2), (1, 1, 3))  # letters before, letters behind, least count

Rules = Mapping[tuple[str, str, str], str]  # (letters before, the letter, letters behind) -> what it becomes


@dataclass(frozen=True)
class Spelling:
    """Rules of spelling.

    Parameters
    ----------
    rules : tuple of Mapping
        For each of `WIDTHS` what a letter becomes among its neighbours, itself where letters went several ways.
    """

    rules: tuple[Rules, ...]

    def word(self, word: str) -> str:
        """Return the word as it is spelt in the other language; short ones stay."""
        if len(word) <= SHORT:
            return word
        return "".join(self._letter(word, at) for at in range(len(word)))

    def _letter(self, word: str, at: int) -> str:
        for rules, (before, behind, _) in zip(self.rules, WIDTHS, strict=False):
            found = rules.get(around(word, at, before, behind))
            if found is not None:
                return found
        return word[at]


def spelling_of(pairs: Iterable[tuple[str, str]]) -> Spelling:
    """Return the rules that pairs of words have in common; pairs that are not alike are left out."""
    counts: list[defaultdict[tuple[str, str, str], Counter[str]]] = [defaultdict(Counter) for _ in WIDTHS]
    for x, y in pairs:
        if len(x) <= SHORT or SequenceMatcher(None, x, y, autojunk=False).ratio() < ALIKE:
            continue
        for at, becomes in enumerate(letters(x, y)):
            for own, (before, behind, _) in zip(counts, WIDTHS, strict=True):
                own[around(x, at, before, behind)][becomes] += 1
    return Spelling(tuple(dict(_decided(own, least)) for own, (_, _, least) in zip(counts, WIDTHS, strict=True)))


def letters(x: str, y: str) -> list[str]:
    """Return what each letter of x becomes in y; together they are y."""
    became = [""] * len(x)
    for _, i, i_end, j, j_end in SequenceMatcher(None, x, y, autojunk=False).get_opcodes():
        own = i_end - i
        for place in range(own):
            became[i + place] += y[j + place : j + place + 1] if j + place < j_end else ""
        if own < j_end - j:  # letters that y has more of belong to the one before
            became[max(i_end - 1, 0)] += y[j + own : j_end]
    return became


def around(word: str, at: int, before: int, behind: int) -> tuple[str, str, str]:
    """Return the letters before a letter, itself, and those behind it."""
    wide, place = EDGE + word + EDGE, at + len(EDGE)
    return wide[place - before : place], word[at], wide[place + 1 : place + 1 + behind]


def _decided(
    counts: Mapping[tuple[str, str, str], Counter[str]], least: int
) -> Iterator[tuple[tuple[str, str, str], str]]:
    for key, found in counts.items():
        becomes, most = found.most_common(1)[0]
        if found.total() >= least:
            yield key, becomes if most >= MOSTLY * found.total() else key[1]
