"""The source as its own target: between like languages, or for a summary, a floor that is not low."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from metaglot.data.examples import Examples
from metaglot.evaluation.baselines.method import Fitted
from metaglot.evaluation.baselines.start import Start
from metaglot.evaluation.baselines.written import copied
from metaglot.families.family import AnyFamily


@dataclass(frozen=True)
class Copy:
    """What is written is the source; of pairs, the first text."""

    name: str = "copy"
    model: str = "-"

    @classmethod
    def begin(cls, start: Start) -> "Copy":
        """Return the baseline, which needs no model."""
        del start
        return cls()

    @property
    def settings(self) -> Mapping[str, object]:
        """Return nothing: there is no choice."""
        return {}

    def why_not(self, family: AnyFamily) -> str | None:
        """Return the reason where no text is written."""
        return None if family.writes else f"it copies texts, and a task of {family.name} writes none"

    def fit(self, support: Examples[Any], family: AnyFamily, *, shot: int, seed: int) -> Fitted:
        """Return the method; the support set teaches it nothing."""
        del shot, seed
        return copied(family, support)
