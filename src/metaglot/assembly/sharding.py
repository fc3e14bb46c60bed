"""A body divided among ranks out of a recipe: what is refused, and how it is divided once it is read."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from metaglot.algorithms.build import AnyAlgorithm
from metaglot.assembly.tasks import needs_language
from metaglot.config import Recipe
from metaglot.errors import MetaglotError
from metaglot.models import Backbone
from metaglot.models.devices import pick_bf16, pick_device
from metaglot.models.scopes import match_names
from metaglot.models.sharded import Sharded, sharded
from metaglot.training.ranks import Ranks

T = TypeVar("T")


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

    Raises MetaglotError where a part of the body would be meta-learnt, or the network cannot be divided.
    """
    body = backbone.learner.body()
    learnt = body.keys() - set(match_names(body, recipe.training.freeze))
    if learnt:
        raise MetaglotError(
            f"training.shard: the body is divided among ranks as it is, and {min(learnt)} would be meta-learnt; set "
            "training.freeze to ['*'], and let the algorithm learn LoRA, a head or scales"
        )
    device = pick_device(recipe.model.device)
    precise = backbone.learner.bf16 if device.type == "cpu" else pick_bf16(recipe.model.precision, device)
    return sharded(replace(backbone.learner, bf16=precise), ranks=ranks.count, device=device)


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
