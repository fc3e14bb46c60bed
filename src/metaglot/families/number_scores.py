"""How good numbers are: their errors, and the order that they give."""

from collections.abc import Sequence

import numpy as np

from metaglot.families.records import Predictions
from metaglot.families.scoring import Scored, check_values, ndcg, rank_correlation
from metaglot.metric import Measures, Metric

MAE, RMSE = (
    Metric(name, name.upper(), better="lower", low=0.0, of_targets=True) for name in ("mae", "rmse")
)  # in the unit of the numbers
RELATIVE_MAE = Metric(
    "relative_mae",
    "relative MAE",
    better="lower",
    low=0.0,
    meaning="MAE divided by the MAE of the mean of the support set; 1 is no better than this mean",
)
SPEARMAN = Metric("spearman", "Spearman's ρ", low=-1.0, high=1.0)
NDCG = Metric(
    "ndcg5",
    "nDCG@5",
    low=0.0,
    high=1.0,
    meaning="nDCG of the five that come first; a number gains what it has above the least",
)
NUMBER_MEASURES: Measures = (MAE, RMSE, SPEARMAN, NDCG)


def scored_numbers(predicted: Predictions, truth: Sequence[float]) -> Scored:
    """Return mean absolute error, root mean squared error, Spearman's rank correlation, and nDCG@5."""
    check_values(predicted.values, (len(truth), 1))
    wrong = np.asarray(predicted.targets, np.float64) - np.asarray(truth, np.float64)
    errors = {MAE.name: float(np.abs(wrong).mean()), RMSE.name: float(np.sqrt((wrong**2).mean()))}
    ranked = {SPEARMAN.name: rank_correlation(predicted.targets, truth), NDCG.name: ndcg(predicted.targets, truth)}
    return Scored(errors | ranked, NUMBER_MEASURES)
