"""How good predicted answers are: F1 of words and exact match, by the rules of SQuAD 2.0.

Answers are compared in small letters, without the punctuation of ASCII, the articles a, an and the, and doubled white
space.  With c words in common (as often as both have them), F1 = 2c / (words of one + words of the other); where one of
them has no word, it is 1 if both have none.  Of several right answers the best one counts.  Rajpurkar et al. 2018,
https://arxiv.org/abs/1806.03822

Means over all questions hide that "no answer" is right for every question without one, so that questions with an
answer and those without one are told apart too.  SQuAD takes a whole phrase of Chinese for one word; scripts without
spaces have F1 of characters beside it.
"""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from metaglot.data.answers import Answer
from metaglot.data.words import is_unspaced, words
from metaglot.families.scoring import Scored, calibration_bins, calibration_error
from metaglot.metric import Measures, share

ANSWER_F1 = share("answer_f1", "answer F1", meaning="mean over questions of F1 of the words of answers (SQuAD 2.0)")
EXACT_MATCH = share("exact_match", "exact match", meaning="share of questions whose answer is right word by word")
ANSWERABLE_F1 = share("answerable_f1", "F1 on the answerable", meaning="answer F1 of questions that have an answer")
UNANSWERABLE = share(
    "unanswerable", "right on the unanswerable", meaning="share of questions without an answer that are given none"
)
CHARACTER_F1 = share(
    "character_f1", "F1 of characters", meaning="answer F1 in which each character of a script without spaces is a word"
)
ANSWER_ECE = share(
    "answer_ece", "answer ECE", better="lower", meaning="expected calibration error of answers in % (15 bins)"
)
ANSWER_MEASURES: Measures = (ANSWER_F1, EXACT_MATCH, ANSWERABLE_F1, UNANSWERABLE, CHARACTER_F1, ANSWER_ECE)

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


class QuestionScore(NamedTuple):
    """How good the answer to one question is."""

    exact: float  # 1 or 0
    f1: float  # of words
    characters: float  # F1 where each character of a script without spaces is a word


def scored_answers(predicted: Sequence[Answer], truth: Sequence[Answer]) -> Scored:
    """Return the scores of answers; without probabilities (None) they count as certain.

    A metric that has no question is left out: the answerable where none has an answer, the unanswerable where all have
    one, and characters where all scripts have spaces.
    """
    scores = [question_score(a.text, (b.text, *b.also)) for a, b in zip(predicted, truth, strict=True)]
    exact, f1, characters = np.array(scores, np.float64).reshape(-1, 3).T
    there = np.array([bool(answer) for answer in truth], bool)
    confidence = np.array([1.0 if one.probability is None else one.probability for one in predicted])
    metrics = {ANSWER_F1.name: _mean(f1), EXACT_MATCH.name: _mean(exact)}
    if there.any():
        metrics[ANSWERABLE_F1.name] = _mean(f1[there])
    if not there.all():
        metrics[UNANSWERABLE.name] = _mean(f1[~there])
    if any(is_unspaced(char) for answer in truth for char in answer.text):
        metrics[CHARACTER_F1.name] = _mean(characters)
    if not len(scores):
        return Scored(metrics, ANSWER_MEASURES)
    metrics[ANSWER_ECE.name] = calibration_error(confidence, exact > 0)
    return Scored(metrics, ANSWER_MEASURES, calibration_bins(confidence, exact > 0))


def question_score(predicted: str, accepted: Sequence[str]) -> QuestionScore:
    """Return the scores of one answer against those that are right; () or ("",) where there is none."""
    right = [text for text in accepted if normal(text)] or [""]
    own = normal(predicted)
    f1 = (_f1(own.split(), normal(text).split()) for text in right)
    characters = (_f1(_units(own), _units(normal(text))) for text in right)
    return QuestionScore(max(float(own == normal(text)) for text in right), max(f1), max(characters))


def normal(text: str) -> str:
    """Return a text as answers are compared: small letters, no punctuation of ASCII, no articles, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _f1(one: Sequence[str], other: Sequence[str]) -> float:
    if not one or not other:
        return float(one == other)
    common = (Counter(one) & Counter(other)).total()
    return 2 * common / (len(one) + len(other))


def _units(text: str) -> list[str]:
    """Return the words of a text, and the characters of a script without spaces."""
    return [text[start:end] for start, end in words(text)]


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 1.0
