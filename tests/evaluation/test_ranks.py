import numpy as np
import pytest
from scipy import stats

from metaglot.errors import MetaglotError
from metaglot.evaluation.statistics import cliques, critical_difference, friedman, rank_methods

# Demšar 2006, table 5(a): q at 0.05 for the two-tailed Nemenyi test
NEMENYI = {2: 1.960, 3: 2.343, 4: 2.569, 5: 2.728, 6: 2.850, 7: 2.949, 8: 3.031, 9: 3.102, 10: 3.164}
# Demšar 2006, table 6: AUC of C4.5, C4.5+m, C4.5+cf, C4.5+m+cf on 14 data sets
AUC = np.array(
    [
        *((0.763, 0.768, 0.771, 0.798), (0.599, 0.591, 0.590, 0.569), (0.954, 0.971, 0.968, 0.967)),
        *((0.628, 0.661, 0.654, 0.657), (0.882, 0.888, 0.886, 0.898), (0.936, 0.931, 0.916, 0.931)),
        *((0.661, 0.668, 0.609, 0.685), (0.583, 0.583, 0.563, 0.625), (0.775, 0.838, 0.866, 0.875)),
        *((1.000, 1.000, 1.000, 1.000), (0.940, 0.962, 0.965, 0.962), (0.619, 0.666, 0.614, 0.669)),
        *((0.972, 0.981, 0.9751, 0.975), (0.957, 0.978, 0.946, 0.970)),
    ]
)


def test_the_example_of_demsar() -> None:
    found = rank_methods(["C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf"], AUC)
    ranks = dict(zip(found.methods, found.ranks, strict=True))
    assert [round(ranks[m], 3) for m in ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")] == [3.143, 2.0, 2.893, 1.964]
    assert found.methods[0] == "C4.5+m+cf"
    assert found.critical == pytest.approx(2.569 * np.sqrt(4 * 5 / (6 * 14)), abs=1e-3)
    assert found.p == pytest.approx(stats.friedmanchisquare(*AUC.T).pvalue)
    assert found.p_f < 0.05  # the paper: F = 3.69 > 2.85
    assert found.tasks == 14


@pytest.mark.parametrize("methods", NEMENYI)
def test_critical_values_are_those_of_the_table(methods: int) -> None:
    q = critical_difference(methods, 1) / np.sqrt(methods * (methods + 1) / 6)
    assert q == pytest.approx(NEMENYI[methods], abs=1.5e-3)


def test_friedman_is_scipys_with_and_without_ties() -> None:
    rng = np.random.default_rng(0)
    for scores in (rng.normal(size=(9, 4)), rng.integers(0, 3, size=(9, 4)).astype(float)):
        chi2, p, p_f = friedman(stats.rankdata(-scores, axis=1))
        expected = stats.friedmanchisquare(*scores.T)
        assert (chi2, p) == pytest.approx((expected.statistic, expected.pvalue))
        assert 0 <= p_f <= 1
    assert friedman(np.full((4, 3), 2.0)) == (0.0, 1.0, 1.0)
    assert friedman(np.tile([1.0, 2.0, 3.0], (5, 1)))[2] == 0.0


def test_the_f_of_iman_and_davenport_by_hand() -> None:
    chi2, _, p_f = friedman(stats.rankdata(-AUC, axis=1))
    f = 13 * chi2 / (14 * 3 - chi2)
    assert p_f == pytest.approx(stats.f.sf(f, 3, 39))


def test_cliques_are_the_largest_groups() -> None:
    assert cliques([1.0, 1.5, 2.4, 4.0], 1.0) == ((0, 1), (1, 2))
    assert cliques([1.0, 2.0, 3.0], 5.0) == ((0, 2),)
    assert cliques([1.0, 3.0, 5.0], 1.0) == ()


def test_too_little_to_rank() -> None:
    for methods, shape in ((["a", "b"], (5, 2)), (["a", "b", "c"], (1, 3)), (["a", "b", "c"], (4, 2))):
        with pytest.raises(MetaglotError, match="two tasks by three methods"):
            rank_methods(methods, np.zeros(shape))
