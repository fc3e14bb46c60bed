"""benchmarks/adapt_cost.py runs and counts every scope; how long they take is for the benchmark alone."""

import pytest
from benchmarks import adapt_cost as module


@pytest.mark.slow
def test_it_counts_every_scope():
    found = module.costs(1, "fp32", 1)
    assert list(found) == ["all", "lora", "bias-norm", "head"]
    assert all(seconds > 0 for seconds in found.values())
    assert set(module.MOST) <= set(found)
