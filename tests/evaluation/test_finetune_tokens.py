"""Fine-tuning of taggers from a head that is given, and with a rate of its own."""

import pytest
import torch

from metaglot.adaptation import load_model
from metaglot.data.examples import Examples
from metaglot.data.spans import Span
from metaglot.evaluation.baselines.finetune_tokens import Steps, token_trajectory
from metaglot.families.choose import family_called
from metaglot.families.tag_words import WordTools

TEXTS = ["Ann sings", "we saw Bob", "Eve is here", "no name here"]
SPANS = [(Span(0, 3, "PER"),), (Span(7, 10, "PER"),), (Span(0, 3, "PER"),), ()]


def after(
    tiny: str, steps: int, lr: float, head_lr: float | None
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Return the body before the steps, and all that is learnt from a head of ones."""
    encoder, family = load_model(tiny).encoder, family_called("tagging")
    examples = Examples.of(TEXTS, SPANS)
    width = encoder.problem(family, family.schema(examples.targets)).head_spec.inputs
    head = {"head.weight": torch.ones(3, width), "head.bias": torch.zeros(3), "head.ways": torch.zeros(4, 3)}
    start = {name: value.detach().clone() for name, value in encoder.params.items()}
    body = {name: value.clone().requires_grad_() for name, value in start.items()}
    rates = Steps(lr, 4, 1, 0, head_lr)
    (fit,) = token_trajectory(encoder, body, examples, family, WordTools(), rates, [steps], head=head)
    return start, dict(fit.params)


def test_it_begins_from_the_head_that_is_given(tiny: str) -> None:
    _, found = after(tiny, 0, 1e-3, None)
    assert torch.equal(found["head.weight"], torch.ones_like(found["head.weight"]))


@pytest.mark.parametrize(("lr", "head_lr"), [(0.0, 1e-2), (1e-3, 0.0)])
def test_the_head_has_a_rate_of_its_own(tiny: str, lr: float, head_lr: float) -> None:
    start, found = after(tiny, 2, lr, head_lr)
    moved = any(not torch.equal(found[name], value) for name, value in start.items())
    assert moved == (lr > 0)
    assert torch.equal(found["head.weight"], torch.ones_like(found["head.weight"])) == (head_lr == 0)
    assert torch.equal(found["head.ways"], torch.zeros(4, 3))
