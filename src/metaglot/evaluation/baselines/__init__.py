"""The baselines that our model is compared with, one file each.

To add a baseline: a file with a frozen dataclass that is a `Method`, a line in `choices.BASELINES`, and a test.
"""

from collections.abc import Sequence

from metaglot.adaptation import Model
from metaglot.choices import BASELINE_GROUPS, BASELINES
from metaglot.data.arguments import check_all, check_is
from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.features import FeatureCache
from metaglot.evaluation.baselines.finetune import FINETUNE_BY_SHOT, FineTune, FineTuneSettings
from metaglot.evaluation.baselines.frozen_instant import FrozenInstant
from metaglot.evaluation.baselines.frozen_lr import FrozenLR
from metaglot.evaluation.baselines.frozen_proto import FrozenProto
from metaglot.evaluation.baselines.knn import Knn
from metaglot.evaluation.baselines.method import Fitted, Method
from metaglot.evaluation.baselines.ours import Ours, ours
from metaglot.evaluation.baselines.prior import Prior
from metaglot.evaluation.baselines.setfit import SetFit
from metaglot.evaluation.baselines.start import Start
from metaglot.evaluation.baselines.tfidf import Tfidf


def baselines(names: Sequence[str], backbone: Model, *, multitask: Model | None = None) -> tuple[Method, ...]:
    """Return the baselines called `names` (keys of BASELINES or BASELINE_GROUPS), each once, in that order.

    `backbone` is the untouched model, `Model.base()`.  Raises MetaglotError for an unknown name, for multitask without
    its model, and for setfit without its extra.
    """
    check_all("names", names, str, f"names among {', '.join((*BASELINES, *BASELINE_GROUPS))}")
    check_is("backbone", backbone, Model, "the untouched model, Model.base()")
    if multitask is not None:
        check_is("multitask", multitask, Model, "a model that metaglot.load returns")
    start = Start(backbone, FeatureCache(backbone.encoder), multitask)
    chosen = dict.fromkeys(single for name in names for single in BASELINE_GROUPS.get(name, (name,)))
    unknown = [name for name in chosen if name not in BASELINES]
    if unknown:
        listing = ", ".join((*BASELINES, *BASELINE_GROUPS))
        raise MetaglotError(f"Unknown baseline: {', '.join(unknown)}. Choose from: {listing}.")
    return tuple(BASELINES[name](start) for name in chosen)


__all__ = [
    "FINETUNE_BY_SHOT",
    "FeatureCache",
    "FineTune",
    "FineTuneSettings",
    "Fitted",
    "FrozenInstant",
    "FrozenLR",
    "FrozenProto",
    "Knn",
    "Method",
    "Ours",
    "Prior",
    "SetFit",
    "Start",
    "Tfidf",
    "baselines",
    "ours",
]
