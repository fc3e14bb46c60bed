import numpy as np
import pytest
from sklearn.metrics import accuracy_score, f1_score

from metaglot.errors import MetaglotError
from metaglot.families.classification import judge, macro_f1
from metaglot.families.scoring import Bin, calibration_bins, calibration_error


def test_macro_f1_by_hand() -> None:
    # a: P 1/2, R 1 → 2/3; b: P 1, R 1/2 → 2/3; c: never predicted → 0
    assert macro_f1(["a", "b", "b", "c"], ["a", "b", "a", "a"]) == pytest.approx(
        (2 * (1 / 3) / (4 / 3) + 2 / 3 + 0) / 3
    )


def test_judge_agrees_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels = ("no", "perhaps", "yes")
    probabilities = rng.dirichlet(np.ones(3), 200)
    truth = [labels[i] for i in rng.integers(0, 3, 200)]
    predicted = [labels[i] for i in probabilities.argmax(1)]
    found = judge(labels, probabilities, truth)
    assert found.metrics["accuracy"] == pytest.approx(accuracy_score(truth, predicted))
    assert found.metrics["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro"))


def test_calibration_error_by_hand_and_by_a_slow_loop() -> None:
    assert calibration_error(np.array([0.9, 0.9, 0.6, 0.6]), np.array([True, True, True, False])) == pytest.approx(0.1)
    rng = np.random.default_rng(1)
    confidence, right = rng.uniform(0, 1, 500), rng.uniform(0, 1, 500) < 0.5
    slow = 0.0
    for b in range(15):
        inside = (confidence > b / 15) & (confidence <= (b + 1) / 15)
        if inside.any():
            slow += inside.mean() * abs(right[inside].mean() - confidence[inside].mean())
    assert calibration_error(confidence, right) == pytest.approx(slow)
    assert calibration_error(np.array([1.0, 0.0]), np.array([True, False])) == 0.0


def test_bins_hold_what_the_calibration_error_is_made_of() -> None:
    rng = np.random.default_rng(2)
    confidence, right = rng.uniform(0, 1, 500), rng.uniform(0, 1, 500) < 0.5
    bins = calibration_bins(confidence, right)
    assert sum(one.size for one in bins) == 500
    assert sum(one.right for one in bins) == right.sum()
    gap = sum(abs(one.right - one.confidence) for one in bins) / 500
    assert gap == pytest.approx(calibration_error(confidence, right), abs=1e-6)
    assert calibration_bins(np.array([0.5, 0.52]), np.array([True, False])) == (Bin(7, 2, 1.02, 1),)
    probabilities = np.array([[0.9, 0.1], [0.45, 0.55]])
    assert judge(("a", "b"), probabilities, ["a", "a"]).bins == (Bin(8, 1, 0.55, 0), Bin(13, 1, 0.9, 1))


def test_a_label_never_seen_in_the_support_counts_as_missed() -> None:
    assert judge(("a", "b"), np.array([[0.9, 0.1], [0.2, 0.8]]), ["a", "z"]).metrics["accuracy"] == 0.5


@pytest.mark.parametrize("shape", [(2, 3), (3, 2), (0, 2)])
def test_wrong_shapes_are_an_error(shape: tuple[int, int]) -> None:
    with pytest.raises(MetaglotError, match="one row a query"):
        judge(("a", "b"), np.ones(shape), ["a"] * (0 if shape[0] == 0 else 2))


def test_probabilities_that_are_no_numbers_are_an_error() -> None:
    with pytest.raises(MetaglotError, match="no numbers"):
        judge(["a", "b"], np.array([[0.5, 0.5], [np.nan, np.nan]]), ["a", "b"])
