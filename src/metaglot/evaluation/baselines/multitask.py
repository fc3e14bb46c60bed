"""Multi-task training and then fine-tuning: a model trained on all tasks jointly replaces the backbone.

The loop, rates and steps are those of `finetune`, which were tuned on the untouched backbone.
"""

from metaglot.adaptation import Model
from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.finetune import FineTune, tuned_by_kind
from metaglot.evaluation.baselines.start import Start


def begin(start: Start) -> FineTune:
    """Return the baseline."""
    return multitask(start.multitask)


def multitask(start: Model | None) -> FineTune:
    """Return the baseline on `start`, a run of the algorithm joint; raise MetaglotError for None."""
    if start is None:
        raise MetaglotError(
            "The baseline multitask fine-tunes a model trained on all tasks jointly, and none was given. "
            "Train one (algorithm: joint) and name its run directory, or leave multitask out."
        )
    return tuned_by_kind(start.encoder, name="multitask")
