"""Fine-tuning where texts are written: the loss of the tokens of targets moves all weights of the scope."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from metaglot.adaptation import Encoder
from metaglot.adaptation.effort import Effort
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.writing import form_of, longest_target, rows_to_learn
from metaglot.data.examples import Examples
from metaglot.evaluation.baselines.batch_order import shuffled_batches
from metaglot.evaluation.baselines.finetune_tokens import Steps
from metaglot.families.family import AnyFamily
from metaglot.families.write_tools import WriteTools
from metaglot.seeds import fold


def written_trajectory(
    start: Encoder,
    body: Mapping[str, Tensor],
    support: Examples[Any],
    family: AnyFamily,
    tools: WriteTools,
    steps: Steps,
    stops: Sequence[int],
) -> Iterator[Fit]:
    """Yield what is learnt after each number of steps in `stops`, ascending; `body` is moved in place."""
    schema, moved = family.schema(support.targets), list(body.values())
    longest = longest_target(form_of(start, tools), support.targets)
    problem = start.problem(family, schema)
    optimiser = torch.optim.AdamW(
        moved, lr=steps.lr, weight_decay=0.01, fused=start.backbone.learner.device.type != "mps"
    )
    batches, done = enumerate(shuffled_batches(len(support), steps.batch_size, steps.seed)), 0
    for stop in stops:
        for step, rows in islice(batches, stop - done):
            for group in optimiser.param_groups:
                group["lr"] = steps.lr * min(1.0, (step + 1) / steps.warmup)
            batch = rows_to_learn(start, family, tools, schema, support.at(rows))
            loss = problem.loss({**start.meta, **body}, batch, seed=fold(steps.seed, "dropout", step))
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(moved, 1.0)
            optimiser.step()
        done = stop
        params = {name: value.detach() for name, value in body.items()}
        paired = support.inputs.pairs is not None
        yield Fit(start, family, schema, params, Effort(steps=stop), steps.seed, paired=paired, longest=longest)
