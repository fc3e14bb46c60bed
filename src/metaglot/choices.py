"""Every choice that has a name: which there are, and where each is.

Commands, recipes and tests read the names here, and nothing heavy is imported for it: a choice is imported when it is
looked up.  To add one is a file and a line here.
"""

from collections.abc import Iterator, Mapping
from functools import reduce
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

T = TypeVar("T")
Cells = Literal["one", "look", "several", "number"]
"""What a cell of `label` is read as: one label, labels as lists where there are any, several labels, a number."""


def object_at(place: str) -> Any:
    """Return the object at a place, `module:object`."""
    module, _, path = place.partition(":")
    return reduce(getattr, path.split("."), import_module(module))


class Choices(Mapping[str, T]):
    """Named objects; each is imported from its place, `module:object`, when it is looked up."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = MappingProxyType(dict(places))

    def __getitem__(self, name: str) -> T:
        """Return the object of a name; raise KeyError for one that there is not."""
        return object_at(self.places[name])

    def __contains__(self, name: object) -> bool:
        """Whether there is a choice of that name; imports nothing."""
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        """Return the names, in their order."""
        return iter(self.places)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.places)


class Kind(NamedTuple):
    """A kind of task: the place of its family, and what is known of it before torch is imported."""

    place: str  # of what makes the family, without arguments
    words: str = ""  # what a text has, for the help of --task
    cells: Cells = "one"
    facts: str = ""  # the place of what `data inspect` tells of targets (`LookAt`); empty: what the family reads
    exclusive: bool = False  # whether a text has exactly one of the outputs: what the family says of itself


class Kinds(Choices[Any]):
    """The families, by the name of their kind, and what is known of each kind without its family."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        super().__init__({name: kind.place for name, kind in kinds.items()})
        self.kinds = MappingProxyType(dict(kinds))

    def exclusive(self, name: str) -> bool:
        """Whether texts have exactly one of the outputs; imports nothing.  False for a name that no kind has."""
        return name in self.kinds and self.kinds[name].exclusive


FAMILIES = Kinds(
    {
        "classification": Kind("metaglot.families.classification:ClassificationFamily", exclusive=True),
        "multilabel": Kind(
            "metaglot.families.multilabel:MultiLabelFamily",
            words="several labels a text, or none",
            cells="several",
            facts="metaglot.data.label_facts:label_facts",
        ),
        "regression": Kind(
            "metaglot.families.regression:RegressionFamily",
            words="a number",
            cells="number",
            facts="metaglot.data.number_facts:number_facts",
        ),
        "ordinal": Kind(  # its cells are labels, since where people disagree a level is meant and not a mean
            "metaglot.families.regression:ordinal",
            words="one of a few numbers, such as stars",
            facts="metaglot.data.number_facts:level_facts",
        ),
    }
)
"""Kinds of tasks that a model adapts to: what `--task` names."""

OBJECTIVES: Choices[Any] = Choices(
    {
        "masked-lm": "metaglot.families.language.masked_lm:MaskedLm",
        "causal-lm": "metaglot.families.language.causal_lm:CausalLm",
    }
)
"""The objectives of language models, which are no kinds that a model adapts to."""

ALGORITHMS: Choices[Any] = Choices(
    {
        "joint": "metaglot.algorithms.transfer:joint",
        "transfer": "metaglot.algorithms.transfer:transfer",
        "protonet": "metaglot.algorithms.protonet:protonet",
        "cotrained": "metaglot.algorithms.cotrained:cotrained",
        "maml": "metaglot.algorithms.maml:maml",
        "fomaml": "metaglot.algorithms.maml:fomaml",
        "anil": "metaglot.algorithms.anil:anil",
        "imaml": "metaglot.algorithms.imaml:imaml",
        "reptile": "metaglot.algorithms.reptile:reptile",
        "sequential-reptile": "metaglot.algorithms.sequential_reptile:sequential_reptile",
        "meta-sgd": "metaglot.algorithms.meta_sgd:meta_sgd",
        "maml++": "metaglot.algorithms.maml_plus_plus:maml_plus_plus",
        "meta-curvature": "metaglot.algorithms.meta_curvature:meta_curvature",
        "reml": "metaglot.algorithms.reml:reml",
        "metanet-1": "metaglot.algorithms.metanet:metanet_1",
        "metanet-n": "metaglot.algorithms.metanet:metanet_n",
        "matchingnet": "metaglot.algorithms.matching:matchingnet",
        "r2d2": "metaglot.algorithms.r2d2:r2d2",
        "metaoptnet": "metaglot.algorithms.metaoptnet:metaoptnet",
        "leopard": "metaglot.algorithms.leopard:leopard",
        "cavia": "metaglot.algorithms.cavia:cavia",
        "leo": "metaglot.algorithms.leo:leo",
        "warpgrad": "metaglot.algorithms.warpgrad:warpgrad",
        "boil": "metaglot.algorithms.boil:boil",
        "protomaml": "metaglot.algorithms.proto_maml:protomaml",
    }
)
"""Meta-learners: functions of their options."""

