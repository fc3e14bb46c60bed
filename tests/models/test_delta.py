"""A difference in few bytes is the best there is of its size, and comes back as it was stored."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.errors import MetaglotError
from metaglot.models.delta import HEADER, STORED, restored, shrunk


def weights(seed: int, rank: int | None = None):
    drawn = torch.Generator().manual_seed(seed)
    base = {
        "body.one.weight": torch.randn(24, 16, generator=drawn),
        "body.two.weight": torch.randn(12, 40, generator=drawn),
        "body.two.bias": torch.randn(12, generator=drawn),
        "body.still.weight": torch.randn(6, 6, generator=drawn),
    }
    trained = dict(base)
    for name in ("body.one.weight", "body.two.weight"):
        m, n = base[name].shape
        r = min(m, n) if rank is None else rank
        change = torch.randn(m, r, generator=drawn) @ torch.randn(r, n, generator=drawn)
        trained[name] = base[name] + change
    trained["body.two.bias"] = base["body.two.bias"] + 0.5
    return base, trained | {"algorithm.head.log_scale": torch.tensor(2.5), "heads.set.weight": torch.ones(3, 16)}


def error(base, trained, tensors) -> float:
    back = restored(base, tensors)
    return sum(float((back.get(n, base[n]) - trained[n]).square().sum()) for n in base)


def test_a_low_rank_change_comes_back_to_the_precision_it_is_stored_in():
    base, trained = weights(0, rank=2)
    small = shrunk(base, trained, 1 << 20)
    back = restored(base, small.tensors)
    assert small.kept == pytest.approx(1.0)
    for name in ("body.one.weight", "body.two.weight", "body.two.bias"):
        largest = (trained[name] - base[name]).abs().max()
        torch.testing.assert_close(back[name], trained[name], rtol=0, atol=float(largest) * 2**-6)
    assert back["algorithm.head.log_scale"] == 2.5
    assert "heads.set.weight" not in back  # a new task has no use for it
    assert "body.still.weight" not in back  # it did not change


@given(size=st.integers(1500, 9000), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_it_keeps_within_its_size_and_its_share(size, seed):
    base, trained = weights(seed)
    small = shrunk(base, trained, size)
    assert sum(value.nbytes + HEADER for value in small.tensors.values()) <= size
    changed = [n for n in base if base[n].ndim == 2]
    whole = sum(float((trained[n] - base[n]).square().sum()) for n in changed)
    back = restored(base, small.tensors)
    lost = sum(float((back.get(n, base[n]) - trained[n]).square().sum()) for n in changed)
    assert lost / whole == pytest.approx(1 - small.kept, abs=2e-3)


def test_no_other_choice_of_ranks_of_that_size_loses_less():
    base, trained = weights(3)
    small = shrunk(base, trained, 4000)
    ours = error(base, trained, small.tensors)
    parts = {n: torch.linalg.svd(trained[n] - base[n], full_matrices=False) for n in base if n.endswith("e.weight")}
    parts |= {"body.two.weight": torch.linalg.svd(trained["body.two.weight"] - base["body.two.weight"])}
    room = 4000 - sum(v.nbytes + HEADER for n, v in small.tensors.items() if not n.startswith("low.")) - 4 * HEADER
    best = min(
        float(parts["body.one.weight"].S[one:].square().sum() + parts["body.two.weight"].S[two:].square().sum())
        for one in range(1, 17)
        for two in range(1, 13)
        if STORED.itemsize * (one * (24 + 16) + two * (12 + 40)) <= room
    )
    assert ours <= 1.05 * best + 0.5  # greedy by the byte: at most the last rank is not the best one


def test_a_size_that_not_even_the_rest_fits_in_is_refused():
    base, trained = weights(0)
    with pytest.raises(MetaglotError, match="too few"):
        shrunk(base, trained, 100)


def test_a_difference_from_another_model_is_refused():
    base, trained = weights(0)
    small = shrunk(base, trained, 1 << 20)
    other = {**base, "body.one.weight": torch.zeros(24, 17)}
    with pytest.raises(MetaglotError, match=r"one\.weight"):
        restored(other, small.tensors)
    torn = {n: v for n, v in small.tensors.items() if not n.endswith("one.weight.a")}
    with pytest.raises(MetaglotError, match="not whole"):
        restored(base, torn)


def test_parameters_that_are_whole_pass_as_they_are():
    base, trained = weights(0)
    assert restored(base, trained) == trained
