"""Which examples are most like a text, by the n-grams of characters that they share: TF-IDF and cosine.

It needs no model, so that what examples alone can do is told by it too.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

AT_ONCE = 1 << 22  # likenesses in memory: all of 50,000 texts among 5,000 would take gigabytes


def nearest(texts: Sequence[str], among: Sequence[str], count: int) -> list[list[int]]:
    """Return for each text the numbers of the `count` nearest of others, the nearest first; of equals the first."""
    if not texts or not among or not count:
        return [[] for _ in texts]
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 4), sublinear_tf=True)
    try:
        known = vectors.fit_transform(among)
    except ValueError:  # none of them has a letter
        return [list(range(min(count, len(among)))) for _ in texts]
    found: list[list[int]] = []
    rows = max(1, AT_ONCE // len(among))
    for at in range(0, len(texts), rows):
        alike = np.asarray((vectors.transform(texts[at : at + rows]) @ known.T).todense())
        found += np.argsort(-alike, axis=1, kind="stable")[:, :count].tolist()
    return found
