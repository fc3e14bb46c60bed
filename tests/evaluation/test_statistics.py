from collections.abc import Callable, Sequence

import numpy as np
import pytest
from scipy import stats

from metaglot.errors import MetaglotError
from metaglot.evaluation.statistics import (
    Interval,
    bootstrap_interval,
    coverage,
    coverage_table,
    differences,
    macro_interval,
    over_tasks,
    paired_difference,
    t_interval,
    two_level,
)
from metaglot.evaluation.statistics.simulation import grid, two_levels

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("n", [2, 5, 50])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_t_interval_is_scipys(n: int, level: float) -> None:
    x = RNG.normal(0.6, 0.1, n)
    ours = t_interval(x.tolist(), level=level)
    low, high = stats.t.interval(level, n - 1, loc=x.mean(), scale=stats.sem(x))
    assert (ours.mean, ours.low, ours.high, ours.n) == pytest.approx((x.mean(), low, high, n))


def test_one_value_has_no_interval_and_none_is_an_error() -> None:
    for interval in (t_interval, bootstrap_interval):
        alone = interval([0.5])
        assert alone.mean == 0.5
        assert np.isnan(alone.low)
        with pytest.raises(MetaglotError, match="at least one"):
            interval([])


def test_paired_difference_is_scipys_paired_test_on_matched_keys() -> None:
    a, b = RNG.normal(0.7, 0.1, 9), RNG.normal(0.6, 0.1, 9)
    left = {("t", 5, draw): float(v) for draw, v in enumerate(a)} | {("t", 5, 99): 0.0}
    right = {("t", 5, draw): float(v) for draw, v in enumerate(b)} | {("u", 5, 0): 9.0}
    found = paired_difference(left, right)
    expected = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert found.n == 9
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_nothing_in_common_is_an_error() -> None:
    with pytest.raises(MetaglotError, match="same tasks"):
        differences({("t", 1, 0): 0.5}, {("t", 1, 1): 0.5})


def test_macro_is_over_draws_and_skips_those_that_lack_a_task() -> None:
    scores = {("a", 4, d): 0.5 + 0.01 * d for d in range(4)} | {("b", 4, d): 0.9 - 0.02 * d for d in range(3)}
    found = macro_interval(scores)
    assert found == t_interval([0.7, 0.695, 0.69])
    with pytest.raises(MetaglotError, match="every task"):
        macro_interval({("a", 4, 0): 0.5, ("b", 4, 1): 0.5})


def test_macro_interval_ignores_the_distance_between_tasks_and_over_tasks_does_not() -> None:
    scores = {(t, 4, d): base + 0.001 * d for t, base in (("a", 0.2), ("b", 0.9), ("c", 0.5)) for d in range(5)}
    assert macro_interval(scores).half < 0.01
    assert over_tasks(scores).half > 0.2
    assert macro_interval(scores).mean == pytest.approx(over_tasks(scores).mean)


def test_bootstrap_is_near_the_t_interval_for_normal_values_and_a_function_of_its_seed() -> None:
    x = RNG.normal(0, 1, 40).tolist()
    t, b = t_interval(x), bootstrap_interval(x)
    assert (b.low, b.high) == pytest.approx((t.low, t.high), abs=0.05)
    assert b == bootstrap_interval(x)
    assert b != bootstrap_interval(x, seed=1)


def _macro_draws(rng: np.random.Generator) -> list[float]:
    """Six tasks of unlike difficulty, ten draws: what macro_interval sees, flattened."""
    return (np.linspace(0.3, 0.9, 6)[None] + rng.normal(0, 0.05, (10, 6))).ravel().tolist()


def _level_draws(between: float, within: float) -> Callable[[np.random.Generator], list[float]]:
    return lambda rng: two_levels(rng, tasks=12, draws=5, between=between, within=within).ravel().tolist()


def _two_level(values: Sequence[float]) -> Interval:
    return two_level(grid(np.reshape(values, (12, 5))), resamples=800)


CASES = {
    "t over 5 normal draws": (t_interval, lambda rng: rng.normal(0.6, 0.1, 5).tolist(), 0.6),
    "t over 10 accuracies of 300 queries": (t_interval, lambda rng: (rng.binomial(300, 0.7, 10) / 300).tolist(), 0.7),
    "macro over 10 draws": (
        lambda v: macro_interval({(str(i % 6), 4, i // 6): x for i, x in enumerate(v)}),
        _macro_draws,
        0.6,
    ),
    "bootstrap over 10 normal tasks": (
        lambda v: bootstrap_interval(v, resamples=800),
        lambda rng: rng.normal(0.6, 0.1, 10).tolist(),
        0.6,
    ),
    "bootstrap over 30 skewed tasks": (
        lambda v: bootstrap_interval(v, resamples=800),
        lambda rng: rng.beta(2, 4, 30).tolist(),
        1 / 3,
    ),
    "tasks and draws, mostly tasks": (_two_level, _level_draws(2.0, 1.0), 0.0),
    "tasks and draws, mostly draws": (_two_level, _level_draws(1.0, 2.0), 0.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_95_percent_intervals_cover_93_to_97_percent(case: str) -> None:
    interval, draw, truth = CASES[case]
    assert 0.93 <= coverage(interval, draw, truth=truth, trials=2500) <= 0.97


def test_the_coverage_table_has_every_kind_of_interval() -> None:
    rows = list(coverage_table(trials=3))
    assert {row.interval for row in rows} == {
        *("t", "bootstrap", "Cohen's d_z", "tasks and draws", "tasks alone", "draws alone (macro)")
    }
    assert len({(row.interval, row.sample) for row in rows}) == len(rows) >= 30
    assert all(row.trials == 3 and 0 <= row.coverage <= 1 for row in rows)


def test_two_levels_have_the_variance_of_the_random_effects_model() -> None:
    """Over many samples the half width is t · √((σ_b² + σ_w²/m) / a) at the mean, not that of noise counted twice."""
    rng = np.random.default_rng(0)
    halves = [
        two_level(grid(two_levels(rng, tasks=30, draws=4, between=1.0, within=2.0)), resamples=800).half
        for _ in range(60)
    ]
    expected = stats.t.ppf(0.975, 29) * np.sqrt((1.0 + 4.0 / 4) / 30)
    assert np.mean(halves) == pytest.approx(expected, rel=0.06)


def test_two_levels_without_noise_are_those_of_tasks_and_with_one_task_those_of_draws() -> None:
    flat = {(str(t), 1, d): v for t, v in enumerate(RNG.normal(0, 1, 25)) for d in range(3)}
    both, tasks = two_level(flat), over_tasks(flat)
    assert (both.mean, both.n) == pytest.approx((tasks.mean, 25))
    assert (both.low, both.high) == pytest.approx((tasks.low, tasks.high), abs=0.04)
    alone = {("t", 1, d): v for d, v in enumerate((0.1, 0.4, 0.2))}
    assert two_level(alone) == bootstrap_interval([0.1, 0.4, 0.2])
    assert two_level(flat, seed=1) != both == two_level(flat)


def test_two_levels_take_tasks_with_unlike_numbers_of_draws() -> None:
    ragged = {("a", 1, 0): 0.5, ("b", 1, 0): 0.7, ("b", 1, 1): 0.9, ("c", 1, 0): 0.1}
    found = two_level(ragged)
    assert found.mean == pytest.approx((0.5 + 0.8 + 0.1) / 3)
    assert found.low < found.mean < found.high
    with pytest.raises(MetaglotError, match="at least one"):
        two_level({})
