"""The plain objective beside an algorithm is taken as the algorithm takes its own."""

import pytest

from metaglot.algorithms.hybrid import Hybrid
from metaglot.assembly import assemble
from metaglot.config import parse_recipe

WORDS = (
    "fox",
    "jumps",
    "over",
    "lazy",
    "dogs",
    "while",
    "rivers",
    "carry",
    "boats",
    "past",
    "old",
    "towns",
    "at",
    "night",
)


@pytest.mark.parametrize("name", ["joint", "cotrained"])
@pytest.mark.parametrize("dropout", [True, False])
def test_dropout(tmp_path, name, dropout):
    lines = [" ".join(WORDS[(i * 7 + j * (1 + i % 5)) % len(WORDS)] for j in range(12)) for i in range(300)]
    rows = "\n".join(f"{line} {i},{i % 20},notes" for i, line in enumerate(lines))
    (tmp_path / "notes.csv").write_text(f"text,document,domain\n{rows}\n", "utf-8")
    plan = assemble(
        parse_recipe(
            {
                "model": {"name": "builtin:tiny", "max_length": 16},
                "text": {
                    "root": str(tmp_path),
                    "corpora": ["notes.csv"],
                    "length": 16,
                    "min_chars": 10,
                },
                "tasks": ["plain"],
                "algorithm": {"name": name, "options": {"dropout": dropout}},
                "validation": {"batches": 1},
            }
        )
    ).plan
    assert isinstance(plan.algorithm, Hybrid)
    assert plan.algorithm.dropout == dropout
