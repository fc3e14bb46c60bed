"""How large the episodes of a recipe become."""

import pytest

from metaglot.assembly.largest import largest
from metaglot.config import parse_recipe
from metaglot.training.need import Largest

WIDE = {"ways": [8, 16], "shots": [8, 8], "queries": 8, "max_support": 128, "max_query": 100}
SMALL = {"ways": [2, 3], "shots": [1, 2], "queries": 1}


def recipe(**sections):
    text = {"root": "texts", "corpora": ["books"], "length": 96}
    return parse_recipe({"model": {"max_length": 40}, "episodes": SMALL, "text": text, **sections})


@pytest.mark.parametrize(
    ("sections", "found"),
    [
        ({"tasks": ["smlmt"]}, Largest(6, 3, 40)),
        ({"tasks": [{"kind": "smlmt", "episodes": WIDE}]}, Largest(128, 100, 40)),
        ({"tasks": [{"kind": "smlmt", "episodes": WIDE}, "documents", "plain"]}, Largest(128, 100, 40)),
        ({"tasks": ["documents"], "episodes": {**SMALL, "named": 0.5}}, Largest(9, 3, 40)),
        ({"tasks": [{"kind": "domain-lm", "support": 7, "query": 5}]}, Largest(7, 5, 96)),
        ({"tasks": [{"kind": "domain-lm", "support": 2, "query": 5}, "pairs"]}, Largest(6, 5, 96)),
    ],
    ids=["own", "of the task", "the largest of several", "names beside", "blocks of text", "each by its largest"],
)
def test_the_largest_episode(sections, found):
    assert largest(recipe(**sections)) == found
