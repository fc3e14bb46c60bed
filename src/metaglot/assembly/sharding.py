"""A body divided among ranks out of a recipe: what is refused, and how it is divided once it is read."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from metaglot.algorithms.build import AnyAlgorithm, adapting
from metaglot.algorithms.gradient_based import GradientBased
from metaglot.assembly.tasks import needs_language
from metaglot.config import Recipe
from metaglot.errors import MetaglotError
from metaglot.families.head_sizes import shared_specs, specs_of_sets
from metaglot.inner import Auto, FirstOrder, Towards, Unrolled
from metaglot.models import Backbone
from metaglot.models.devices import pick_bf16, pick_device
from metaglot.models.scopes import match_names
from metaglot.models.sharded import Sharded, sharded
from metaglot.models.warp import PREFIX as WARP
from metaglot.training import Plan, initial_state
from metaglot.training.ranks import Ranks
from metaglot.types import Params, TaskInfo

T = TypeVar("T")
SUMMED = (Auto, FirstOrder, Towards, Unrolled)
"""Estimators whose gradient is one way back, at the end of which FSDP sums it; `auto` becomes unrolled here."""


def check_sharding(recipe: Recipe, algorithm: AnyAlgorithm, ranks: Ranks) -> None:
    """Raise MetaglotError where `training.shard` is set and ranks could not gather a divided body together."""
    if recipe.training.shard and (reason := _why_not(recipe, algorithm, ranks)):
        raise MetaglotError(f"training.shard: {reason}")


def in_turn(ranks: Ranks, work: Callable[[], T]) -> T:
    """Return what `work` gives; one rank of a machine at a time does it, so that the memory it takes is taken once."""
    done: list[T] = []
    for turn in range(ranks.on_machine):
        if ranks.rank % ranks.on_machine == turn:
            done.append(work())
        ranks.exchange("next")
    return done[0]


def divided(backbone: Backbone, recipe: Recipe, ranks: Ranks) -> Sharded:
    """Return the learner with this rank's part of the body, on the device of the recipe; the backbone loses the rest.

    Raises MetaglotError where the network cannot be divided.
    """
    body = backbone.learner.body()
    learnt = body.keys() - set(match_names(body, recipe.training.freeze))
    device = pick_device(recipe.model.device)
    precise = backbone.learner.bf16 if device.type == "cpu" else pick_bf16(recipe.model.precision, device)
    learner = replace(backbone.learner, bf16=precise)
    return sharded(learner, ranks=ranks.count, device=device, learnt=learnt)


def check_moves(recipe: Recipe, plan: Plan, algorithm: AnyAlgorithm) -> None:
    """Raise MetaglotError where the algorithm would move a part of a divided body within an episode, or not learn it.

    Raises it too where gradients of the body would have to be weighed against one another before they are summed.
    """
    if not isinstance(plan.learner, Sharded):
        return
    for side in (plan.train, plan.validation):
        check_alike(() if side is None else side.tasks)
    state = initial_state(plan.algorithm, plan.learner, plan.train.tasks, seed=plan.seed, freeze=plan.freeze)
    learnt = any(name in plan.learner.parts for name in state.params)
    if reason := (learnt and _not_learnt(recipe, algorithm)) or _moves(recipe, algorithm, state.params):
        raise MetaglotError(f"training.shard: {reason}")


def check_alike(tasks: Sequence[TaskInfo]) -> None:
    """Raise MetaglotError where episodes of these tasks run a body unequally often, so that ranks wait in vain.

    A head that tasks share has learnt something from the second step on, while one of zeros leaves the body alone in
    its first inner step, and one of prototypes runs it once more.
    """
    shared, own = shared_specs(tasks, 1), specs_of_sets(tasks, 1)
    if len(shared) + bool(own) > 1:
        raise MetaglotError(
            f"training.shard: tasks of {' and of '.join(sorted(shared))} share a head, and run the body more or less "
            "often than other kinds; train the kinds apart, or leave shard out"
        )


def _not_learnt(recipe: Recipe, algorithm: AnyAlgorithm) -> str:
    """Return why a divided body cannot be meta-learnt as the recipe wants it; nothing where it can."""
    t, frozen = recipe.training, "set training.freeze to ['*']"
    if isinstance(algorithm, GradientBased) and not isinstance(algorithm.estimator, SUMMED):
        return f"the estimator {algorithm.estimator.name} does not reach a divided body; use first-order, or {frozen}"
    if t.combine != "mean" or t.balance != "none":
        which = "combine" if t.combine != "mean" else "balance"
        return f"gradients of a divided body are summed as they are found; leave training.{which} out, or {frozen}"
    if t.average_with_base:
        return f"no rank keeps the base of a divided body; leave training.average_with_base out, or {frozen}"
    return ""


def _moves(recipe: Recipe, algorithm: AnyAlgorithm, params: Params) -> str:
    """Return why episodes would move the body; nothing where they leave it where it is."""
    alone, name = adapting(algorithm), recipe.algorithm.name
    if warped := next((n for n in params if n.startswith(WARP)), None):
        return f"{name} multiplies weights of the body by {warped}, which a divided one does not take; use scope: lora"
    moved = next((n for n in alone.scope.start(params) if n.startswith("body.")), None) if alone.steps else None
    if moved is None or (alone is not algorithm and not recipe.data.validation):
        return ""
    if alone is not algorithm:
        return (
            f"{name} adapts the whole body to the tasks of validation, and each rank would need one of its own; leave "
            "data.validation out, or set training.freeze to ['*']"
        )
    return (
        f"{name} moves {moved} within an episode, so that each rank would need a body of its own; set "
        "algorithm.options.scope to lora or head"
    )


def _why_not(recipe: Recipe, algorithm: AnyAlgorithm, ranks: Ranks) -> str:
    name, episodes = recipe.algorithm.name, recipe.training.meta_batch
    if ranks.alone:
        return "the body is divided among ranks, and there is one process; start it with --ranks 2, or leave shard out"
    if pick_device(recipe.model.device).type not in ("cpu", "cuda"):
        return "a body is divided among CPUs (gloo) or CUDA devices (nccl); set model.device to one of them"
    if needs_language(recipe):
        return "a body is divided without the head that scores the vocabulary, which these tasks need; leave shard out"
    if algorithm.together:
        return f"{name} goes through all episodes in one loop, on one rank; use fomaml, or reptile with scope: lora"
    if algorithm.second_order:
        return (
            f"{name} differentiates gradients through the body, whose layers are dropped again after each pass; use a "
            "first-order one: fomaml, reptile, protonet, or anil (which moves the head alone)"
        )
    if episodes % ranks.count:
        return (
            f"{ranks.count} ranks run the body equally often, and training.meta_batch is {episodes}; set it to a "
            f"multiple of {ranks.count}, such as {-(-episodes // ranks.count) * ranks.count}"
        )
    return ""
