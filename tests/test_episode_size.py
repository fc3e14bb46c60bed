"""How large the episodes of a recipe become."""

import pytest

from metaglot.assembly.episode_size import episode_size
from metaglot.config import parse_recipe
from metaglot.training.need import EpisodeSize

WIDE = {"ways": [8, 16], "shots": [8, 8], "queries": 8, "max_support": 128, "max_query": 100}
SMALL = {"ways": [2, 3], "shots": [1, 2], "queries": 1}


def recipe(**sections):
    text = {"root": "texts", "corpora": ["books"], "length": 96}
    return parse_recipe({"model": {"max_length": 40}, "episodes": SMALL, "text": text, **sections})


@pytest.mark.parametrize(
    ("sections", "found"),
    [
        ({"tasks": ["smlmt"]}, EpisodeSize(6, 3, 40)),
        ({"tasks": [{"kind": "smlmt", "episodes": WIDE}]}, EpisodeSize(128, 100, 40)),
        ({"tasks": [{"kind": "smlmt", "episodes": WIDE}, "documents", "plain"]}, EpisodeSize(128, 100, 40)),
        ({"tasks": ["documents"], "episodes": {**SMALL, "named": 0.5}}, EpisodeSize(9, 3, 40)),
        ({"tasks": [{"kind": "domain-lm", "support": 7, "query": 5}]}, EpisodeSize(7, 5, 96)),
        ({"tasks": [{"kind": "domain-lm", "support": 2, "query": 5}, "pairs"]}, EpisodeSize(6, 5, 96)),
    ],
    ids=["own", "of the task", "the largest of several", "names beside", "blocks of text", "each by its largest"],
)
def test_the_largest_episode(sections, found):
    assert episode_size(recipe(**sections)) == found
