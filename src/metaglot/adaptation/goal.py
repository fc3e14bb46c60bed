"""The closed loop at adaptation: more work until cross-validation on the support set meets a goal."""

import time
from collections.abc import Sequence

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.checks import check_examples
from metaglot.adaptation.crossval import Examples, fit_and_judge, folds_of
from metaglot.adaptation.effort import EFFORTS, Effort, longer
from metaglot.adaptation.model import Model, Names
from metaglot.data.arguments import check_is, check_number, check_whole, check_words
from metaglot.data.labels import Label
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY
from metaglot.seeds import fold

GOAL_SECONDS = 120.0  # of CPU
METRIC = ACCURACY  # what cross-validation judges by
LADDER: tuple[Effort, ...] = (*EFFORTS.values(), longer(EFFORTS["thorough"], 3), longer(EFFORTS["thorough"], 10))


def adapt_until(
    model: Model,
    texts: Sequence[str],
    labels: Sequence[Label],
    pairs: Sequence[str] | None,
    *,
    goal: float,
    cpu_seconds: float = GOAL_SECONDS,
    seed: int = 0,
    names: Names = True,
) -> tuple[Adapted, float]:
    """Return the adaptation by the least effort whose cross-validated score (of METRIC) meets the goal, and that score.

    Where none meets it in the time, the best one found.  Raises MetaglotError if a class has fewer than two
    different texts, since none could be set aside, and for arguments of another type.
    """
    check_is("model", model, Model, "a model that metaglot.load returns")
    texts, labels, pairs = check_examples(texts, labels, pairs)
    goal, cpu_seconds = check_number("goal", goal, most=1.0), check_number("cpu_seconds", cpu_seconds)
    seed = check_whole("seed", seed)
    check_words("names", names, switch=True)
    began = time.process_time()
    best: tuple[float, Effort] | None = None
    for effort, following in zip(LADDER, (*LADDER[1:], LADDER[-1]), strict=True):
        before = time.process_time()
        score = cross_validated(model, Examples(texts, labels, pairs, names), effort, seed=seed)
        if best is None or METRIC.gain(score, best[0]) > 0:
            best = score, effort
        spent, step = time.process_time() - began, time.process_time() - before
        # Time goes with the steps: do not begin what cannot be finished.
        if METRIC.reaches(best[0], goal) or spent + step * following.steps / max(1, effort.steps) > cpu_seconds:
            break
    assert best is not None
    return model.adapt(texts, labels, pairs=pairs, effort=best[1], seed=seed, names=names), best[0]


def cross_validated(model: Model, examples: Examples, effort: Effort, *, seed: int, folds: int = 4) -> float:
    """Return the score, accuracy, on examples set aside in turn, each class spread evenly over the folds."""
    distinct = examples.distinct()
    fewest = min(distinct.values())
    if fewest < 2:
        rare = next(label for label, count in distinct.items() if count < 2)
        raise MetaglotError(f"a goal needs two different texts of each class to test itself; {rare!r} has one")
    right: list[bool] = []
    for k, part in enumerate(folds_of(examples, min(folds, fewest), seed, "folds")):
        right += fit_and_judge(model, examples, part, effort, seed=fold(seed, "fold", k)).right
    return sum(right) / len(right)
