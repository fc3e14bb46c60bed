"""Texts of which each token or word is a unit: read in windows, as features with their owners and characters."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from metaglot.adaptation.encoder import BATCH, Encoder
from metaglot.data.examples import Inputs
from metaglot.data.windows import Window
from metaglot.families.family import AnyFamily
from metaglot.families.records import Places, Schema
from metaglot.families.support_units import SupportUnits
from metaglot.families.token_tools import TokenTools
from metaglot.models.turns import turn
from metaglot.types import Batch, Outputs, Params, Units


class TokenUnits(NamedTuple):
    """The units of some inputs, in the order of the inputs."""

    units: SupportUnits
    places: Places


def windows_of(encoder: Encoder, tools: TokenTools[Any], inputs: Inputs) -> list[Window]:
    """Return the windows of the inputs in their order, one at least for each."""
    backbone = encoder.backbone
    with turn(backbone.tokenizer):  # which keeps how texts are cut
        return tools.windows(
            backbone.tokenizer, inputs, max_length=encoder.max_length, prompt=backbone.prompt, where=encoder.name
        )


def window_batch(  # targets by input; None: not known
    encoder: Encoder,
    family: AnyFamily,
    tools: TokenTools[Any],
    schema: Schema,
    cut: Sequence[Window],
    targets: Sequence[Any] | None,
) -> Batch:
    """Return windows as a batch of the objective, on the device of the backbone."""
    rows = [
        {**window.tokens, **tools.row(None if targets is None else targets[window.owner], schema, window)}
        for window in cut
    ]
    batch = family.objective(schema, encoder.pad_token_id).collate(rows)
    return {name: value.to(encoder.backbone.learner.device) for name, value in batch.items()}


def token_units(
    encoder: Encoder,
    moved: Params,
    family: AnyFamily,
    tools: TokenTools[Any],
    schema: Schema,
    inputs: Inputs,
    targets: Sequence[Any] | None = None,
) -> TokenUnits:
    """Return the units of the inputs, with the parameters that moved; windows of like length share a batch.

    Targets are zeros where those of the inputs are not known.
    """
    cut, problem = windows_of(encoder, tools, inputs), encoder.problem(family, schema)
    learner, params, spec = encoder.backbone.learner, {**encoder.meta, **moved}, problem.head_spec
    width = spec.inputs + spec.beside
    features: list[Tensor] = [torch.zeros(0, width, device=learner.device)] * (len(cut) + 1)  # the last: none
    numbers: list[Tensor] = [torch.zeros(0, spec.outputs, device=learner.device)] * (len(cut) + 1)
    order = np.argsort([len(window.part) for window in cut], kind="stable")
    with torch.no_grad():
        for chosen in (order[at : at + BATCH].tolist() for at in range(0, len(order), BATCH)):
            batch = window_batch(encoder, family, tools, schema, [cut[i] for i in chosen], targets)
            outputs = learner.forward(params, batch)
            if learner.steady:
                for place, i in enumerate(chosen):
                    alone = window_units(encoder, family, tools, schema, cut[i], one_of(outputs, place), targets)
                    features[i], numbers[i] = alone.features.float(), alone.targets.float()
                continue
            found = problem.objective.units(outputs, batch, spec)
            for place, i in enumerate(chosen):
                mine = found.owner == place
                features[i], numbers[i] = found.features[mine].float(), found.targets[mine].float()
    places = places_of(inputs, cut, tools)
    owner = torch.as_tensor(places.owner, device=learner.device)
    every = SupportUnits(torch.cat(features), torch.cat(numbers), torch.zeros_like(owner, dtype=torch.bool), owner)
    return TokenUnits(every, places)


def window_units(
    encoder: Encoder,
    family: AnyFamily,
    tools: TokenTools[Any],
    schema: Schema,
    window: Window,
    outputs: Outputs,
    targets: Sequence[Any] | None = None,
) -> Units:
    """Return the units of one window from what a learner gave for it alone, so that no other window is in the sums."""
    batch, problem = window_batch(encoder, family, tools, schema, [window], targets), encoder.problem(family, schema)
    return problem.objective.units(outputs, batch, problem.head_spec)


def one_of(outputs: Outputs, place: int) -> Outputs:
    """Return what a learner gave for one row of a batch, without its padding."""
    row = slice(place, place + 1)
    length = int(outputs.mask[place].sum())
    return Outputs(outputs.hidden[row, :length], outputs.pooled[row], outputs.mask[row, :length])


def places_of(inputs: Inputs, cut: Sequence[Window], tools: TokenTools[Any]) -> Places:
    """Return where the units of windows stand."""
    where = [tools.places(window).reshape(-1, 2) for window in cut]
    counts = [len(one) for one in where]
    start, end = np.concatenate([np.zeros((0, 2), np.int64), *where]).T
    number = np.repeat(np.arange(len(cut)), counts)
    owner = np.array([window.owner for window in cut], dtype=np.int64)[number]
    return Places(inputs, owner, number, start, end)
