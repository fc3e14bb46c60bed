"""chrF: the F-score of the character n-grams that texts share with their references, over a whole set of texts.

    P_n, R_n: share of the n-grams written, and of the references, that both have;  n = 1 … 6, without white space
    F = (1 + β²) P R / (β² P + R),   P and R the means over n,   β = 2

Popović 2015, https://aclanthology.org/W15-3049/.  It is equal to sacrebleu's `nc:6|nw:0|space:no|eff:yes`.
"""

from collections import Counter
from collections.abc import Sequence

ORDER, BETA = 6, 2.0


def chrf(written: Sequence[str], references: Sequence[str]) -> float:  # 0 … 1
    """Return chrF of texts with one reference each; 0 where nothing is shared, or there is no text."""
    totals = [[0, 0, 0] for _ in range(ORDER)]  # n-grams written, of the references, of both
    for own, reference in zip(written, references, strict=True):
        for n, counts in enumerate(totals, start=1):
            ours, theirs = _ngrams(own, n), _ngrams(reference, n)
            if theirs:  # a reference that is shorter than n says nothing of n-grams
                counts[0] += ours.total()
            counts[1] += theirs.total()
            counts[2] += (ours & theirs).total()
    judged = [counts for counts in totals if counts[0] and counts[1]]
    if not judged:
        return 0.0
    precision = sum(both / ours for ours, _, both in judged) / len(judged)
    recall = sum(both / theirs for _, theirs, both in judged) / len(judged)
    weighted = BETA**2 * precision + recall
    return (1 + BETA**2) * precision * recall / weighted if weighted else 0.0


def _ngrams(text: str, n: int) -> Counter[str]:
    letters = "".join(text.split())
    return Counter(letters[at : at + n] for at in range(len(letters) - n + 1))
