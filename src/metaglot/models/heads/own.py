"""The learner's own language-model head, for tasks over the vocabulary: nothing is made for the task."""

from dataclasses import dataclass

from metaglot.types import Batch, Params, Problem


@dataclass(frozen=True)
class OwnHead:
    """The head that the learner has; it moves by itself where nothing else does, else with the body or not at all."""

    moves: bool

    def init(self, width: int, *, seed: int) -> Params:
        """Return nothing."""
        del width, seed
        return {}

    def start(self, problem: Problem, meta: Params, support: Batch, *, seed: int | None = None) -> Params:
        """Return `lm.*` as in `meta`, or nothing where it does not move by itself."""
        del support, seed
        return problem.learner.scoring(meta) if self.moves else {}


def cannot_read(problem: Problem, steps: int) -> str | None:
    """Return the reason why so many inner steps learn nothing from a task's support set, or None."""
    if problem.over_vocabulary and steps == 0:
        return (
            f"{problem.task.name}: without inner steps nothing is learnt from the passages of a language-modelling "
            "task, which has no head of its own; use an algorithm with steps ≥ 1, such as fomaml or reptile"
        )
    return None
