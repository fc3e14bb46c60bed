"""What the tasks of a recipe are judged by, and which algorithms learn their kind."""

from collections.abc import Sequence

from metaglot.algorithms import GradientBased
from metaglot.choices import FAMILIES
from metaglot.config import Recipe
from metaglot.config.goal import goal_of
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.families.family import Schema
from metaglot.metric import LABELLED, Measures, by_name
from metaglot.models.heads.able import cannot_make
from metaglot.tasks import Source
from metaglot.types import Algorithm, Objective, TaskInfo


def objective_of(task: str) -> Objective:
    """Return an objective of a kind of task, for what it says of metrics and heads."""
    return family_called(task).objective(Schema((), ()), 0)


def kinds_of(sources: Sequence[Source]) -> list[str]:
    """Return the kinds of the tasks, each once."""
    return list(dict.fromkeys(source.info.family for source in sources))


def measures_of(validation: Sequence[Source], train: Sequence[Source]) -> Measures:
    """Return the metrics of the validation tasks, or of those of training where there are none of validation.

    Raises MetaglotError where validation has tasks with unlike primary metrics, over which no mean is taken.
    """
    found = {kind: objective_of(kind).measures for kind in kinds_of(validation or train)}
    if validation and len({measures[0] for measures in found.values()}) > 1:
        each = ", ".join(f"{kind} by {measures[0].axis}" for kind, measures in found.items())
        raise MetaglotError(
            f"data.validation: tasks are judged by unlike metrics ({each}), and no mean is taken over these; validate "
            "on sets of one kind"
        )
    return next(iter(found.values()), LABELLED)


def check_goal(recipe: Recipe) -> None:
    """Raise MetaglotError, before anything is read, for a goal that validation could not tell of.

    A set that does not name its kind may be of any: its look decides.
    """
    if recipe.goal is None:
        return
    named = dict.fromkeys(one.task for one in recipe.data.validation)
    able = [objective_of(kind).measures for kind in (FAMILIES if "" in named else named)]
    goal_of(recipe.goal, next((one for one in able if recipe.goal.metric in by_name(one)), able[0]))


def check_learns(algorithm: Algorithm, name: str, sources: Sequence[Source]) -> None:
    """Raise MetaglotError where the head of an algorithm cannot be made for the targets of a kind of task."""
    if not isinstance(algorithm, GradientBased):
        return
    for kind in kinds_of(sources):
        targets = objective_of(kind).head_spec(TaskInfo("", "", (), (), kind), 1).targets
        if reason := cannot_make(algorithm.head, targets):
            raise MetaglotError(f"algorithm: {name} cannot learn tasks of {kind}: {reason}")
