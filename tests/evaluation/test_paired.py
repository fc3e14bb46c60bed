import numpy as np
import pytest
from scipy import stats

from metaglot.errors import MetaglotError
from metaglot.evaluation.statistics import cohen_dz, holm, paired_t, share_won, signed_rank
from metaglot.evaluation.statistics.paired import _noncentrality  # pyright: ignore[reportPrivateUsage]

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("n", [2, 5, 40])
def test_paired_tests_are_scipys(n: int) -> None:
    a, b = RNG.normal(0.7, 0.1, n), RNG.normal(0.65, 0.1, n)
    assert paired_t((a - b).tolist()) == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert signed_rank((a - b).tolist()) == pytest.approx(stats.wilcoxon(a, b).pvalue)


def test_the_signed_rank_test_by_hand() -> None:
    assert signed_rank([1.0, 2.0, 3.0, 4.0, 5.0]) == pytest.approx(2 / 2**5)  # all of one sign, both tails
    assert signed_rank([0.0, 0.0, 1.0, 2.0, 3.0]) == pytest.approx(2 / 2**3)  # zeros are left out
    assert signed_rank([-1.0, 2.0, 3.0]) == pytest.approx(4 / 2**3)


def test_differences_that_say_nothing() -> None:
    for test in (paired_t, signed_rank):
        assert test([0.0, 0.0, 0.0]) == 1.0
        assert np.isnan(test([]))
    for values in ([0.1], [0.1, 0.1, 0.1]):
        assert np.isnan(paired_t(values))
        assert np.isnan(cohen_dz(values).mean)
    assert signed_rank([0.1]) == 1.0


def test_holm_by_hand() -> None:
    # Holm 1979: sorted 0.005, 0.01, 0.03, 0.04 times 4, 3, 2, 1, made monotone
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    nan = float("nan")
    adjusted = holm([0.01, nan, 0.02])
    assert adjusted[0] == pytest.approx(0.02)
    assert np.isnan(adjusted[1])
    assert holm([]) == []
    with pytest.raises(MetaglotError, match="between 0 and 1"):
        holm([0.1, 1.5])


def test_holm_keeps_the_order_and_is_between_the_p_and_bonferroni() -> None:
    for _ in range(50):
        ps = RNG.uniform(0, 1, 8)
        adjusted = np.array(holm(ps.tolist()))
        assert (adjusted >= ps).all()
        assert (adjusted <= np.minimum(1, 8 * ps) + 1e-12).all()
        assert (np.diff(adjusted[np.argsort(ps)]) >= 0).all()


def test_cohen_dz_and_its_interval() -> None:
    values = [0.1, 0.2, 0.3, 0.4, 0.5]
    found = cohen_dz(values)
    assert found.mean == pytest.approx(0.3 / np.std(values, ddof=1))
    t = found.mean * np.sqrt(5)
    assert stats.nct.cdf(t, 4, found.low * np.sqrt(5)) == pytest.approx(0.975, abs=1e-4)
    assert stats.nct.cdf(t, 4, found.high * np.sqrt(5)) == pytest.approx(0.025, abs=1e-4)
    mirrored = cohen_dz([-v for v in values])
    assert (mirrored.low, mirrored.high) == pytest.approx((-found.high, -found.low), abs=1e-6)


@pytest.mark.slow
def test_the_interval_of_dz_holds_zero_just_when_the_t_test_does_not_reject() -> None:
    checked = [0, 0]
    for _ in range(200):
        values = RNG.normal(0.5, 1, 8).tolist()
        found = cohen_dz(values)
        rejected = paired_t(values) < 0.05
        assert rejected == (found.low > 0 or found.high < 0)
        checked[rejected] += 1
    assert min(checked) > 20


def test_the_noncentral_t_is_scipys_where_scipy_has_one() -> None:
    checked = 0
    for freedom in (1, 2, 4, 30, 200):
        for t in (-3.0, 0.1, 2.0, 20.0):
            for at in (0.025, 0.975):
                there = stats.nct.cdf(t, freedom, _noncentrality(t, freedom, at))
                checked += bool(np.isfinite(there))
                assert np.isnan(there) or there == pytest.approx(at, abs=2e-4), (freedom, t, at)
    assert checked >= 30


def test_share_won() -> None:
    assert share_won([0.1, -0.1, 0.0, 0.2]) == 0.625
    with pytest.raises(MetaglotError, match="at least one"):
        share_won([])
