"""The benchmark of authors: what is judged behind pages, and its table."""

import torch
from benchmarks.writing.authors import behind, lines_of


def test_blocks_stand_behind_the_pages_and_are_judged_alone():
    support = {"input_ids": torch.arange(6).reshape(2, 3), "labels": torch.ones(2, 3)}
    query = {"input_ids": torch.tensor([[7, 8], [9, 10]]), "labels": torch.tensor([[8, -100], [10, -100]])}
    found = behind(support, query)
    assert found["input_ids"].tolist() == [[0, 1, 2, 3, 4, 5, 7, 8], [0, 1, 2, 3, 4, 5, 9, 10]]
    assert found["labels"].tolist() == [[-100] * 6 + [8, -100], [-100] * 6 + [10, -100]]
    assert bool(found["attention_mask"].all())


def test_the_table_has_means_and_gains_over_authors():
    rows = [
        {"author": author, "pages": pages, "method": method, "steps": steps, "loss": 3.0 + own - better * pages}
        for author, own in (("a", 0.0), ("b", 1.0))
        for pages in (1, 5)
        for method, steps, better in (("untouched", 0, 0.0), ("lora", 5, 0.1))
    ]
    lines = list(lines_of(rows))
    assert lines[2] == "| untouched | 0 | 3.500 |  | 3.500 |  |"
    assert lines[3] == "| lora | 5 | 3.400 | -0.100 ± 0.000 | 3.000 | -0.500 ± 0.000 |"
