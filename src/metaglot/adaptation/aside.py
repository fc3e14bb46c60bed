"""What an algorithm's own head leaves to be decided, found on examples that are set aside in turn.

A head in closed form is calibrated where it is made (`Family.solve`).  One that an algorithm makes is not: where a
decision needs more than its scores, such as the probability from which on a label is given, the algorithm learns once
more for each fold of the examples, without them.
"""

from collections.abc import Callable

import torch

from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.folds import folds_of
from metaglot.adaptation.support import Support, units_of
from metaglot.families.records import Aside
from metaglot.models.heads import scores
from metaglot.types import Params

FOLDS = 5


def decision_of(encoder: Encoder, support: Support, seed: int, *, learn: Callable[[Support], Params]) -> Params:
    """Return what `Family.decode` reads beside a head that `learn` makes; nothing where the kind needs none."""
    family, examples = support.family, support.examples
    if family.decision is None:
        return {}
    found: list[Aside] = []
    for inside, outside in folds_of(family, examples, FOLDS, seed, "decision"):
        if not inside or not outside:
            continue
        there, others = examples.at(inside), examples.at(outside)
        params = learn(support._replace(examples=there))
        units = None if family.tokens is None else units_of(encoder, params, family, support.schema, others)
        whole = {**encoder.meta, **params}
        features = encoder.features(whole, others.inputs) if units is None else units.features
        with torch.no_grad():
            found.append(Aside(there.targets, others.targets, scores(whole, features), units))
    return family.decision(found, support.schema)
