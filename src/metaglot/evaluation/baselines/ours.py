"""The meta-trained model itself, at one effort: `Model.adapt`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from metaglot.adaptation import Adapted, Effort, Model
from metaglot.adaptation.choice import auto_settings
from metaglot.adaptation.effort import (
    AUTO,
    NO_TEXTS,
    WRITING_EFFORTS,
    WRITING_ONLY,
    AsTrained,
    check_effort,
    effort_record,
)
from metaglot.data.arguments import check_all, check_is
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.evaluation.baselines.features import FeatureCache
from metaglot.evaluation.baselines.method import Fitted
from metaglot.evaluation.baselines.prior import Prior
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions


def ours(model: Model, efforts: Sequence[str | Effort | AsTrained]) -> "tuple[Ours, ...]":
    """Return the model at each effort; efforts that do not change the body share the features of the queries.

    Raises MetaglotError for an unknown effort, and for as-trained where no algorithm trained the model.
    """
    check_is("model", model, Model, "a model that metaglot.load returns")
    efforts = [check_effort(effort) for effort in check_all("efforts", efforts, object, "efforts")]
    queries = FeatureCache(model.encoder)
    for effort in efforts:
        settings_of(effort, model)
    distinct = [effort for number, effort in enumerate(efforts) if effort not in efforts[:number]]
    return tuple(Ours(model, effort, queries) for effort in distinct)


@dataclass(frozen=True)
class Ours:
    """The meta-trained model, adapted with an effort."""

    meta_model: Model
    effort: str | Effort | AsTrained
    queries: FeatureCache
    label: str = ""  # another name in tables
    names: bool = True  # whether the names of the classes are used

    @property
    def name(self) -> str:
        """Its name in tables: ours-instant, ours-fast, ours-thorough, ours-auto, ours-as-trained; ours-own."""
        return self.label or f"ours-{self.effort if isinstance(self.effort, str) else 'own'}"

    @property
    def model(self) -> str:
        """The name of the meta-trained model."""
        return self.meta_model.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        name_setting = {} if self.names else {"names": False}
        return {
            "effort": settings_of(self.effort, self.meta_model),
            **_written(self.effort, self.meta_model),
            "weights": self.meta_model.fingerprint(),
            **name_setting,
        }

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason where the effort is for texts that are written and none is; else it learns every task."""
        return NO_TEXTS.get(str(self.effort)) if family.writes is None else None

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the adapted model; where all examples have the same number or labels, a constant."""
        if not family.exclusive and not _is_learnable(family, support.targets):
            return Prior().fit(support, family, shot=shot, seed=seed)
        adapted = self.meta_model.adapt(
            *(support.inputs.texts, support.targets),
            task=family.name,
            pairs=support.inputs.pairs,
            effort=self.effort,
            seed=seed,
            names=self.names,
        )
        shared = adapted.fit.head_only and adapted.fit.encoder.reads_both and not (family.tokens or family.writes)
        return FeaturePredictor(adapted, self.queries) if shared else TextPredictor(adapted)


@dataclass(frozen=True)
class TextPredictor:
    """An adapted model."""

    adapted: Adapted

    def predict(self, inputs: Inputs) -> Predictions:
        """Return what it says of each input."""
        return self.adapted.predictions(inputs.texts, inputs.pairs)


@dataclass(frozen=True)
class FeaturePredictor:
    """An adapted model whose body is the meta-trained one: it predicts from cached features."""

    adapted: Adapted
    queries: FeatureCache

    def predict(self, inputs: Inputs) -> Predictions:
        """Return what it says of each input."""
        return self.adapted.predictions_of_features(self.queries.features(inputs))


def _is_learnable(family: AnyFamily, targets: Sequence[Any]) -> bool:
    """Whether the targets differ: a few random examples may all have one number."""
    try:
        family.check(targets)
    except MetaglotError:
        return False
    return True


def _written(effort: str | Effort | AsTrained, model: Model) -> Mapping[str, object]:
    """Return what an effort of that name does where texts are written, if the model writes any."""
    learner = model.encoder.backbone.learner
    writes = learner.decoder or bool(getattr(learner.module.config, "is_encoder_decoder", False))
    if not (writes and isinstance(effort, str) and effort in WRITING_EFFORTS):
        return {}
    return {"effort_where_texts_are_written": effort_record(WRITING_EFFORTS[effort])}


def settings_of(effort: str | Effort | AsTrained, model: Model) -> Mapping[str, object]:
    """Return the settings of an effort; raise MetaglotError for an unknown one."""
    if effort == AUTO:
        return auto_settings()
    if isinstance(effort, str) and effort in WRITING_ONLY:
        return effort_record(WRITING_ONLY[effort])
    return effort_record(model.encoder.effort(effort) if isinstance(effort, str) else effort)
