"""Mixtures: shares and schedule, parts that count for themselves, a bound by dual ascent, readings of the model."""

import math
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.seeds import fold
from metaglot.tasks import MixtureOf
from metaglot.tasks.learning import LearnsFromModel
from metaglot.tasks.mixture import MEAN, SHIFT, WINDOW, Bound
from metaglot.training.checkpoint import load, save
from metaglot.training.state import State
from metaglot.types import Episode, TaskInfo

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Numbered:
    """A distribution whose episodes say their seed and number."""

    name: str

    @property
    def tasks(self):
        return [TaskInfo(self.name, self.name, (), ())]

    def __call__(self, seed, n, snapshot):
        return Episode(self.tasks[0], Classification(), {}, {}, {"seed": (seed,), "n": (n,)})

    def update(self, snapshot, records):
        return snapshot


@dataclass(frozen=True)
class Reads(Numbered):
    """One that notes when it has read the model."""

    every: int = 1

    def refresh(self, snapshot, learner, params, *, step):
        assert learner == "learner"
        assert params == {"p": 1}
        return {"at": torch.tensor([*snapshot.get("at", torch.empty(0)).tolist(), step])}


A, B, C = Numbered("a"), Numbered("b"), Numbered("c")


def names(mixture, episodes, snapshot=None, seed=0) -> list[str]:
    return [mixture(seed, n, snapshot or {}).task.name for n in episodes]


@settings(max_examples=60)
@given(
    weights=st.tuples(*[st.floats(0.05, 9)] * 3),
    seed=st.integers(0, 2**63 - 1),
    n=st.integers(0, 3 * WINDOW),
    shift=st.none() | st.floats(0, 5),
)
def test_an_episode_is_a_function_of_seed_number_and_snapshot(weights, seed, n, shift):
    snapshot = {} if shift is None else {SHIFT: torch.tensor(shift), MEAN: torch.tensor(3.0)}
    one, other = (MixtureOf((A, B, C), weights, weights[::-1], 5000, Bound(1, 2.0)) for _ in range(2))
    assert one(seed, n, snapshot) == other(seed, n, dict(snapshot))
    assert math.isclose(sum(one.shares(n, snapshot)), 1)


def test_shares():
    mixture = MixtureOf((A, B, C), (1.0, 2.0, 5.0))
    counts = Counter(names(mixture, range(2000)))
    assert chisquare([counts[x] for x in "abc"], [250, 500, 1250]).pvalue > 0.01
    assert mixture.shares(17, {}) == pytest.approx((1 / 8, 2 / 8, 5 / 8))
    assert names(mixture, range(50)) != names(mixture, range(50), seed=1)


@pytest.mark.parametrize("start", [0, WINDOW - 100])
def test_each_part_meets_each_of_its_episodes_once_and_in_order(start):
    mixture = MixtureOf((A, B, C), (1.0, 2.0, 0.5), (2.0, 0.5, 1.0), 2 * WINDOW)
    everything = [mixture(3, n, {}) for n in range(WINDOW + 200)]
    for part, name in enumerate("abc"):
        mine = [e for e in everything if e.task.name == name]
        assert [e.rows["n"][0] for e in mine] == list(range(len(mine)))
        assert {e.rows["seed"][0] for e in mine} == {fold(3, "part", part)}
    # From a cold start in the middle as well.
    assert [mixture(3, n, {}) for n in range(start, start + 200)] == everything[start : start + 200]


def test_weights_go_linearly_to_their_end():
    mixture = MixtureOf((A, B), (3.0, 1.0), (0.0, 2.0), duration=3000)
    assert mixture.shares(0, {}) == pytest.approx((0.75, 0.25))
    assert mixture.shares(1500, {}) == pytest.approx((0.5, 0.5))
    assert mixture.shares(3000, {}) == mixture.shares(90_000, {}) == (0.0, 1.0)
    counts = Counter(names(mixture, range(1300, 1700)))
    assert chisquare([counts["a"], counts["b"]]).pvalue > 0.01
    assert set(names(mixture, range(3000, 3300))) == {"b"}
    assert Counter(names(mixture, range(300)))["a"] > 180
    constant = MixtureOf((A, B), (3.0, 1.0), (0.0, 2.0))
    assert constant.shares(10**6, {}) == (0.75, 0.25), "without an end the weights stay"


@pytest.mark.parametrize(
    ("weights", "until"), [((1.0,), None), ((1.0, -1.0), None), ((0.0, 0.0), None), ((1.0, 1.0), (0.0,))]
)
def test_weights_that_cannot_be(weights, until):
    with pytest.raises(MetaglotError, match="a mixture of 2 needs as many"):
        MixtureOf((A, B), weights, until, 10)(0, 0, {})


def test_a_bounded_part_needs_weight():
    with pytest.raises(MetaglotError, match="needs a weight above 0"):
        MixtureOf((A, B), (1.0, 1.0), (1.0, 0.0), 10, Bound(1, 2.0))(0, 0, {})


BOUNDED = MixtureOf((A, B, C), (1.0, 1.0, 2.0), bound=Bound(0, 2.0, rate=0.1, memory=0.5, most=3.0))


