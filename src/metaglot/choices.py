"""Every choice that has a name, with the place of its object.

Commands, recipes and tests read the names here, which imports nothing heavy: an object is imported when it is looked
up.  A new choice needs a file, and a line here.
"""

from collections.abc import Iterator, Mapping
from functools import reduce
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, TypeVar

T = TypeVar("T")
Cells = Literal["one", "look", "several", "number", "spans", "answers", "candidates", "texts"]
"""How a cell of `label` is read: as one label; as a list where it looks like one; as several labels; as a number; as
parts of the text; as the answer to the text, a part of the second one; as the right ones of candidates; as a text that
is to be written, letter by letter."""


def object_at(place: str) -> Any:
    """Return the object at a place, `module:object`."""
    module, _, path = place.partition(":")
    return reduce(getattr, path.split("."), import_module(module))


class Choices(Mapping[str, T]):
    """Named objects; each is imported from its place, `module:object`, when it is looked up."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = MappingProxyType(dict(places))

    def __getitem__(self, name: str) -> T:
        """Return the object of a name; raise KeyError for an unknown name."""
        return object_at(self.places[name])

    def __contains__(self, name: object) -> bool:
        """Whether the name is known; imports nothing."""
        return name in self.places

    def __iter__(self) -> Iterator[str]:
        """Return the names, in their order."""
        return iter(self.places)

    def __len__(self) -> int:
        """Return the number of names."""
        return len(self.places)


class Kind(NamedTuple):
    """A kind of task: the place of its family, and the facts that commands need before torch is imported."""

    place: str  # of the class or function that makes the family, without arguments
    words: str = ""  # what a text has, for the help of --task
    cells: Cells = "one"
    facts: str = ""  # place of the function that describes targets for `data inspect`; if empty, the family does it
    exclusive: bool = False  # whether a text has exactly one of the outputs, as in the family itself
    writes: bool = False  # whether a text is written, by the language-model head, as in the family itself


class Kinds(Choices[Any]):
    """The families, by the name of their kind, and the facts of each kind that need no family."""

    def __init__(self, kinds: Mapping[str, Kind]) -> None:
        super().__init__({name: kind.place for name, kind in kinds.items()})
        self.kinds = MappingProxyType(dict(kinds))

    def exclusive(self, name: str) -> bool:
        """Whether texts have exactly one of the outputs; imports nothing.  False for an unknown name."""
        return name in self.kinds and self.kinds[name].exclusive

    def over_vocabulary(self, name: str) -> bool:
        """Whether the language-model head scores the task: texts are written, or it is language modelling."""
        return self.headless(name) and name not in COMPARING

    def headless(self, name: str) -> bool:
        """Whether tasks of a kind have no output layer of their own; imports nothing."""
        return name in OBJECTIVES or (name in self.kinds and self.kinds[name].writes)


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
        "ordinal": Kind(  # its cells are labels: where people disagree, the target is a level and not a mean
            "metaglot.families.regression:ordinal",
            words="one of a few numbers, such as stars",
            facts="metaglot.data.number_facts:level_facts",
        ),
        "tagging": Kind(
            "metaglot.families.tagging_family:TaggingFamily",
            words="spans with labels, such as names in it",
            cells="spans",
            facts="metaglot.data.span_facts:span_facts",
        ),
        "choice": Kind(
            "metaglot.families.choice_family:ChoiceFamily",
            words="candidates, of which one or several are right",
            cells="candidates",
        ),
        "question-answering": Kind(
            "metaglot.families.question_answering:AnswerFamily",
            words="the answer to it in a passage, the second text",
            cells="answers",
            facts="metaglot.data.answer_facts:answer_facts",
        ),
        "generation": Kind(
            "metaglot.families.generation:GenerationFamily",
            words="a text that is written for it, such as its translation or summary",
            cells="texts",
            facts="metaglot.data.written_facts:written_facts",
            writes=True,
        ),
    }
)
"""Kinds of tasks that a model adapts to, by the names that `--task` takes."""

OBJECTIVES: Choices[Any] = Choices(
    {
        "masked-lm": "metaglot.families.language.masked_lm:MaskedLm",
        "causal-lm": "metaglot.families.language.causal_lm:CausalLm",
        "permutation-lm": "metaglot.families.language.permutation_lm:PermutationLm",
        "span-denoising": "metaglot.families.language.span_denoising:SpanDenoising",
        "replaced-tokens": "metaglot.families.language.replaced_tokens:ReplacedTokens",
        "simcse": "metaglot.families.language.simcse:SimCse",
    }
)
"""The objectives of raw text; a model does not adapt to these."""

COMPARING = ("simcse",)
"""The objectives that compare the features of texts, without the language-model head."""

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
        "prefix": "metaglot.models.scopes:Prefix",
        "context": "metaglot.models.scopes:Context",
        "warp": "metaglot.models.scopes:Warp",
    }
)
"""The parameters that an inner loop changes beside the head; each scope takes its fields as options."""

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
"""How the output layer of a task begins; each head takes its fields as options."""

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
"""How the outer gradient of an episode is computed; each is a function without arguments."""

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
        "copy": "metaglot.evaluation.baselines.copy:Copy.begin",
    }
)
"""The baselines of a comparison: functions of a `Start`."""

FROZEN = ("frozen-proto", "frozen-lr", "frozen-instant")
"""The baselines on the features of the untouched backbone; a table shows the best of them."""

BASELINE_GROUPS: Mapping[str, tuple[str, ...]] = MappingProxyType({"frozen": FROZEN, "peft": ("lora", "bitfit")})
"""Names for several baselines at once."""

TRACKERS: Choices[Any] = Choices(
    {
        "tensorboard": "metaglot.training.trackers:TensorBoard.begin",
        "trackio": "metaglot.training.trackers:Trackio.begin",
        "wandb": "metaglot.training.trackers:Wandb.begin",
    }
)
"""Where the records of a training run can go beside its folder."""

EFFORTS = ("instant", "fast", "thorough", "auto", "as-trained", "words", "prefix")
"""How much work an adaptation may do."""
