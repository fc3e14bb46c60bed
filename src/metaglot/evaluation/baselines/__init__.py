"""What our model is compared with, one file each, and one dict that lists them.

To add a baseline: a file with a frozen dataclass that is a `Method`, an entry in `BASELINES`, and a test.
"""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from metaglot.adaptation import Model
from metaglot.data.arguments import check_all, check_is
from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.bitfit import bitfit
from metaglot.evaluation.baselines.features import Remembered
from metaglot.evaluation.baselines.finetune import FINETUNE_BY_SHOT, FineTune, Tuned
from metaglot.evaluation.baselines.frozen_instant import FrozenInstant
from metaglot.evaluation.baselines.frozen_lr import FrozenLR
from metaglot.evaluation.baselines.frozen_proto import FrozenProto
from metaglot.evaluation.baselines.knn import Knn
from metaglot.evaluation.baselines.lora import lora
from metaglot.evaluation.baselines.method import Fitted, Method
from metaglot.evaluation.baselines.multitask import multitask
from metaglot.evaluation.baselines.ours import Ours, ours
from metaglot.evaluation.baselines.setfit import SetFit, setfit
from metaglot.evaluation.baselines.tfidf import Tfidf
from metaglot.method_names import FROZEN, GROUPS


class Start(NamedTuple):
    """What baselines start from."""

    backbone: Model  # untouched
    queries: Remembered  # its features of the queries, shared by the frozen arms
    multitask: Model | None = None  # trained on all tasks jointly


BASELINES: Mapping[str, Callable[[Start], Method]] = MappingProxyType(
    {
        "tfidf": lambda _: Tfidf(),
        "frozen-proto": lambda start: FrozenProto(start.queries),
        "frozen-lr": lambda start: FrozenLR(start.queries),
        "frozen-instant": lambda start: FrozenInstant(start.backbone, start.queries),
        "knn": lambda start: Knn(start.queries),
        "finetune": lambda start: FineTune(start.backbone),
        "multitask": lambda start: multitask(start.multitask),
        "lora": lambda start: lora(start.backbone),
        "bitfit": lambda start: bitfit(start.backbone),
        "setfit": lambda start: setfit(start.backbone),
    }
)


def baselines(names: Sequence[str], backbone: Model, *, multitask: Model | None = None) -> tuple[Method, ...]:
    """Return the baselines called `names` (keys of BASELINES or GROUPS), each once, in that order.

    `backbone` is the untouched model, `Model.base()`.  Raises MetaglotError for a name that is not listed, and for
    multitask without its model, and for setfit without its extra.
    """
    check_all("names", names, str, f"names among {', '.join((*BASELINES, *GROUPS))}")
    check_is("backbone", backbone, Model, "the untouched model, Model.base()")
    if multitask is not None:
        check_is("multitask", multitask, Model, "a model that metaglot.load returns")
    start = Start(backbone, Remembered(backbone), multitask)
    wanted = dict.fromkeys(single for name in names for single in GROUPS.get(name, (name,)))
    unknown = [name for name in wanted if name not in BASELINES]
    if unknown:
        listed = ", ".join((*BASELINES, *GROUPS))
        raise MetaglotError(f"Unknown baseline: {', '.join(unknown)}. Choose from: {listed}.")
    return tuple(BASELINES[name](start) for name in wanted)


__all__ = [
    "BASELINES",
    "FINETUNE_BY_SHOT",
    "FROZEN",
    "GROUPS",
    "FineTune",
    "Fitted",
    "FrozenInstant",
    "FrozenLR",
    "FrozenProto",
    "Knn",
    "Method",
    "Ours",
    "Remembered",
    "SetFit",
    "Start",
    "Tfidf",
    "Tuned",
    "baselines",
    "ours",
]
