"""The closed loop at adaptation: more work until cross-validation on the support set meets a goal."""

import time

from metaglot.adaptation.checks import check_classes
from metaglot.adaptation.crossval import fit_and_judge, folds_of
from metaglot.adaptation.effort import EFFORTS, Effort, longer
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.fitting import fit_examples
from metaglot.adaptation.support import Names
from metaglot.data.examples import Examples
from metaglot.data.labels import Label, in_order
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY
from metaglot.seeds import fold

GOAL_SECONDS = 120.0  # of CPU
METRIC = ACCURACY  # what cross-validation judges by
LADDER: tuple[Effort, ...] = (*EFFORTS.values(), longer(EFFORTS["thorough"], 3), longer(EFFORTS["thorough"], 10))


def fit_until(
    encoder: Encoder,
    examples: Examples[Label],
    *,
    goal: float,
    cpu_seconds: float = GOAL_SECONDS,
    seed: int = 0,
    names: Names = True,
) -> tuple[Fit, float]:
    """Return the fit by the least effort whose cross-validated score (of METRIC) meets the goal, and that score.

    Where none meets it in the time, the best one found.  Raises MetaglotError if a class has fewer than two
    different inputs, since none could be set aside, and for fewer than two classes.
    """
    check_classes(examples)
    began = time.process_time()
    best: tuple[float, Effort] | None = None
    for effort, following in zip(LADDER, (*LADDER[1:], LADDER[-1]), strict=True):
        before = time.process_time()
        score = cross_validated(encoder, examples, effort, seed=seed, names=names)
        if best is None or METRIC.gain(score, best[0]) > 0:
            best = score, effort
        spent, step = time.process_time() - began, time.process_time() - before
        # Time goes with the steps: do not begin what cannot be finished.
        if METRIC.reaches(best[0], goal) or spent + step * following.steps / max(1, effort.steps) > cpu_seconds:
            break
    assert best is not None
    return fit_examples(encoder, examples, best[1], seed=seed, names=names), best[0]


def cross_validated(
    encoder: Encoder, examples: Examples[Label], effort: Effort, *, seed: int, names: Names = True, folds: int = 4
) -> float:
    """Return the score, accuracy, on examples set aside in turn, each class spread evenly over the folds."""
    distinct = examples.distinct().targets
    counts = {label: distinct.count(label) for label in in_order(examples.targets)}
    if rare := [label for label, count in counts.items() if count < 2]:
        raise MetaglotError(f"a goal needs two different texts of each class to test itself; {rare[0]!r} has one")
    right: list[bool] = []
    for k, rows in enumerate(folds_of(examples, min(folds, *counts.values()), seed, "folds")):
        seed_of_fold = fold(seed, "fold", k)
        right += fit_and_judge(encoder, examples, rows, effort, seed=seed_of_fold, names=names).right
    return sum(right) / len(right)
