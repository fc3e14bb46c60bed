"""TF-IDF and logistic regression: no language model at all.

Word 1–2-grams and character 2–4-grams within words, sublinear term frequency, each block of unit length; C is
fixed.  A published fine-tune below this is a weak baseline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline

from metaglot.evaluation.baselines.method import numbered


@dataclass(frozen=True)
class Tfidf:
    """TF-IDF features with logistic regression."""

    c: float = 10.0
    name: str = "tfidf"
    model: str = "-"

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        return {"C": self.c, "words": [1, 2], "characters": [2, 4]}

    def fit(
        self, texts: Sequence[str], pairs: Sequence[str] | None, labels: Sequence[str], *, shot: int, seed: int
    ) -> "FittedTfidf":
        """Return the pipeline fitted on the support set; a pair of texts counts as one text."""
        del shot, seed
        names, numbers = numbered(labels)
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
        features = FeatureUnion([("words", words), ("characters", characters)])
        pipeline = Pipeline([("features", features), ("lr", LogisticRegression(C=self.c, max_iter=1000))])
        return FittedTfidf(names, pipeline.fit(_joined(texts, pairs), numbers))


@dataclass(frozen=True)
class FittedTfidf:
    """A fitted pipeline."""

    labels: tuple[str, ...]
    pipeline: Pipeline

    def predict_proba(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:
        """Return the probability of each label for each text, [n, C]."""
        return np.asarray(self.pipeline.predict_proba(_joined(texts, pairs)))


def _joined(texts: Sequence[str], pairs: Sequence[str] | None) -> list[str]:
    if pairs is None:
        return list(texts)
    return [f"{text}\n{pair}" for text, pair in zip(texts, pairs, strict=True)]
