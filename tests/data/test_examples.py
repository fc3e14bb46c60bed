"""One class of examples, whatever a target is: rows, repeats, and a hash that older versions wrote too."""

import subprocess
import sys

import pytest

from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError

TARGETS = {
    "labels": ("a", "b", "a", "b"),
    "numbers": (1, 2, 1, 2),
    "sets": (frozenset("ab"), frozenset(), frozenset("ba"), frozenset("b")),
    "spans": (((0, 3, "PER"),), (), ((0, 3, "PER"),), ()),
    "texts": ("eins", "zwei", "eins", "drei"),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_repeats_are_of_one_input_and_one_target(kind):
    targets = TARGETS[kind]
    examples = Examples.of(["One.", "two", "one", "ONE!"], targets)
    assert examples.same() == [[0, 2], [1], [3]]
    assert examples.distinct() == examples.at([0, 1, 3])
    assert len(examples.distinct()) == 3
    assert examples.at([3, 0]).targets == (targets[3], targets[0])


def test_pairs_stay_beside_their_texts():
    pairs = Examples.of(["a", "b"], [0.5, 1.5], ["c", "d"])
    assert pairs.at([1]) == Examples(Inputs(("b",), ("d",)), (1.5,))
    assert pairs.plus(pairs.at([0])).inputs.rows() == [("a", "c"), ("b", "d"), ("a", "c")]
    assert pairs.inputs.lengths() == [2, 2]
    assert Examples[float]().plus(pairs) == pairs.plus(Examples()) == pairs
    with pytest.raises(MetaglotError, match="some examples are pairs and others are not"):
        pairs.plus(Examples.of(["a"], [1.0]))
    with pytest.raises(MetaglotError, match="2 texts but 1 second texts"):
        Inputs.of(["a", "b"], ["c"])
    with pytest.raises(MetaglotError, match="2 texts but 1 targets"):
        Examples.of(["a", "b"], ["x"])


def test_the_hash_is_that_of_version_0_1_0():
    """Computed by the version that saved the first folders, of texts with whole numbers as labels, then of pairs."""
    expected = (
        "0b57b9128a7d5520eba11b66d83fd5a526fe02aa68320647378c41bc4ff79d26",
        "ce77be5b684a839a799663e13939c27616abcd502cd2468a6b9949d0d6860575",
    )
    assert Examples.of(["one", "zwei ü"], [1, 2]).sha256() == expected[0]
    assert Examples.of(["one", "two"], ["x", "y"], ["a", "b"]).sha256() == expected[1]


def test_the_hash_of_sets_does_not_depend_on_their_order():
    examples = "Examples.of(['t'], [{'billing', 'delivery', 'praise', 'refund', 'login'}])"
    code = f"from metaglot.data.examples import Examples; print({examples}.sha256())"
    hashes = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("0", "1", "2")
    }
    assert len(hashes) == 1
    assert len(hashes.pop()) == 65


def test_torch_is_not_needed():
    code = "import sys, metaglot.data.examples; assert 'torch' not in sys.modules and 'pyarrow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, env={"PYTHONPATH": ":".join(sys.path)})
