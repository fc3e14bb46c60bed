"""The closed loop at adaptation: more work until cross-validation on the support set meets a goal."""

import time
from collections.abc import Mapping
from typing import Any

from metaglot.adaptation.crossval import joined, predict_aside
from metaglot.adaptation.effort import WORDS, Effort, efforts_of, longer
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.fitting import fit_examples
from metaglot.adaptation.folds import folds_of
from metaglot.adaptation.support import Names
from metaglot.data.examples import Examples
from metaglot.errors import MetaglotError
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions
from metaglot.seeds import fold

GOAL_SECONDS = 120.0  # of CPU


def ladder(efforts: Mapping[str, Effort]) -> tuple[Effort, ...]:
    """Return the efforts that are tried, one after the other: those that a model learns by, then longer ones."""
    learning = [effort for effort in efforts.values() if effort.head != WORDS and not effort.prefix]
    return *learning, longer(efforts["thorough"], 3), longer(efforts["thorough"], 10)


def fit_until(
    encoder: Encoder,
    family: AnyFamily,
    examples: Examples[Any],
    *,
    goal: float,
    cpu_seconds: float = GOAL_SECONDS,
    seed: int = 0,
    names: Names = True,
) -> tuple[Fit, float]:
    """Return the fit by the least effort whose cross-validated score meets the goal, and that score.

    The score is by the primary metric of the family: a goal of accuracy is met from below, one of an error from above.
    Where none meets it in the time, the best one found.  Raises MetaglotError if a class has fewer than two different
    inputs, since none could be set aside, and where there is nothing to learn.
    """
    family.check(examples.targets)
    metric, began = family.measures[0], time.process_time()
    best: tuple[float, Effort] | None = None
    tried = ladder(efforts_of(family))
    for effort, following in zip(tried, (*tried[1:], tried[-1]), strict=True):
        before = time.process_time()
        score = cross_validated(encoder, family, examples, effort, seed=seed, names=names)
        if best is None or metric.gain(score, best[0]) > 0:
            best = score, effort
        spent, step = time.process_time() - began, time.process_time() - before
        # Time goes with the steps: do not begin what cannot be finished.
        if metric.reaches(best[0], goal) or spent + step * following.steps / max(1, effort.steps) > cpu_seconds:
            break
    assert best is not None
    return fit_examples(encoder, family, examples, best[1], seed=seed, names=names), best[0]


def cross_validated(
    encoder: Encoder,
    family: AnyFamily,
    examples: Examples[Any],
    effort: Effort,
    *,
    seed: int,
    names: Names = True,
    folds: int = 4,
) -> float:
    """Return the score by the primary metric on examples set aside in turn, strata spread evenly over the folds."""
    distinct, schema = examples.distinct().targets, family.schema(examples.targets)
    if family.exclusive:
        counts = {label: distinct.count(label) for label in schema.outputs}
        if rare := [label for label, count in counts.items() if count < 2]:
            raise MetaglotError(f"a goal needs two different texts of each class to test itself; {rare[0]!r} has one")
        folds = min(folds, *counts.values())
    elif len(distinct) < folds:
        raise MetaglotError(f"a goal needs {folds} different texts to test itself; there are {len(distinct)}")
    parts: list[Predictions] = []
    truth: list[Any] = []
    for k, rows in enumerate(folds_of(family, examples, folds, seed, "folds")):
        if rows[1]:
            seed_of_fold = fold(seed, "fold", k)
            parts.append(predict_aside(encoder, family, examples, rows, effort, seed=seed_of_fold, names=names))
            truth += examples.at(rows[1]).targets
    return family.score(joined(parts, family.columns(schema)), truth).metrics[family.measures[0].name]
