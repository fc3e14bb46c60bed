"""Replaced-token detection out of a recipe: the generator beside the encoder, and the batches."""

from collections.abc import Sequence

from metaglot.assembly.text import TextSource
from metaglot.config import Recipe
from metaglot.config import tasks as kinds
from metaglot.errors import MetaglotError
from metaglot.families.language import ReplacedTokens
from metaglot.models import Backbone
from metaglot.models.detection import detecting
from metaglot.seeds import fold
from metaglot.tasks.plain import HeldOut, PlainText
from metaglot.types import Learner


def learner_of(recipe: Recipe, backbone: Backbone) -> Learner:
    """Return the learner that a recipe trains: with a generator and a detector where tokens are replaced.

    Raises MetaglotError where two tasks want generators.
    """
    settings = _settings(recipe.tasks)
    if settings is None or recipe.text is None:
        return backbone.learner
    objective_of(backbone, settings)  # refused before a generator is made
    return detecting(
        backbone.learner,
        width=settings.generator,
        length=recipe.text.length,
        pad=int(backbone.tokenizer.pad_token_id or 0),
        seed=fold(recipe.seed, "detection"),
    )


def replaced_tokens(source: TextSource, settings: kinds.ReplacedTokens) -> PlainText:
    """Return batches of packed text whose tokens are to be replaced."""
    return PlainText(source.blocks, objective_of(source.backbone, settings), settings.batch, name="replaced-tokens")


def replaced_tokens_held_out(source: TextSource, settings: kinds.ReplacedTokens, batches: int) -> HeldOut | None:
    """Return batches of the documents kept aside; None where none is."""
    blocks = source.held_out
    return None if blocks is None else HeldOut(blocks, objective_of(source.backbone, settings), settings.batch, batches)


def objective_of(backbone: Backbone, settings: kinds.ReplacedTokens) -> ReplacedTokens:
    """Return the objective with the settings of a recipe.

    Raises MetaglotError for anything but an encoder whose tokenizer can mask.
    """
    learner, tokenizer = backbone.learner, backbone.tokenizer
    if learner.decoder or learner.seq2seq:
        raise MetaglotError(
            f"{backbone.name} is no encoder, and a decoder has not read what follows a token; take an encoder, or the "
            "kind plain"
        )
    if tokenizer.mask_token_id is None:
        raise MetaglotError(
            f"the tokenizer of {backbone.name} has no token to mask with; set mask_token in tokenizer_config.json"
        )
    special = frozenset(int(token) for token in tokenizer.all_special_ids)
    padding, mask = int(tokenizer.pad_token_id or 0), int(tokenizer.mask_token_id)
    return ReplacedTokens(padding, mask, special, settings.masked, settings.detection)


def _settings(tasks: Sequence[kinds.TaskSettings]) -> kinds.ReplacedTokens | None:
    found = [task for task in tasks if isinstance(task, kinds.ReplacedTokens)]
    if len(found) > 1:
        raise MetaglotError("tasks: two of them are replaced-tokens, and a model has one generator; leave one out")
    return found[0] if found else None
