"""The effort `auto`: how far to adapt, as the first gradient steps tell on examples set aside.

    g ~ N(γ(C), τ²)     what gradient steps bring over closed form, in accuracy, on other tasks of C classes
    γ(C) = γ∞ (1 − C₀/C)
    d | g ~ N(g, σ²)    what 6 bring here: fitted to one half of the examples, judged on the other, in turn
    E[g | d] = (γ/τ² + d/σ²) / (1/τ² + 1/σ²)

A few examples tell little, so that what other tasks taught decides until there are enough: closed form where E[g | d]
is not positive, else 20 steps.  With two classes steps cost about what they bring, with more they bring more.  σ² is
that of a difference of paired counts, (right only with steps + right only without + 1) / n².  How confident the head is
to be after steps is found on the same examples.

The steps go down cross-entropy and a contrastive loss (`families/contrast.py`).  After them the body is averaged with
the one before: some tasks gain by steps and some lose, and the mean has most of the gain and little of the loss
(Wortsman et al. 2022, https://arxiv.org/abs/2109.01903).

The budget is nominal, 6 floating-point operations for each parameter and token at RATE, so that the choice is a
function of the examples and the seed and not of what else the machine does.

γ∞, C₀, τ and the numbers of steps were chosen on development sets (docs/tuning.md).
"""

from dataclasses import replace
from typing import Any

import torch

from metaglot.adaptation.choice import CLOSED, MANY, RATE, SECONDS, SOME, SPREAD, Choice, Trial, usual
from metaglot.adaptation.crossval import judged
from metaglot.adaptation.effort import Effort
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.fitting import fit_examples, recorded
from metaglot.adaptation.folds import folds_of
from metaglot.adaptation.support import Names, head_of
from metaglot.data.examples import Examples, Inputs
from metaglot.families.classes.tools import ClassTools
from metaglot.families.family import AnyFamily
from metaglot.families.support_units import SupportUnits
from metaglot.seeds import fold


def fit_auto(
    encoder: Encoder,
    family: AnyFamily,
    examples: Examples[Any],
    *,
    seed: int,
    names: Names = True,
    seconds: float = SECONDS,
) -> Fit:
    """Return the fit to checked examples as far as `choose` says, with its choice."""
    choice, units = choose(encoder, family, examples, seed=seed, names=names, seconds=seconds)
    firmness = choice.firmness
    fit = fit_examples(
        encoder, family, examples, choice.effort, seed=seed, names=names, firmness=firmness, before=units
    )
    return recorded(replace(fit, choice=choice))


def choose(
    encoder: Encoder,
    family: AnyFamily,
    examples: Examples[Any],
    *,
    seed: int,
    names: Names = True,
    seconds: float = SECONDS,
) -> tuple[Choice, SupportUnits]:
    """Return how far to adapt to these examples within nominal seconds, and their features before any step.

    A function of the seed.
    """
    whole = fit_examples(encoder, family, examples, CLOSED, seed=seed, names=names)
    units, classes = whole.units, len(whole.labels)
    assert units is not None
    tools = family.exclusive
    if tools is None:
        return untried(family, step_seconds(encoder, examples.inputs), seconds), units

    def chosen(effort: Effort, reason: str, trial: Trial | None = None) -> tuple[Choice, SupportUnits]:
        gain = (trial.likely if trial else usual(classes)) if effort.steps else 0.0
        found = tools.expected(units, classes, encoder.metric, gain=gain, solver=whole.solver)
        return Choice(effort, trial, found, reason), units

    distinct = examples.distinct().targets
    if min(distinct.count(label) for label in whole.labels) < 2:
        return chosen(CLOSED, "closed form, since a class has one example (repeats apart): none can be set aside")
    step = step_seconds(encoder, examples.inputs)
    if step * SOME.steps > seconds:
        return chosen(CLOSED, f"closed form, since {SOME.steps} gradient steps would take over {seconds:g} s")
    most = MANY if step * MANY.steps <= seconds else SOME
    share = min(1.0, len(examples) / 2 / SOME.batch_size)
    if step * (most.steps + 2 * share * SOME.steps) > seconds:
        effort, what = (most, f"{most.steps} gradient steps") if usual(classes) > 0 else (CLOSED, "closed form")
        return chosen(effort, f"{what}, as most tasks want; to try steps first would take over {seconds:g} s")
    trial = trial_of(encoder, family, tools, examples, units, seed, names)
    effort = CLOSED if trial.likely <= 0 else most
    return chosen(effort, _reason(effort, trial), trial)


def untried(family: AnyFamily, step: float, seconds: float) -> Choice:
    """Return how far to adapt where nothing is tried: as far as most tasks of the kind gain by, in the time."""
    efforts = [one for one in (CLOSED, SOME, MANY) if one.steps <= family.steps and step * one.steps <= seconds]
    effort = max(efforts, key=lambda one: one.steps)
    what = f"{effort.steps} gradient steps" if effort.steps else "closed form"
    usual = effort.steps == family.steps
    why = "as most tasks of this kind want" if usual else f"since more would take over {seconds:g} s"
    return Choice(effort, None, None, f"{what}, {why}")


def _reason(effort: Effort, trial: Trial) -> str:
    what = f"{effort.steps} gradient steps" if effort.steps else "closed form"
    here = f"{100 * trial.measured:+.1f} ± {100 * trial.error:.1f} points by {SOME.steps} steps on examples set aside"
    there = f"{100 * trial.usual:+.0f} ± {100 * SPREAD:.0f} on other tasks of as many classes"
    return f"{what}: {here}, {there}, so likely {100 * trial.likely:+.1f}"


def trial_of(
    encoder: Encoder,
    family: AnyFamily,
    tools: ClassTools,
    examples: Examples[Any],
    units: SupportUnits,
    seed: int,
    names: Names,
) -> Trial:
    """Try SOME on two halves; `units` has the features of all, as they are without any step."""
    schema = family.schema(examples.targets)
    named = torch.nonzero(units.is_class_name)[:, 0].tolist()
    right: list[tuple[bool, bool]] = []
    scores, numbers = [], []
    for k, (inside, outside) in enumerate(folds_of(family, examples, 2, seed, "halves")):
        before, half = units.at(torch.tensor([*inside, *named])), examples.at(inside)
        head, _ = head_of(encoder, family, schema, CLOSED, before)
        closed = units.features[outside] @ head["head.weight"].T + head["head.bias"]
        fit = fit_examples(encoder, family, half, SOME, seed=fold(seed, "half", k), names=names, before=before)
        stepped = judged(fit, examples.at(outside))
        right += zip((closed.argmax(1) == units.numbers[outside]).tolist(), stepped.right, strict=True)
        scores.append(stepped.scores)
        numbers.append(stepped.numbers)
    lost, won = (sum(pair == wanted for pair in right) for wanted in ((True, False), (False, True)))
    firmness = tools.confidence(torch.cat(scores), torch.cat(numbers))
    return Trial((won - lost) / len(right), (won + lost + 1) ** 0.5 / len(right), firmness, usual(len(schema.outputs)))


def step_seconds(encoder: Encoder, inputs: Inputs) -> float:
    """Return the nominal seconds of a step of SOME on inputs of this length."""
    tokens = encoder.collate(inputs)["attention_mask"].sum().item()
    size = sum(value.numel() for name, value in encoder.params.items() if "embeddings" not in name)
    return 6 * size * tokens / len(inputs) * min(len(inputs), SOME.batch_size) / RATE