def record(loss: float, task: str = "a") -> dict:
    return {"task": task, "loss": loss}


@given(shift=st.floats(0, 3))
def test_the_shift_moves_the_log_odds(shift):
    plain, moved = BOUNDED.shares(0, {}), BOUNDED.shares(0, {SHIFT: torch.tensor(shift, dtype=torch.float64)})
    assert math.log(moved[0] / (1 - moved[0])) == pytest.approx(math.log(plain[0] / (1 - plain[0])) + shift)
    assert moved[2] / moved[1] == pytest.approx(2), "the others keep their proportion"


def test_episodes_follow_the_shifted_shares():
    snapshot = {SHIFT: torch.tensor(1.5), MEAN: torch.tensor(3.0)}
    counts = Counter(names(BOUNDED, range(2000), snapshot))
    assert chisquare([counts[x] for x in "abc"], 2000 * np.array(BOUNDED.shares(0, snapshot))).pvalue > 0.01
    assert chisquare([counts[x] for x in "abc"], [500, 500, 1000]).pvalue < 1e-6, "the test can fail"
    # What the part has without the bound it still has, in order; the rest has another seed.
    own = [e for n in range(400) if (e := BOUNDED(0, n, snapshot)).rows["seed"] == (fold(0, "part", 0),)]
    assert [e.rows["n"][0] for e in own] == list(range(len(own)))


def test_the_dual_rises_above_the_bound_and_falls_back_below_it():
    snapshot: dict = {}
    path = []
    for loss in [4.0] * 6 + [0.5] * 12:
        snapshot = BOUNDED.update(snapshot, [record(loss), record(100.0, "b")])
        path.append((float(snapshot[MEAN]), float(snapshot[SHIFT])))
    mean, shift = 4.0, 0.0
    for (seen, at), loss in zip(path, [4.0] * 6 + [0.5] * 12, strict=True):
        mean = 0.5 * mean + 0.5 * loss
        shift = min(3.0, max(0.0, shift + 0.1 * (mean - 2.0)))
        assert (seen, at) == pytest.approx((mean, shift), abs=1e-5)
    shifts = [at for _, at in path]
    assert shifts[:6] == sorted(shifts[:6])
    assert shifts[5] == pytest.approx(1.2)
    assert shifts[-1] == 0.0, "back to the plain weights"
    high = BOUNDED.update({SHIFT: torch.tensor(2.95), MEAN: torch.tensor(99.0)}, [record(99.0)])
    assert float(high[SHIFT]) == 3.0, "it ends somewhere"


def test_without_a_loss_of_the_part():
    other = [record(50.0, "b"), {"task": "a", "accuracy": 1.0}]
    empty: dict = {}
    assert BOUNDED.update(empty, other) is empty
    below = {MEAN: torch.tensor(1.0), SHIFT: torch.tensor(0.0)}
    assert BOUNDED.update(below, other) is below
    above = BOUNDED.update({MEAN: torch.tensor(3.0), SHIFT: torch.tensor(0.0)}, other)
    assert float(above[SHIFT]) == pytest.approx(0.1)
    unbounded = MixtureOf((A, B), (1.0, 1.0))
    assert unbounded.update(above, [record(9.0)]) is above


def test_the_dual_is_saved_and_restored(tmp_path):
    records = [[record(4.0 + 0.1 * i)] for i in range(20)]
    whole: dict = {}
    for some in records:
        whole = BOUNDED.update(whole, some)
    half: dict = {}
    for some in records[:11]:
        half = BOUNDED.update(half, some)
    folder = save(State(step=11, params={"w": torch.ones(1)}, snapshot=half), tmp_path)
    half = load(folder, device=CPU).snapshot
    for some in records[11:]:
        half = BOUNDED.update(half, some)
    assert half.keys() == whole.keys() == {MEAN, SHIFT}
    assert all(torch.equal(half[name], whole[name]) for name in whole)
    assert names(BOUNDED, range(300), half) == names(BOUNDED, range(300), whole)


def test_parts_read_the_model_when_their_time_comes():
    mixture = MixtureOf((Reads("a", 6), B, Reads("c", 4)), (1.0, 1.0, 1.0))
    assert isinstance(mixture, LearnsFromModel)
    assert mixture.every == 2
    assert MixtureOf((A, B), (1.0, 1.0)).every == 1
    snapshot: dict = {"1.kept": torch.ones(1), MEAN: torch.tensor(2.0)}
    for step in range(0, 14, mixture.every):
        snapshot = mixture.refresh(snapshot, "learner", {"p": 1}, step=step)
    assert snapshot["0.at"].tolist() == [0, 6, 12]
    assert snapshot["2.at"].tolist() == [0, 4, 8, 12]
    assert snapshot["1.kept"].tolist() == [1]
    assert snapshot[MEAN] == 2
    assert mixture.refresh(snapshot, "learner", {"p": 1}, step=2) is snapshot
    assert MixtureOf((A, B), (1.0, 1.0)).refresh(snapshot, "learner", {"p": 1}, step=0) is snapshot
