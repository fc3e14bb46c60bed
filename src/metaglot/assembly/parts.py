"""What a worker of a run makes for itself: its tasks, algorithm and learner, from the recipe."""

from pathlib import Path

from metaglot.assembly.plan import assemble
from metaglot.config import Recipe
from metaglot.training.asynchronous import Parts


def parts_of(recipe: Recipe, run: Path) -> Parts:
    """Return the parts of a recipe; the choices that the run made when it began are read from its folder."""
    plan = assemble(recipe, run=run).plan
    return plan.train, plan.algorithm, plan.learner
