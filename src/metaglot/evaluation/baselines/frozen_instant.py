"""The effort `instant` on the untouched backbone: its head and the names of classes, without meta-training."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metaglot.adaptation import Model
from metaglot.data.examples import Examples
from metaglot.evaluation.baselines.features import FeatureCache
from metaglot.evaluation.baselines.method import Fitted
from metaglot.evaluation.baselines.ours import Ours
from metaglot.evaluation.baselines.start import Start
from metaglot.families.family import AnyFamily


@dataclass(frozen=True)
class FrozenInstant:
    """Prototypes, ridge regression and names of classes on frozen features."""

    backbone: Model
    queries: FeatureCache
    name: str = "frozen-instant"

    @classmethod
    def begin(cls, start: Start) -> "FrozenInstant":
        """Return the baseline on features of the untouched backbone."""
        return cls(start.backbone, start.queries)

    @property
    def model(self) -> str:
        """The backbone's name."""
        return self.backbone.name

    @property
    def settings(self) -> Mapping[str, object]:
        """The recorded choices."""
        return self._ours.settings

    def why_not(self, family: AnyFamily) -> None:
        """Return None: it learns every kind of task."""
        del family

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the adapted backbone."""
        return self._ours.fit(support, family, shot=shot, seed=seed)

    @property
    def _ours(self) -> Ours:
        return Ours(self.backbone, "instant", self.queries)
