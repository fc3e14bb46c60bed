"""The effort `auto`: how far to adapt, as the first gradient steps tell on examples set aside.

    g ~ N(γ(C), τ²)     what gradient steps bring over closed form, in accuracy, on other tasks of C classes
    γ(C) = γ∞ (1 − C₀/C)
    d | g ~ N(g, σ²)    what 6 bring here: fitted to one half of the examples, judged on the other, in turn
    E[g | d] = (γ/τ² + d/σ²) / (1/τ² + 1/σ²)

A few examples tell little, so that what other tasks taught decides until there are enough: closed form where E[g | d]
is not positive, else 20 steps.  With two classes steps cost about what they bring, with more they bring more.  σ² is
that of a difference of paired counts, (right only with steps + right only without + 1) / n².  How confident the head is
to be after steps is found on the same examples.

The steps go down cross-entropy and a contrastive loss (`tasks/contrastive.py`).  After them the body is averaged with
the one before: some tasks gain by steps and some lose, and the mean has most of the gain and little of the loss
(Wortsman et al. 2022, https://arxiv.org/abs/2109.01903).

The budget is nominal, 6 floating-point operations for each parameter and token at RATE, so that the choice is a
function of the examples and the seed and not of what else the machine does.

γ∞, C₀, τ and the numbers of steps were chosen on development sets (docs/tuning.md).
"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import torch

from metaglot.adaptation.adapted import Adapted
from metaglot.adaptation.closed_form import SupportUnits, confidence
from metaglot.adaptation.crossval import Examples, folds_of, judged
from metaglot.adaptation.effort import EFFORTS, Effort
from metaglot.adaptation.expected import Expected, expected
from metaglot.adaptation.fit import adapt_model
from metaglot.adaptation.model import Model, Names
from metaglot.adaptation.support import head_of
from metaglot.data.labels import Label, in_order
from metaglot.seeds import fold

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


def usual(classes: int) -> float:
    """Return γ, what steps bring on other tasks of so many classes."""
    return USUAL * (1 - LEVEL / classes)


class Choice(NamedTuple):
    """How far to adapt, and what speaks for it."""

    effort: Effort
    known: SupportUnits  # features before any step
    trial: Trial | None  # None where nothing was tried
    expected: Expected | None
    reason: str

    @property
    def firmness(self) -> float:
        """How confident to be after the steps taken, as a multiple of what is usual; 1 where nothing was tried."""
        if self.trial is None or self.effort is CLOSED:
            return 1.0
        return self.trial.firmness * (LONGER if self.effort is MANY else 1.0)

    def record(self) -> dict[str, Any]:
        """Return it as JSON."""
        trial = self.trial and {**self.trial._asdict(), "likely": self.trial.likely}
        effort = {**asdict(self.effort), "freeze": list(self.effort.freeze)}
        return {
            "effort": effort,
            "trial": trial,
            "expected": self.expected and self.expected._asdict(),
            "reason": self.reason,
        }


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
    return {"candidates": [asdict(effort) for effort in (CLOSED, SOME, MANY)], **bounds}


def choose(
    model: Model,
    texts: Sequence[str],
    labels: Sequence[Label],
    pairs: Sequence[str] | None,
    *,
    seed: int,
    names: Names = True,
    seconds: float = SECONDS,
) -> Choice:
    """Return how far to adapt to these examples within nominal seconds; a function of the seed."""
    examples = Examples(texts, labels, pairs, names)
    whole = model.adapt(texts, labels, pairs=pairs, effort=CLOSED, seed=seed, names=names)
    known = whole.known
    assert known is not None

    def chosen(effort: Effort, reason: str, trial: Trial | None = None) -> Choice:
        gain = (trial.likely if trial else usual(len(whole.labels))) if effort.steps else 0.0
        found = expected(known, len(whole.labels), model.metric, gain=gain, solver=whole.solver)
        return Choice(effort, known, trial, found, reason)

    if min(examples.distinct().values()) < 2:
        return chosen(CLOSED, "closed form, since a class has one example (repeats apart): none can be set aside")
    step = step_seconds(model, texts, pairs)
    if step * SOME.steps > seconds:
        return chosen(CLOSED, f"closed form, since {SOME.steps} gradient steps would take over {seconds:g} s")
    most = MANY if step * MANY.steps <= seconds else SOME
    share = min(1.0, len(texts) / 2 / SOME.batch_size)
    if step * (most.steps + 2 * share * SOME.steps) > seconds:
        effort, what = (
            (most, f"{most.steps} gradient steps") if usual(len(whole.labels)) > 0 else (CLOSED, "closed form")
        )
        return chosen(effort, f"{what}, as most tasks want; to try steps first would take over {seconds:g} s")
    trial = tried(model, examples, known, seed)
    effort = CLOSED if trial.likely <= 0 else most
    return chosen(effort, _said(effort, trial), trial)


def adapt_auto(
    model: Model,
    texts: list[str],
    labels: list[Label],
    pairs: list[str] | None,
    *,
    seed: int,
    names: Names = True,
    seconds: float = SECONDS,
) -> Adapted:
    """Return the model adapted to checked examples as far as `choose` says, with what it said in the provenance."""
    choice = choose(model, texts, labels, pairs, seed=seed, names=names, seconds=seconds)
    adapted = adapt_model(
        *(model, texts, labels, pairs, choice.effort),
        seed=seed,
        names=names,
        firmness=choice.firmness,
        before=choice.known,
    )
    return replace(adapted, provenance={**adapted.provenance, "choice": choice.record()})


def _said(effort: Effort, trial: Trial) -> str:
    what = f"{effort.steps} gradient steps" if effort.steps else "closed form"
    here = f"{100 * trial.measured:+.1f} ± {100 * trial.error:.1f} points by {SOME.steps} steps on examples set aside"
    there = f"{100 * trial.usual:+.0f} ± {100 * SPREAD:.0f} on other tasks of as many classes"
    return f"{what}: {here}, {there}, so likely {100 * trial.likely:+.1f}"


def tried(model: Model, examples: Examples, known: SupportUnits, seed: int) -> Trial:
    """Try SOME on two halves; `known` has the features of all, as they are without any."""
    classes = in_order(examples.labels)
    named = torch.nonzero(known.is_class_name)[:, 0].tolist()
    right: list[tuple[bool, bool]] = []
    scores, numbers = [], []
    for k, (inside, outside) in enumerate(folds_of(examples, 2, seed, "halves")):
        before, half = known.at(torch.tensor([*inside, *named])), examples.at(inside)
        head, _ = head_of(model, CLOSED, before, len(classes))
        closed = known.features[outside] @ head["head.weight"].T + head["head.bias"]
        pairs = None if half.pairs is None else list(half.pairs)
        adapted = adapt_model(
            *(model, list(half.texts), list(half.labels), pairs, SOME),
            seed=fold(seed, "half", k),
            names=half.names,
            before=before,
        )
        stepped = judged(adapted, examples.at(outside))
        right += zip((closed.argmax(1) == known.numbers[outside]).tolist(), stepped.right, strict=True)
        scores.append(stepped.scores)
        numbers.append(stepped.numbers)
    lost, won = (sum(pair == wanted for pair in right) for wanted in ((True, False), (False, True)))
    firmness = confidence(torch.cat(scores), torch.cat(numbers), start=1.0)
    return Trial((won - lost) / len(right), (won + lost + 1) ** 0.5 / len(right), firmness, usual(len(classes)))


def step_seconds(model: Model, texts: Sequence[str], pairs: Sequence[str] | None) -> float:
    """Return the nominal seconds of a step of SOME on texts of this length."""
    tokens = model.collate(texts, pairs, [0] * len(texts))["attention_mask"].sum().item()
    size = sum(value.numel() for name, value in model.params.items() if "embeddings" not in name)
    return 6 * size * tokens / len(texts) * min(len(texts), SOME.batch_size) / RATE
