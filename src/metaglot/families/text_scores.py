"""How good texts that were written are: chrF, BLEU, ROUGE, exact match, and how varied they are.

chrF, exact match and distinct-2 are counted here.  BLEU is sacrebleu's, whose signature stands in what the metric
means, and ROUGE-1, 2 and L are those of rouge-score with stems of words; both packages come with
`pip install "metaglot[generation]"`, and without one its metrics are left out.
"""

from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from statistics import mean
from typing import Any

from metaglot.families.chrf import chrf
from metaglot.families.scoring import Scored
from metaglot.metric import Measures, Metric, share

CHRF = share("chrf", "chrF", meaning="F2 of character n-grams of the whole set (nc:6|nw:0|space:no|eff:yes)")
EXACT = share("exact_match", "exact match", meaning="share of texts that are their reference, letter by letter")
DISTINCT = share("distinct2", "distinct-2", meaning="share of different pairs of words among all that were written")
BLEU = share("bleu", "BLEU")
ROUGE = tuple(
    share(f"rouge{n}", f"ROUGE-{n}", meaning=f"mean F1 of {what} (rouge-score with stems; letters a to z alone)")
    for n, what in (("1", "words"), ("2", "pairs of words"), ("L", "the longest common subsequence of words"))
)
TEXTS: Measures = (CHRF, EXACT, DISTINCT, BLEU, *ROUGE)


def scored_texts(written: Sequence[str], truth: Sequence[str]) -> Scored:
    """Return the metrics of texts with one reference each."""
    exact = [float(own == reference) for own, reference in zip(written, truth, strict=True)]
    metrics = {
        CHRF.name: chrf(written, truth),
        EXACT.name: mean(exact) if exact else 1.0,
        DISTINCT.name: distinct(written, 2),
    }
    bleu, found = _bleu(written, truth)
    return Scored(metrics | bleu | _rouge(written, truth), (CHRF, EXACT, DISTINCT, found, *ROUGE))


def distinct(texts: Sequence[str], n: int) -> float:
    """Return the share of different n-grams of words among all n-grams of the texts (Li et al. 2016); 0 without any.

    https://aclanthology.org/N16-1014/
    """
    every = [tuple(words[at : at + n]) for words in map(str.split, texts) for at in range(len(words) - n + 1)]
    return len(set(every)) / len(every) if every else 0.0


def _bleu(written: Sequence[str], truth: Sequence[str]) -> tuple[dict[str, float], Metric]:
    """Return BLEU by its name, and the metric with its signature; nothing without the package."""
    if not written or find_spec("sacrebleu") is None:
        return {}, BLEU
    metric: Any = import_module("sacrebleu.metrics").BLEU()
    score = float(metric.corpus_score(list(written), [list(truth)]).score) / 100
    return {BLEU.name: min(1.0, score)}, replace(BLEU, meaning=f"sacrebleu {metric.get_signature()}")


def _rouge(written: Sequence[str], truth: Sequence[str]) -> dict[str, float]:
    """Return the mean F1 of ROUGE by the names of the metrics; nothing without the package."""
    if not written or find_spec("rouge_score") is None:
        return {}
    names = [metric.name for metric in ROUGE]
    scorer: Any = import_module("rouge_score.rouge_scorer").RougeScorer(names, use_stemmer=True)
    scores = [scorer.score(reference, own) for own, reference in zip(written, truth, strict=True)]
    return {name: mean(float(one[name].fmeasure) for one in scores) for name in names}