SCOPES: Choices[Any] = Choices(
    {
        "all": "metaglot.models.scopes:All",
        "head": "metaglot.models.scopes:HeadOnly",
        "named": "metaglot.models.scopes:Named",
        "all-but": "metaglot.models.scopes:AllBut",
        "bias-norm": "metaglot.models.scopes:BiasNorm",
        "lora": "metaglot.models.scopes:Lora",
        "context": "metaglot.models.scopes:Context",
        "warp": "metaglot.models.scopes:Warp",
    }
)
"""What an inner loop moves beside the head; each takes its fields as options."""

HEADS: Choices[Any] = Choices(
    {
        "zeros": "metaglot.models.heads.zeros:Zeros",
        "prototypes": "metaglot.models.heads.prototypes:Prototypes",
        "euclidean-prototypes": "metaglot.models.heads.prototypes:EUCLIDEAN",
        "matching": "metaglot.models.heads.matching:Matching",
        "generated": "metaglot.models.heads.generated:Generated",
        "ridge": "metaglot.models.heads.ridge:Ridge",
        "svm": "metaglot.models.heads.svm:Svm",
        "latent": "metaglot.models.heads.latent:Latent",
    }
)
"""How a task's output layer begins; each takes its fields as options."""

RULES: Choices[Any] = Choices(
    {
        "sgd": "metaglot.inner.sgd:Sgd",
        "momentum": "metaglot.inner.momentum:Momentum",
        "adam": "metaglot.inner.adam:Adam",
        "meta-sgd": "metaglot.inner.meta_sgd:MetaSgd",
        "layer-rates": "metaglot.inner.layer_rates:LayerRates",
        "curvature": "metaglot.inner.curvature:Curvature",
        "recurrent": "metaglot.inner.recurrent:Recurrent",
        "meta-network": "metaglot.inner.metanet:MetaNet",
    }
)
"""How an inner loop takes a step."""

ESTIMATORS: Choices[Any] = Choices(
    {
        "auto": "metaglot.inner.estimators.auto:Auto",
        "unrolled": "metaglot.inner.estimators.unrolled:Unrolled",
        "adjoint": "metaglot.inner.estimators.adjoint:Adjoint",
        "mixed": "metaglot.inner.estimators.adjoint:MIXED",
        "finite-differences": "metaglot.inner.estimators.adjoint:BY_DIFFERENCES",
        "first-order": "metaglot.inner.estimators.first_order:FirstOrder",
        "reptile": "metaglot.inner.estimators.reptile:Towards",
        "implicit": "metaglot.inner.estimators.implicit:Implicit",
    }
)
"""How the outer gradient of an episode is found; each is a function without arguments."""

BASELINES: Choices[Any] = Choices(
    {
        "prior": "metaglot.evaluation.baselines.prior:Prior.begin",
        "tfidf": "metaglot.evaluation.baselines.tfidf:Tfidf.begin",
        "frozen-proto": "metaglot.evaluation.baselines.frozen_proto:FrozenProto.begin",
        "frozen-lr": "metaglot.evaluation.baselines.frozen_lr:FrozenLR.begin",
        "frozen-instant": "metaglot.evaluation.baselines.frozen_instant:FrozenInstant.begin",
        "knn": "metaglot.evaluation.baselines.knn:Knn.begin",
        "finetune": "metaglot.evaluation.baselines.finetune:FineTune.begin",
        "multitask": "metaglot.evaluation.baselines.multitask:begin",
        "lora": "metaglot.evaluation.baselines.lora:begin",
        "bitfit": "metaglot.evaluation.baselines.bitfit:begin",
        "setfit": "metaglot.evaluation.baselines.setfit:begin",
    }
)
"""What ours is compared with: functions of a `Start`."""

FROZEN = ("frozen-proto", "frozen-lr", "frozen-instant")
"""The baselines on the untouched backbone's features, of which a table shows the best."""

BASELINE_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType({"frozen": FROZEN, "peft": ("lora", "bitfit")})
"""Names for several baselines at once."""

TRACKERS: Choices[Any] = Choices(
    {
        "tensorboard": "metaglot.training.trackers:TensorBoard.begin",
        "trackio": "metaglot.training.trackers:Trackio.begin",
        "wandb": "metaglot.training.trackers:Wandb.begin",
    }
)
"""Where the numbers of a training run can go beside its folder."""

EFFORTS = ("instant", "fast", "thorough", "auto", "as-trained")
"""How much an adaptation may do."""
