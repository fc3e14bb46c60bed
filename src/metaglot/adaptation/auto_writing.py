"""How far `auto` adapts where texts are written: the effort that examples set aside have the least loss by.

A quarter of the examples, 16 at most, is set aside.  Each effort learns from the others, and what is compared is the
loss a token of those set aside, which costs one pass, and no text is written.  What would take longer than the nominal
seconds is not tried.  Then the effort learns from all examples.
"""

from dataclasses import replace
from typing import Any

from metaglot.adaptation.choice import RATE, SECONDS, Choice
from metaglot.adaptation.effort import WRITING_EFFORTS, Effort
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.fitting import fit_examples, recorded
from metaglot.adaptation.writing import form_of, loss_of, shown_examples
from metaglot.data.examples import Examples
from metaglot.families.family import AnyFamily
from metaglot.families.write_tools import WriteTools, source_texts
from metaglot.seeds import fold, generator

SHARE, MOST, LEAST = 4, 16, 4  # one example in so many is set aside; at most; examples from which on something is tried


def fit_auto_writing(
    encoder: Encoder,
    family: AnyFamily,
    tools: WriteTools,
    examples: Examples[Any],
    *,
    seed: int,
    seconds: float = SECONDS,
) -> Fit:
    """Return the fit by the effort that is best on examples set aside, with its choice."""
    choice = _choice(encoder, family, tools, examples, seed, seconds)
    assert isinstance(choice.effort, Effort)
    fit = fit_examples(encoder, family, examples, choice.effort, seed=seed)
    return recorded(replace(fit, choice=choice))


def _choice(
    encoder: Encoder, family: AnyFamily, tools: WriteTools, examples: Examples[Any], seed: int, seconds: float
) -> Choice:
    step = step_seconds(encoder, tools, examples)
    efforts = {name: one for name, one in WRITING_EFFORTS.items() if 2 * step * one.steps <= seconds}
    if len(examples) < LEAST or len(efforts) == 1:
        few = len(examples) < LEAST
        why = (
            f"fewer than {LEAST} examples, so that none is set aside" if few else f"more would take over {seconds:g} s"
        )
        return Choice(WRITING_EFFORTS["instant"], None, None, f"examples in the prompt, since {why}")
    order = generator(seed, "aside").permutation(len(examples)).tolist()
    count = min(MOST, max(1, len(examples) // SHARE))
    outside, inside = examples.at(order[:count]), examples.at(order[count:])
    losses: dict[str, float] = {}
    for name, effort in efforts.items():
        fit = fit_examples(encoder, family, inside, effort, seed=fold(seed, "aside", name))
        before = shown_examples(outside.inputs, inside, effort.shown) if effort.shown else [[]] * count
        losses[name] = loss_of(encoder, fit.params, family, tools, fit.schema, outside, before)
    best = min(losses, key=lambda name: losses[name])
    told = ", ".join(f"{name} {loss:.3f}" for name, loss in losses.items())
    return Choice(efforts[best], None, None, f"{best}, by the loss a token of {count} examples set aside: {told} nats")


def step_seconds(encoder: Encoder, tools: WriteTools, examples: Examples[Any]) -> float:
    """Return the nominal seconds of a step on examples of this length."""
    form = form_of(encoder, tools)
    few = [*zip(source_texts(examples.inputs), examples.targets, strict=True)][:64]
    tokens = sum(len(tools.row(form, source, target)["input_ids"]) for source, target in few) / len(few)
    size = sum(value.numel() for value in encoder.params.values())
    batch = min(len(examples), WRITING_EFFORTS["fast"].batch_size)
    return 6 * size * tokens * batch / RATE
