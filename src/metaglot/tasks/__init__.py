"""Task families, and distributions over tasks."""

from metaglot.tasks.classification import Classification
from metaglot.tasks.mixture import MixtureOf
from metaglot.tasks.sources import Selection, Source, sources_of, split_classes, split_sets
from metaglot.tasks.supervised import Shape, SupervisedTasks, draw_episode

__all__ = [
    "Classification",
    "MixtureOf",
    "Selection",
    "Shape",
    "Source",
    "SupervisedTasks",
    "draw_episode",
    "sources_of",
    "split_classes",
    "split_sets",
]
