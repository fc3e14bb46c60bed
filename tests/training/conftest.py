"""A plan over toy sets and a tiny random BERT with dropout, as a recipe would make it."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch

from metaglot.algorithms import build_algorithm
from metaglot.families.classification import Classification
from metaglot.tasks import Shape, SupervisedTasks, sources_of
from metaglot.training import Optimisation, Plan, Validation

SHAPE = Shape((2, 3), (1, 2), 2)
OPTIONS: dict[str, dict[str, Any]] = {
    "protonet": {},
    "fomaml": {"steps": 2, "lr": 0.05, "head": "prototypes"},
    "joint": {"steps": 1},
    "warpgrad": {},
    "metanet-n": {},
    "reml": {},
    "sequential-reptile": {"steps": 2, "adam": True, "head": "prototypes"},
}


@pytest.fixture(scope="session")
def make_plan(make_toy, make_bert) -> Callable[..., Plan]:
    """Return a function (algorithm, steps=, optimisation={…}, **fields of Plan) -> Plan."""
    (seen,), (other,) = sources_of(make_toy()), sources_of(make_toy(name="other", classes=4, seed=1))
    (held,) = sources_of(make_toy(name="held", seed=2))
    family = Classification()

    def make(name: str = "protonet", *, steps: int = 12, optimisation: dict[str, Any] | None = None, **changes) -> Plan:
        plan = Plan(
            learner=make_bert(dtype=torch.float32),
            algorithm=build_algorithm(name, OPTIONS[name]),
            train=SupervisedTasks((seen, other), family, SHAPE),
            validation=SupervisedTasks((held,), family, Shape((3, 3), (2, 2), 3)),
            optimisation=Optimisation(steps=steps, meta_batch=2, lr=1e-3, warmup=3, **(optimisation or {})),
            validate=Validation(every=4, episodes=3),
            save_every=5,
            seed=7,
        )
        return replace(plan, **changes)

    return make
