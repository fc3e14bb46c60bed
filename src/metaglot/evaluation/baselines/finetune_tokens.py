"""Fine-tuning where the units of a task are tokens or words.

The head begins as the closed form that the kind of task has on the untouched backbone, and then all weights of the
scope and the head follow the loss of the kind: linear probing, then fine-tuning (Kumar et al. 2022,
https://arxiv.org/abs/2202.10054).  A head that begins at random predicts nothing after a few steps at a small rate.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import torch
from torch import Tensor

from metaglot.adaptation import Encoder
from metaglot.adaptation.effort import EFFORTS, Effort
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.support import head_of
from metaglot.adaptation.token_units import token_units, window_batch, windows_of
from metaglot.data.examples import Examples
from metaglot.evaluation.baselines.batch_order import shuffled_batches
from metaglot.families.family import AnyFamily
from metaglot.families.token_tools import TokenTools
from metaglot.models.heads.memory import MEMORY
from metaglot.seeds import fold
from metaglot.types import Params

LAYER = ("head.weight", "head.bias")  # of a head, what the steps move


class Steps(NamedTuple):
    """How the steps are taken."""

    lr: float
    batch_size: int  # windows
    warmup: int  # steps
    seed: int
    head_lr: float | None = None  # as `lr` if absent


def token_trajectory(
    start: Encoder,
    body: Mapping[str, Tensor],
    support: Examples[Any],
    family: AnyFamily,
    tools: TokenTools[Any],
    steps: Steps,
    stops: Sequence[int],
    *,
    head: Params | None = None,
) -> Iterator[Fit]:
    """Yield what is learnt after each number of steps in `stops`, ascending; `body` is moved in place.

    The head begins as `head`, or in closed form if that is absent.
    """
    learner, schema = start.backbone.learner, family.schema(support.targets)
    objective, cut = family.objective(schema, start.pad_token_id), windows_of(start, tools, support.inputs)
    head = _free(_closed_form(start, family, tools, support) if head is None else head)
    moved = [*body.values(), *(head[name] for name in LAYER)]
    optimiser = _adamw(body, head, steps, fused=learner.device.type != "mps")
    batches, done = enumerate(shuffled_batches(len(cut), steps.batch_size, steps.seed)), 0
    for stop in stops:
        for step, rows in islice(batches, stop - done):
            for group in optimiser.param_groups:
                group["lr"] = group["most"] * min(1.0, (step + 1) / steps.warmup)
            batch = window_batch(start, family, tools, schema, [cut[row] for row in rows], support.targets)
            params = {**start.meta, **body, **head}
            outputs = learner.forward(params, batch, seed=fold(steps.seed, "dropout", step))
            loss = objective.loss(objective.logits(params, outputs, batch), batch)
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(moved, 1.0)
            optimiser.step()
        done = stop
        params = {name: value.detach() for name, value in {**body, **head}.items()}
        yield Fit(
            start, family, schema, params, Effort(steps=stop), steps.seed, paired=support.inputs.pairs is not None
        )


def _closed_form(
    start: Encoder, family: AnyFamily, tools: TokenTools[Any], support: Examples[Any]
) -> Mapping[str, Tensor]:
    schema = family.schema(support.targets)
    units = token_units(start, {}, family, tools, schema, support.inputs, support.targets).units
    return head_of(start, family, schema, EFFORTS["instant"], units).params


def _free(head: Mapping[str, Tensor]) -> Params:
    """Return a copy of a head whose layer can be moved, without a memory, which the steps would not know."""
    return {
        name: value.clone().requires_grad_() if name in LAYER else value
        for name, value in head.items()
        if name not in MEMORY
    }


def _adamw(body: Mapping[str, Tensor], head: Params, steps: Steps, *, fused: bool) -> torch.optim.AdamW:
    """Return the optimiser; the rate of a group is warmed up to its `most`."""
    rates = {"body": steps.lr, "head": steps.lr if steps.head_lr is None else steps.head_lr}
    parts = {"body": list(body.values()), "head": [head[name] for name in LAYER]}
    groups = [{"params": parts[name], "most": rate, "lr": rate} for name, rate in rates.items()]
    return torch.optim.AdamW(groups, weight_decay=0.01, fused=fused)
