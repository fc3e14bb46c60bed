"""How good predicted spans are: strict F1 over all of them or label by label, and how far probabilities can be trusted.

A span is right where its start, its end and its label are.  F1 = 2·right / (predicted + true), over all texts; the mean
over types is over those that are predicted or occur.  They are those of seqeval (strict mode, https://github.com/chakki-works/seqeval),
but that F1 is 1 where no span is to be found and none is predicted.
"""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from metaglot.data.spans import Spans
from metaglot.families.scoring import Scored, calibration_bins, calibration_error
from metaglot.metric import Measures, share

SPAN_F1 = share("span_f1", "span F1", meaning="F1 of spans, right where start, end and label are")
TYPE_F1 = share("type_f1", "macro span F1", meaning="mean over the types of F1 of spans")
SPAN_ECE = share(
    "span_ece", "span ECE", better="lower", meaning="expected calibration error of predicted spans in % (15 bins)"
)
SPAN_MEASURES: Measures = (SPAN_F1, TYPE_F1, SPAN_ECE)


def scored_spans(predicted: Sequence[Spans], truth: Sequence[Spans]) -> Scored:
    """Return the scores of spans; without probabilities (None) they count as certain."""
    right, given, true = (Counter[str]() for _ in range(3))
    confidence, hits = list[float](), list[bool]()
    for found, real in zip(predicted, truth, strict=True):
        there = set(real)
        given.update(span.label for span in found)
        true.update(span.label for span in real)
        right.update(span.label for span in found if span in there)
        confidence += [1.0 if span.probability is None else span.probability for span in found]
        hits += [span in there for span in found]
    types = sorted({*given, *true})
    each = [2 * right[name] / (given[name] + true[name]) for name in types]
    both = sum(given.values()) + sum(true.values())
    sure, correct = np.array(confidence), np.array(hits, bool)
    metrics = {
        SPAN_F1.name: 2 * sum(right.values()) / both if both else 1.0,
        TYPE_F1.name: float(np.mean(each)) if each else 1.0,
        SPAN_ECE.name: calibration_error(sure, correct) if len(sure) else 0.0,
    }
    return Scored(metrics, SPAN_MEASURES, calibration_bins(sure, correct) if len(sure) else ())
