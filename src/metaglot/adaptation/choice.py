"""What the effort `auto` chooses between, and what speaks for its choice (`auto.py` chooses)."""

from typing import Any, NamedTuple

from metaglot.adaptation.effort import EFFORTS, AsTrained, Effort, effort_record
from metaglot.families.classes.expected import Expected

CLOSED = EFFORTS["instant"]
SOME, MANY = (
    Effort(steps, 1e-4, 1e-4, 16, freeze=("embeddings",), head="blend", names=True, kept=0.5, contrast=1.0)
    for steps in (6, 20)
)
USUAL, LEVEL, SPREAD = 0.065, 2.3, 0.035  # γ∞, C₀, τ
LONGER = 0.9  # of the confidence that suits SOME, that MANY deserve
RATE = 100e9  # operations a second
SECONDS = 20.0


class Trial(NamedTuple):
    """What SOME brought on halves set aside."""

    measured: float  # d
    error: float  # σ
    firmness: float  # the confidence that suits them there, as a multiple of the usual one
    usual: float  # γ

    @property
    def likely(self) -> float:
        """E[g | d]."""
        prior, precision = 1 / SPREAD**2, 1 / self.error**2
        return (self.usual * prior + self.measured * precision) / (prior + precision)


class Choice(NamedTuple):
    """How far to adapt, and what speaks for it."""

    effort: Effort | AsTrained
    trial: Trial | None  # None where nothing was tried
    expected: Expected | None
    reason: str

    @property
    def firmness(self) -> float:
        """How confident to be after the steps taken, as a multiple of what is usual; 1 where nothing was tried."""
        if self.trial is None or self.effort == CLOSED:
            return 1.0
        return self.trial.firmness * (LONGER if self.effort == MANY else 1.0)

    def record(self) -> dict[str, Any]:
        """Return it as JSON."""
        trial = self.trial and {**self.trial._asdict(), "likely": self.trial.likely}
        effort = effort_record(self.effort)
        return {
            "effort": {name: list(value) if isinstance(value, tuple) else value for name, value in effort.items()},
            "trial": trial,
            "expected": self.expected and self.expected._asdict(),
            "reason": self.reason,
        }


def usual(classes: int) -> float:
    """Return γ, what steps bring on other tasks of so many classes."""
    return USUAL * (1 - LEVEL / classes)


def auto_settings() -> dict[str, object]:
    """Return what `auto` chooses between, and how."""
    bounds = {
        "usual": USUAL,
        "level": LEVEL,
        "spread": SPREAD,
        "longer": LONGER,
        "rate": RATE,
        "seconds": SECONDS,
    }
    return {"candidates": [effort_record(effort) for effort in (CLOSED, SOME, MANY)], **bounds}
