"""Every choice that has a name: which there are, and where each is.

Commands, recipes and tests read the names here, and nothing heavy is imported for it: a choice is imported when it is
looked up.  To add one is a file and a line here.
"""

from collections.abc import Iterator, Mapping
from functools import reduce
from importlib import import_module
from types import MappingProxyType
from typing import Any, TypeVar

T = TypeVar("T")


class Choices(Mapping[str, T]):
    """Named objects; each is imported from its place, `module:object`, when it is looked up."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = MappingProxyType(dict(places))

    def __getitem__(self, name: str) -> T:
        """Return the object of a name; raise KeyError for one that there is not."""
        module, _, path = self.places[name].partition(":")
        return reduce(getattr, path.split("."), import_module(module))  # pyright: ignore[reportReturnType]

    def __contains__(self, name: object) -> bool:
        """Whether there is a choice of that name; imports nothing."""
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        """Return the names, in their order."""
        return iter(self.places)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.places)


FAMILIES: Choices[Any] = Choices(
    {
        "classification": "metaglot.families.classification:ClassificationFamily",
        "multilabel": "metaglot.families.multilabel:MultiLabelFamily",
        "regression": "metaglot.families.regression:RegressionFamily",
        "ordinal": "metaglot.families.regression:ordinal",
    }
)
"""Kinds of tasks that a model adapts to: what `--task` names; each is made without arguments."""

FACTS: Choices[Any] = Choices(
    {
        "multilabel": "metaglot.data.label_facts:label_facts",
        "regression": "metaglot.data.number_facts:number_facts",
        "ordinal": "metaglot.data.number_facts:level_facts",
    }
)
"""What `metaglot data inspect` tells of the targets of a kind, without torch; of classes it tells in any case."""

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
