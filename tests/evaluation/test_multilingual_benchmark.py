"""benchmarks/multilingual.py, tiny: each language a task, rare classes left out, and a table that adds up."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.slow  # a benchmark, no part of the package
SIZES = ["--sets", "news", "--draws", "2", "--queries", "12", "--shot", "2", "--length", "16"]


@pytest.fixture(scope="module")
def multilingual(benchmark_called):
    return benchmark_called("multilingual")


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A folder of data: a set in two languages, of which one has a class of three texts."""
    rows = [
        (f"{word} {i} {language}", label, language)
        for language in ("one", "two")
        for label, word, count in (("a", "price bill", 20), ("b", "late parcel", 20), ("rare", "thanks", 3))
        for i in range(count if language == "two" or label != "rare" else 16)
    ]
    table = pa.table(dict(zip(("text", "label", "lang"), zip(*rows, strict=True), strict=True)))
    (tmp_path / "data/train").mkdir(parents=True)
    pq.write_table(table, tmp_path / "data/train/news.parquet")
    monkeypatch.setenv("METAGLOT_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_rare_classes_of_a_language_are_left_out(multilingual, root):
    tasks = {task.name: task for task in multilingual.tasks_of("news", root, ())}
    assert {name: task.draws.labels for name, task in tasks.items()} == {
        "news/one": ("a", "b", "rare"),
        "news/two": ("a", "b"),
    }
    assert [task.name for task in multilingual.tasks_of("news", root, ("news/two",))] == ["news/two"]


def test_the_table_is_the_mean_of_the_rows(multilingual, root, tmp_path, tiny, capsys):
    asked = [f"small={tiny}", "--out", str(tmp_path / "out"), *SIZES]
    multilingual.main(asked)
    first = capsys.readouterr()
    assert first.err.count("news/") == 2 * 2 * 3  # languages, draws, arms
    multilingual.main(asked)
    again = capsys.readouterr()
    assert again.err == ""
    assert again.out == first.out
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in first.out.splitlines()]
    assert lines[0] == ["language", "small lr", "small instant", "tfidf", "e5-small in MTEB"]
    (one, two, mean, gain) = lines[2:]
    assert [one[0], two[0], mean[0], gain[0]] == ["news/one", "news/two", "**news, mean**", "over the first column"]
    for column in (1, 2, 3):
        expected = np.mean([float(one[column]), float(two[column])])
        assert float(mean[column].strip("*")) == pytest.approx(expected, abs=0.11)
        assert float(gain[column].split()[0]) == pytest.approx(expected - float(mean[1].strip("*")), abs=0.21)
