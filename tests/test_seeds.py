"""Randomness is a function of the seed, and nothing else is touched."""

import torch
from torch.nn.functional import dropout

from metaglot.seeds import seeded

CPU = torch.device("cpu")


def test_a_block_draws_what_a_fresh_seed_draws_and_leaves_the_generator_alone():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    with seeded(12, CPU):
        drawn = dropout(torch.ones(4, 64), 0.5), torch.randn(8)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(12)
    assert torch.equal(drawn[0], dropout(torch.ones(4, 64), 0.5))
    assert torch.equal(drawn[1], torch.randn(8))


def test_a_block_on_the_cpu_seeds_no_other_device(monkeypatch):
    seen: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seen.append)
    with seeded(12, CPU):
        pass
    assert seen == []
