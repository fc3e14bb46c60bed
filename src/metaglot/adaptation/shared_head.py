"""A head that all tasks of a kind share: the one that a model has learnt, and what an adaptation makes of it.

In closed form the examples change the learnt head (`SharedTools.solve`).  Gradient steps begin from what they made of
it, and what remains is averaged with that as the body is.
"""

import warnings
from dataclasses import replace

from metaglot.adaptation.encoder import Encoder
from metaglot.families.family import AnyFamily
from metaglot.families.records import Schema, Solved
from metaglot.families.shared_tools import SharedTools
from metaglot.families.support_units import SupportUnits
from metaglot.models.heads.shared import shared_layer, shared_layers, shared_params
from metaglot.types import Params


def learnt_head(encoder: Encoder, family: AnyFamily, schema: Schema) -> Params:
    """Return `head.*` as the model has learnt it, or as it begins; nothing where neither says anything."""
    spec = encoder.problem(family, schema).head_spec
    learnt = shared_layer(spec, encoder.meta)
    if learnt is None and spec.begin:
        learnt = shared_layer(spec, shared_layers({spec.shared: spec}, encoder.params))
    return learnt or {}


def solved_head(encoder: Encoder, family: AnyFamily, tools: SharedTools, schema: Schema, units: SupportUnits) -> Solved:
    """Return what the units make of the learnt head; warn where the model has learnt none."""
    learnt = learnt_head(encoder, family, schema)
    if not learnt:
        warnings.warn(f"{encoder.name}: {tools.unlearnt}", stacklevel=2)
    return tools.solve(units, schema, learnt)


def begun_from(encoder: Encoder, family: AnyFamily, schema: Schema, head: Params) -> Encoder:
    """Return the encoder as if it had learnt this head, so that gradient steps begin from it."""
    spec = encoder.problem(family, schema).head_spec
    return replace(encoder, meta={**encoder.meta, **shared_params(spec, head)})
