"""Validation is a mean over tasks: one whose numbers are a thousand times as large counts as much as any other."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pytest
import torch

from metaglot.algorithms import build_algorithm
from metaglot.families.regression import LEAST_OFF, Regression, RegressionFamily
from metaglot.training import validate
from metaglot.types import Episode, Record, Snapshot, TaskInfo

NUMBERS = [1.0, 4.0, 2.0, 5.0, 3.5, 2.5, 1.5, 4.5]


def task(scale: float, seed: int) -> Episode:
    """Random texts with numbers; the last four of them are queries."""
    family = RegressionFamily()
    rng = np.random.default_rng(seed)
    numbers = [scale * number for number in NUMBERS]
    schema = family.schema(numbers[:4])
    objective = family.objective(schema, 0)
    rows = [{"input_ids": rng.integers(1, 20, 6).tolist(), **family.row(number, schema)} for number in numbers]
    info = TaskInfo("stars", "stars", ("number",), (0,), family="regression")
    return Episode(info, objective, objective.collate(rows[:4]), objective.collate(rows[4:]))


@dataclass(frozen=True)
class InTurn:
    """Episodes one after the other."""

    episodes: tuple[Episode, ...]

    @cached_property
    def tasks(self) -> Sequence[TaskInfo]:
        return [episode.task for episode in self.episodes]

    def __call__(self, seed: int, n: int, snapshot: Snapshot) -> Episode:
        del seed, snapshot
        return self.episodes[n]

    def update(self, snapshot: Snapshot, records: Sequence[Record]) -> Snapshot:
        del records
        return snapshot


def test_tasks_of_unlike_scales_count_the_same(bert):
    algorithm = build_algorithm("r2d2")

    def score(*episodes: Episode) -> dict[str, float]:
        meta = algorithm.init(bert, [one.task for one in episodes], seed=0)
        return validate(algorithm, bert, meta, InTurn(episodes), episodes=len(episodes))

    near, far = score(task(1.0, 1)), score(task(1.0, 2))
    both, scaled = score(task(1.0, 1), task(1.0, 2)), score(task(1000.0, 1), task(1.0, 2))
    assert abs(near["relative_mae"] - far["relative_mae"]) > 0.01, "else a mean could not go wrong"
    assert both["relative_mae"] == pytest.approx((near["relative_mae"] + far["relative_mae"]) / 2)
    assert scaled["relative_mae"] == pytest.approx(both["relative_mae"], rel=1e-5)
    assert scaled["ci95"] == pytest.approx(both["ci95"], rel=1e-4)
    assert scaled["mae"] > 100 * both["mae"]


def test_the_mean_of_the_support_set_has_one_and_numbers_that_are_right_have_none():
    objective = Regression(mean=3.0, spread=2.0)
    assert objective.measures[0].name == "relative_mae"
    batch = {"targets": torch.tensor([[1.0], [-2.0], [0.5]])}
    assert objective.metrics(torch.zeros(3, 1), batch)["relative_mae"] == pytest.approx(1.0)
    assert objective.metrics(batch["targets"], batch)["relative_mae"] == 0.0
    assert objective.metrics(batch["targets"] / 2, batch)["relative_mae"] == pytest.approx(0.5)
    at_the_mean = {"targets": torch.zeros(3, 1)}
    assert objective.metrics(torch.full((3, 1), LEAST_OFF), at_the_mean)["relative_mae"] == pytest.approx(1.0)
