"""The face of adaptation: what becomes a model or an adaptation by its name, and the adaptation that meets a goal.

It imports all of its room, and nothing in the room imports it.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.checks import check_examples, check_task
from metaglot.adaptation.goal import GOAL_SECONDS, fit_until
from metaglot.adaptation.model import Model, load_model
from metaglot.adaptation.storage import load_fit
from metaglot.adaptation.support import Names
from metaglot.data.arguments import check_is, check_name, check_number, check_text, check_whole, check_words
from metaglot.data.folders import ADAPTED, folder_of, is_file
from metaglot.data.texts import Texts
from metaglot.models import Runtime
from metaglot.models.devices import Precision


def load_any(name: str | Path, *, device: str = "auto", precision: Precision = "auto") -> Model | Adapted:
    """Return the model called `name`, or the adaptation in the folder of that name; see `metaglot.load`."""
    name = check_name("load", name)
    check_text("precision", precision)
    runtime = Runtime(precision=precision, device=check_text("device", device))
    folder = folder_of(name)
    return Adapted(load_fit(folder, runtime=runtime)) if is_file(folder / ADAPTED) else load_model(name, runtime)


def adapt_until(
    model: Model,
    texts: Texts,
    labels: Sequence[Any],
    pairs: Sequence[str] | None = None,
    *,
    goal: float,
    task: str | None = None,
    cpu_seconds: float = GOAL_SECONDS,
    seed: int = 0,
    names: Names = True,
) -> tuple[Adapted, float]:
    """Return the adaptation by the least effort whose cross-validated score meets a goal.

    The score is by the primary metric of the kind of task: accuracy for classes, macro F1 for sets of labels, mean
    absolute error for numbers, which meets a goal from above.

    Parameters
    ----------
    model : Model
        What adapts.
    texts : list of str, or Pairs
        The examples.
    labels : list
        The label of each, its set of labels, or its number.
    pairs : list of str, optional
        The second text of each example.
    goal : float
        The score to reach, accuracy as a share of one.
    task : str, optional
        The kind of task; by default the labels tell, as in `Model.adapt`.
    cpu_seconds : float, default=120
        How much time it may take.
    seed : int, default=0
        The seed of the folds and of the gradient steps.
    names : bool or Mapping of label to str, default=True
        As in `Model.adapt`.

    Returns
    -------
    adapted : Adapted
        The adaptation; where none meets the goal in the time, the best one.
    score : float
        Its cross-validated score.

    Raises
    ------
    MetaglotError
        Where a class has fewer than two different texts, since none could be set aside, and for arguments of another
        type.

    Examples
    --------
    >>> import metaglot as mg
    >>> texts = ["Refund my order.", "I was charged twice.", "The app crashes.", "The screen stays black."]
    >>> labels = ["billing", "billing", "technical", "technical"]
    >>> adapted, score = mg.adapt_until(mg.load("builtin:mini"), texts, labels, goal=0.5)
    >>> adapted.predict("Why is there a fee on my invoice?"), score >= 0.5
    ('billing', True)
    """
    check_is("model", model, Model, "a model that metaglot.load returns")
    family, labels = check_task(task, labels, texts)
    examples = check_examples(family, texts, labels, pairs)
    goal = check_number("goal", goal, most=math.inf if family.measures[0].high is None else family.measures[0].high)
    cpu_seconds = check_number("cpu_seconds", cpu_seconds)
    seed = check_whole("seed", seed)
    check_words("names", names, switch=True)
    fit, score = fit_until(model.encoder, family, examples, goal=goal, cpu_seconds=cpu_seconds, seed=seed, names=names)
    return Adapted(fit), score
