"""How well texts come out of a near language: chrF of what a lexicon writes, on examples that were set aside.

Examples of one text stand in one fold, so that none is judged by its own answer.
"""

from collections.abc import Sequence
from typing import NamedTuple

from metaglot.families.chrf import chrf
from metaglot.families.heads.lexicon import lexicon_of

FOLDS = 5
MOST = 1000  # examples that are judged by, so that it stays a matter of seconds

Pair = tuple[str, str]
"""A text in the near language, and in one's own."""


class Judged(NamedTuple):
    """How good texts are that were set aside."""

    written: float  # chrF of what is written, 0 … 1
    copied: float  # chrF of the near language's texts as they are
    texts: int


def judged(pairs: Sequence[Pair]) -> Judged | None:
    """Return how well a lexicon of four fifths of the pairs writes the others; None for fewer than two texts."""
    few = pairs[:: max(1, -(-len(pairs) // MOST))]
    texts = {text: number for number, text in enumerate(dict.fromkeys(text for text, _ in few))}
    if len(texts) < 2:
        return None
    folds = min(FOLDS, len(texts))
    written: list[str] = []
    order: list[Pair] = []
    for fold in range(folds):
        inside = [pair for pair in few if texts[pair[0]] % folds != fold]
        outside = [pair for pair in few if texts[pair[0]] % folds == fold]
        lexicon = lexicon_of([text for text, _ in inside], [target for _, target in inside])
        written += [lexicon.write(text).text for text, _ in outside]
        order += outside
    targets = [target for _, target in order]
    return Judged(chrf(written, targets), chrf([text for text, _ in order], targets), len(order))
