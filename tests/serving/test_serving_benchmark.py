"""The benchmark of many tasks runs, and its answers have the bits that they have alone."""

import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks import serving_digits, serving_lora
from benchmarks.serving import KINDS, main, sizes_of


def test_sizes_are_even_on_a_scale_of_ratios():
    sizes = sizes_of(64)
    assert (len(sizes), sizes[0], sizes[-1]) == (64, 2, 150)
    assert np.allclose(np.diff(np.log(sizes[32:])), np.log(75) / 63, atol=0.05)


@pytest.fixture
def questions(tmp_path, monkeypatch):
    """Made-up questions in the place of a data set."""
    rng = np.random.default_rng(0)
    texts = [" ".join(rng.choice(["card", "pay", "late", "app", "why"], 6)) + f" {i}" for i in range(400)]
    (tmp_path / "dev").mkdir()
    pq.write_table(pa.table({"text": texts}), tmp_path / "dev" / "banking77.parquet")
    monkeypatch.setitem(os.environ, "METAGLOT_DATA", str(tmp_path))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*has learnt no head")
def test_it_runs(tiny, questions, capsys):
    few = ["--tasks", str(len(KINDS)), "--resident", "12", "--rows", "5", "--batches", "2", "--repeats", "1"]
    main([tiny, *few, "--precision", "fp32"])
    found = dict(item for line in capsys.readouterr().out.splitlines() for item in json.loads(line).items())
    for name in ("classes", "mixed"):
        assert found[name]["rows"] == 10
        assert found[name]["same_bits"] == 10
        assert found[name]["largest_difference"] < 1e-4  # single precision, heads that are sure
    assert found["cold"]["kb_counted"] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*has learnt no head")
def test_digits_are_those_of_the_precision(tiny, questions, capsys):
    """What is served is no farther from `Adapted` than that is from itself by the number of texts; in fp32, 1e-5."""
    serving_digits.main([tiny])
    head, *lines = (line.split("\t") for line in capsys.readouterr().out.splitlines())
    assert [line[0] for line in lines] == list(KINDS)
    for kind, *found in lines:
        numbers = dict(zip(head[1:], map(float, found), strict=True))
        assert numbers["fp32: served and 32"] < 1e-4, kind  # heads of the tiny model are surer than those of others
    serving_lora.main([tiny, "--tasks", "3", "--repeats", "1"])
    assert "3 tasks of 2 texts" in capsys.readouterr().out
