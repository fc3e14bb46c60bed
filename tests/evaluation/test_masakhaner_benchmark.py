"""benchmarks/masakhaner.py, tiny: each language a task, and the head of a multi-task run by the labels of a task."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow  # a benchmark, no part of the package


@pytest.fixture
def out(tmp_path, monkeypatch):
    """A folder of data with names in two languages."""
    rows = [
        (f"{name} went to {place} on day {i}", "B-PER O O B-LOC O O O", language, split)
        for language, name, place in (("one", "Ann", "Oslo"), ("two", "Bob", "Rome"))
        for split in ("train", "test")
        for i in range(12)
    ]
    table = pa.table(dict(zip(("tokens", "tags", "lang", "split"), zip(*rows, strict=True), strict=True)))
    (tmp_path / "data/tagging").mkdir(parents=True)
    pq.write_table(table, tmp_path / "data/tagging/masakhaner.parquet")
    monkeypatch.setenv("METAGLOT_DATA", str(tmp_path / "data"))
    return tmp_path / "out"


def test_the_table_has_a_column_for_each_language(benchmark_called, out, tiny, monkeypatch, capsys):
    asked = ["--meta", str(tiny), "--joint", "none", "--out", str(out), "--only", "learnt", "--languages", "one", "two"]
    monkeypatch.setattr("sys.argv", ["masakhaner", *asked, "--shots", "2", "--draws", "2", "--queries", "6"])
    benchmark_called("masakhaner").main()
    lines = capsys.readouterr().out.splitlines()
    assert sum(line.startswith("[") for line in lines) == 2 * 2
    head, _, row = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|")]
    assert head[:4] == ["2 sentences a type", "one", "two", "mean"]
    assert float(row[3]) == pytest.approx((float(row[1]) + float(row[2])) / 2, abs=0.11)


def test_a_head_of_a_run_has_the_rows_of_the_labels(benchmark_called):
    rows = benchmark_called("tag_heads").rows_of(("A", "B", "C", "D"), ("B", "D"))
    assert rows == [0, 3, 4, 7, 8]
