"""The size of the largest episode of a recipe, by which an estimator is chosen."""

from metaglot.assembly.kinds import PLAIN
from metaglot.config import Recipe
from metaglot.config.tasks import DomainText, EpisodeSettings, TaskSettings
from metaglot.training.need import EpisodeSize


def episode_size(recipe: Recipe) -> EpisodeSize:
    """Return the size of the largest episode with a support set that a recipe allows, over its kinds of tasks."""
    sizes = [_of_kind(task, recipe) for task in recipe.tasks if task.kind not in PLAIN]
    return EpisodeSize(*map(max, zip(*(sizes or [_of_labels(recipe.episodes, recipe)]), strict=True)))


def _of_kind(task: TaskSettings, recipe: Recipe) -> EpisodeSize:
    if isinstance(task, DomainText):
        return EpisodeSize(task.support, task.query, recipe.text.length if recipe.text else recipe.model.max_length)
    return _of_labels(getattr(task, "episodes", None) or recipe.episodes, recipe)


def _of_labels(episodes: EpisodeSettings, recipe: Recipe) -> EpisodeSize:
    ways, shots = episodes.ways[1], episodes.shots[1]
    names = ways if episodes.named else 0  # the name of a class is one more example of it
    support, query = min(episodes.max_support, ways * shots), min(episodes.max_query, ways * episodes.queries)
    return EpisodeSize(support + names, query, recipe.model.max_length)
