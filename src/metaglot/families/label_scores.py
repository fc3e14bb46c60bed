"""How good sets of labels are: F1 over labels, over all decisions, and the calibration of their probabilities."""

from collections.abc import Callable, Sequence
from typing import cast

import numpy as np
from sklearn.metrics import f1_score

from metaglot.families.records import Predictions
from metaglot.families.scoring import Scored, calibration_bins, calibration_error, check_values
from metaglot.metric import MACRO_F1, Measures, share

LABELS = frozenset[str]
MICRO_F1 = share("micro_f1", "micro F1")
LABEL_ECE = share("ece", "ECE", better="lower", meaning="expected calibration error of the labels in % (15 bins)")
LABEL_MEASURES: Measures = (MACRO_F1, MICRO_F1, LABEL_ECE)


def scored_labels(predicted: Predictions, truth: Sequence[LABELS]) -> Scored:
    """Return macro F1 over the labels that are given or occur, micro F1, and the calibration error."""
    values = predicted.values
    check_values(values, (len(truth), len(predicted.outputs)))
    labels = sorted(frozenset(predicted.outputs).union(*truth))
    given, true = (
        np.array([[label in own for label in labels] for own in side]) for side in (predicted.targets, truth)
    )
    columns, there = [labels.index(label) for label in predicted.outputs], (given | true).any(0)
    right = true[:, columns].ravel()
    given, true = given[:, there], true[:, there]
    metrics = {
        MACRO_F1.name: _f1(true, given, "macro"),
        MICRO_F1.name: _f1(true, given, "micro"),
        LABEL_ECE.name: calibration_error(values.ravel(), right),
    }
    return Scored(metrics, LABEL_MEASURES, calibration_bins(values.ravel(), right))


def _f1(true: np.ndarray, given: np.ndarray, average: str) -> float:
    """Return F1 of what is given, 1 where nothing was to be given and nothing is."""
    score = cast("Callable[..., float]", f1_score)  # its annotations are wrong about zero_division
    return float(score(true, given, average=average, zero_division=0.0)) if true.shape[1] else 1.0
