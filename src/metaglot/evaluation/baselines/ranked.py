"""Candidates by a score that looks at a text and at each of them: none, the words that agree, frozen features."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from metaglot.data.candidates import Choice, candidates_in
from metaglot.data.examples import Examples, Inputs
from metaglot.evaluation.baselines.features import FeatureEncoder
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions, Schema

Scores = Callable[[Inputs], Sequence[np.ndarray]]  # of each text those of its candidates
SHARP = 10.0  # of cosines, as logits


@dataclass(frozen=True)
class Ranked:
    """A method that ranks the candidates of a text by their scores."""

    family: AnyFamily
    schema: Schema
    scores: Scores

    def predict(self, inputs: Inputs) -> Predictions:
        """Return the candidate of the highest score of each text, with softmax probabilities."""
        found: list[Choice] = []
        for own in self.scores(inputs):
            chances = np.exp(own - own.max())
            found.append(Choice(int(own.argmax()), probabilities=tuple((chances / chances.sum()).tolist())))
        columns = self.family.columns(self.schema)
        return Predictions(columns, np.zeros((len(found), len(columns))), found)


def ranked(family: AnyFamily, support: Examples[Any], scores: Scores) -> Ranked:
    """Return the ranking by these scores."""
    return Ranked(family, family.schema(support.targets), scores)


def lists_of(inputs: Inputs) -> list[tuple[str, ...]]:
    """Return the candidates of each text."""
    return [candidates_in(cell, "the candidates") for cell in inputs.pairs or ()]


def even(inputs: Inputs) -> list[np.ndarray]:
    """Return the same score for every candidate: at random."""
    return [np.zeros(len(own)) for own in lists_of(inputs)]


def words_alike(vectors: TfidfVectorizer, support: Examples[Any]) -> Scores:
    """Return the cosine of TF-IDF vectors of a text and a candidate; words are weighed on the support set."""
    vectors.fit([*support.inputs.texts, *(one for own in lists_of(support.inputs) for one in own)])
    counted = cast("Any", vectors).transform  # gives sparse matrices, whose type scikit-learn does not say

    def scores(inputs: Inputs) -> list[np.ndarray]:
        pairs = zip(inputs.texts, lists_of(inputs), strict=True)
        return [SHARP * (counted(own) @ counted([text]).T).toarray()[:, 0] for text, own in pairs]

    return scores


def features_alike(encoder: FeatureEncoder) -> Scores:
    """Return the cosine of the features of a text and a candidate."""

    def scores(inputs: Inputs) -> list[np.ndarray]:
        lists = lists_of(inputs)
        different = list(dict.fromkeys([*inputs.texts, *(one for own in lists for one in own)]))
        number = {text: i for i, text in enumerate(different)}
        features = encoder.embed(Inputs(tuple(different)))
        return [
            SHARP * features[[number[one] for one in own]] @ features[number[text]]
            for text, own in zip(inputs.texts, lists, strict=True)
        ]

    return scores
