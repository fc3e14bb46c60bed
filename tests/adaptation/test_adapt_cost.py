"""benchmarks/adapt_cost.py runs and counts every scope; how long they take is for the benchmark alone."""

import importlib.util
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_it_counts_every_scope(monkeypatch):
    monkeypatch.setattr(sys, "path", [str(BENCHMARKS), *sys.path])
    spec = importlib.util.spec_from_file_location("adapt_cost", BENCHMARKS / "adapt_cost.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = module.costs(1, "fp32", 1)
    assert list(found) == ["all", "lora", "bias-norm", "head"]
    assert all(seconds > 0 for seconds in found.values())
    assert set(module.MOST) <= set(found)
