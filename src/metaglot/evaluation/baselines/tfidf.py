"""TF-IDF and a plain linear model, logistic regression or ridge: no language model at all.

Word 1–2-grams and character 2–4-grams within words, sublinear term frequency, each block of unit length; C is
fixed.  A published fine-tune below this is a weak baseline.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.pipeline import FeatureUnion

from metaglot.adaptation.checks import chooses
from metaglot.data.examples import Examples, Inputs
from metaglot.evaluation.baselines.method import Fitted, FittedFunction, whole_texts_only
from metaglot.evaluation.baselines.ranked import ranked, words_alike
from metaglot.evaluation.baselines.start import Start
from metaglot.evaluation.baselines.written import of_nearest
from metaglot.families.family import AnyFamily


@dataclass(frozen=True)
class Tfidf:
    """TF-IDF features with the linear model of the kind of task (`Family.linear`)."""

    c: float = 10.0
    name: str = "tfidf"
    model: str = "-"

    @classmethod
    def begin(cls, start: Start) -> "Tfidf":
        """Return the baseline, which needs no model."""
        del start
        return cls()

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        return {"C": self.c, "words": [1, 2], "characters": [2, 4]}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason why it cannot learn a kind of task; None for those that are about whole texts."""
        return (
            None if chooses(family) or family.writes else whole_texts_only(family, "it counts the words of whole texts")
        )

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the model fitted on the support set; a pair of texts counts as one text.

        Candidates are ranked by the words that they share with their text.  A text that is written is the target of the
        example whose source is most like the new one, by n-grams of characters.
        """
        del shot, seed
        if family.writes is not None:
            return of_nearest(family, support)
        words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"(?u)\b\w+\b")
        if chooses(family):
            return ranked(family, support, words_alike(words, support))
        characters = TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True)
        texts = _join_pairs(support.inputs)
        blocks = [("words", words), ("characters", characters)]
        features = FeatureUnion(
            [(name, block) for name, block in blocks if _has_features(block, texts)] or [("none", _ZeroFeature())]
        )
        schema = family.schema(support.targets)
        linear = family.linear(features.fit_transform(texts), support.targets, schema, c=self.c)
        return FittedFunction(family, schema, lambda inputs: linear.values(features.transform(_join_pairs(inputs))))


class _ZeroFeature(BaseEstimator, TransformerMixin):
    """One feature that is always zero, for texts without features."""

    def fit(self, texts: Sequence[str], y: object = None) -> "_ZeroFeature":
        del texts, y
        return self

    def transform(self, texts: Sequence[str]) -> np.ndarray:
        return np.zeros((len(texts), 1))


def _has_features(block: TfidfVectorizer, texts: Sequence[str]) -> bool:
    """Whether any of the texts has a feature: an emoji has characters but no word, an empty text has neither."""
    analyse = block.build_analyzer()
    return any(analyse(text) for text in texts)


def _join_pairs(inputs: Inputs) -> list[str]:
    return [text if pair is None else f"{text}\n{pair}" for text, pair in inputs.rows()]
