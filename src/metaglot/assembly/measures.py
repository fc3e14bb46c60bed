"""The metrics of the tasks in a recipe; whether its goal and its algorithm suit these tasks."""

from collections.abc import Sequence

from metaglot.algorithms import CoTrained, GradientBased
from metaglot.algorithms.why_not import cannot_share
from metaglot.choices import FAMILIES
from metaglot.config import Recipe
from metaglot.config.goal import goal_of
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.families.records import Schema
from metaglot.metric import ACCURACY_AND_LOSS, Measures, metrics_by_name
from metaglot.models.heads.able import cannot_make
from metaglot.tasks import Source
from metaglot.types import VOCABULARY, Algorithm, Objective, TaskInfo

UNREAD = (
    "texts are written by the model's own head, and without inner steps nothing is learnt from examples; use an "
    "algorithm with steps, such as fomaml, reptile or joint"
)


def objective_of(task: str) -> Objective:
    """Return an objective of a kind of task, which names its metrics and describes its head."""
    return family_called(task).objective(Schema((), ()), 0)


def kinds_of(sources: Sequence[Source]) -> list[str]:
    """Return the kinds of the tasks, each once."""
    return list(dict.fromkeys(source.info.family for source in sources))


def measures_of(validation: Sequence[Source], train: Sequence[Source]) -> Measures:
    """Return the metrics of the validation tasks; of the training tasks where no set is for validation.

    Raises MetaglotError where the validation tasks have different primary metrics: they have no common mean.
    """
    by_kind = {kind: objective_of(kind).measures for kind in kinds_of(validation or train)}
    if validation and len({measures[0] for measures in by_kind.values()}) > 1:
        listing = ", ".join(f"{kind} by {measures[0].axis}" for kind, measures in by_kind.items())
        raise MetaglotError(
            f"data.validation: the tasks have different metrics ({listing}), and such scores have no common mean; "
            "validate on sets of one kind"
        )
    return next(iter(by_kind.values()), ACCURACY_AND_LOSS)


def check_goal(recipe: Recipe) -> None:
    """Raise MetaglotError, before anything is read, for a goal whose metric validation cannot measure.

    A set without the name of a kind may be of any kind: its column `label` decides.
    """
    if recipe.goal is None:
        return
    tasks = dict.fromkeys(settings.task for settings in recipe.data.validation)
    candidates = [objective_of(kind).measures for kind in (FAMILIES if "" in tasks else tasks)]
    goal_of(recipe.goal, next((one for one in candidates if recipe.goal.metric in metrics_by_name(one)), candidates[0]))


def check_learns(algorithm: Algorithm, name: str, sources: Sequence[Source]) -> None:
    """Raise MetaglotError where the head of an algorithm cannot be made for a kind of task, or is none to share."""
    alone = algorithm.alone if isinstance(algorithm, CoTrained) else algorithm
    if not isinstance(alone, GradientBased):
        return
    for kind in kinds_of(sources):
        spec = objective_of(kind).head_spec(TaskInfo("", "", (), (), kind), 1)
        unread = UNREAD if spec.level == VOCABULARY and alone.steps == 0 else None
        if reason := unread or cannot_make(alone.head, spec.targets) or (cannot_share(alone) if spec.shared else None):
            raise MetaglotError(f"algorithm: {name} cannot learn tasks of {kind}: {reason}")
