"""The plain objective: shuffled passes that leave nothing out, fixed held-out batches, domains as tasks."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare
from tests.tasks.synthetic import MASK, same

from metaglot.errors import MetaglotError
from metaglot.families.language import CausalLm, MaskedLm
from metaglot.tasks import MixtureOf
from metaglot.tasks.domain_lm import DomainText, Passages
from metaglot.tasks.passes import items_at, permute
from metaglot.tasks.plain import HeldOut, PlainText
from metaglot.types import Row

SEEDS = st.integers(0, 2**63 - 1)
MASKED = MaskedLm(0, MASK, 40, frozenset({0, 1, 2, MASK}), 0.3)


@dataclass(frozen=True)
class MadeUpBlocks:
    """Blocks (`tasks.text.Blocks`) of six tokens, the first two of which are the number of the block."""

    domain: np.ndarray
    domains: tuple[str, ...] = ("x", "y", "z")

    def __len__(self) -> int:
        return len(self.domain)

    def rows(self, indices: Sequence[int] | np.ndarray) -> list[Row]:
        return [{"input_ids": np.array([4 + i // 30, 4 + i % 30, 5, 6, 7, 8])} for i in indices]


def blocks(*sizes: int, without: int = 0) -> MadeUpBlocks:
    domain = [d for d, size in enumerate(sizes) for _ in range(size)] + [-1] * without
    return MadeUpBlocks(np.array(domain, np.int32))


@given(count=st.integers(1, 3000), seed=SEEDS)
def test_a_pass_is_a_permutation(count, seed):
    keys = np.random.default_rng(seed).integers(0, 2**64, 8, dtype=np.uint64)
    image = permute(np.arange(count), count, keys)
    assert np.array_equal(np.sort(image), np.arange(count))


@given(count=st.integers(1, 60), seed=SEEDS, batch=st.integers(1, 70))
def test_passes_follow_one_another(count, seed, batch):
    whole = items_at(np.arange(4 * count), count, seed=seed)
    for number in range(4):
        assert sorted(whole[number * count : (number + 1) * count]) == list(range(count))
    pieces = [items_at(np.arange(i, min(i + batch, 4 * count)), count, seed=seed) for i in range(0, 4 * count, batch)]
    assert np.array_equal(np.concatenate(pieces), whole)


@pytest.mark.parametrize("count", [3, 4, 5, 24])
def test_every_place_of_a_pass_is_as_likely(count):
    """Over 1500 passes, where the first and the last block stand, and what follows on block 0."""
    whole = items_at(np.arange(1500 * count), count, seed=5).reshape(1500, count)
    for block in (0, count - 1):
        assert chisquare(np.bincount(np.where(whole == block)[1], minlength=count)).pvalue > 0.001
    rows, places = np.where(whole[:, :-1] == 0)
    assert chisquare(np.bincount(whole[rows, places + 1], minlength=count)[1:]).pvalue > 0.001


def test_a_large_corpus_costs_no_more():
    found = items_at(np.arange(10**9 - 40, 10**9 + 40), 10**9, seed=0)
    assert len(set(found[:40].tolist())) == len(set(found[40:].tolist())) == 40
    assert found.min() >= 0
    assert found.max() < 10**9


@settings(max_examples=40)
@given(seed=SEEDS, n=st.integers(0, 2**40), batch=st.integers(1, 9))
def test_plain_episodes(seed, n, batch):
    tasks = PlainText(blocks(20, 7, without=5), MASKED, batch)
    episode = tasks(seed, n, {})
    torch.manual_seed(0)
    assert same(episode, tasks(seed, n, {"x": torch.ones(1)}))
    assert episode.support == {}
    assert episode.query["input_ids"].shape == (batch, 6)
    rows = episode.rows["query"]
    assert len(rows) == batch
    whole = torch.from_numpy(np.stack([row["input_ids"] for row in tasks.blocks.rows(rows)]))
    labels = episode.query["labels"]
    assert torch.equal(labels[labels != -100], whole[labels != -100])
    assert torch.equal(episode.query["input_ids"][labels == -100], whole[labels == -100])
    assert episode.task == tasks.tasks[0]
    assert episode.task.family == "masked-lm"


def test_every_block_is_met_equally_often_and_masked_anew():
    tasks = PlainText(blocks(10, 11), MASKED, 6)
    episodes = [tasks(1, n, {}) for n in range(14)]  # 84 = 4 · 21
    assert set(Counter(r for e in episodes for r in e.rows["query"]).values()) == {4}
    hidden = {
        tuple((labels != -100).tolist())
        for e in episodes
        for row, labels in zip(e.rows["query"], e.query["labels"], strict=True)
        if row == 3
    }
    assert len(hidden) > 1
    assert episodes[0].rows != tasks(2, 0, {}).rows


def test_in_a_mixture_too():
    small = blocks(10, 11)
    tasks = MixtureOf((PlainText(small, MASKED, 2), DomainText(small, MASKED, Passages(2, 2))), (1.0, 3.0))
    plain = [e for n in range(200) if not (e := tasks(0, n, {})).support]
    assert 42 <= len(plain) <= 62
    met_blocks = Counter(r for e in plain[:42] for r in e.rows["query"])  # 84 = 4 · 21
    assert set(met_blocks.values()) == {4}


@given(count=st.integers(1, 200), batch=st.integers(1, 9), batches=st.integers(1, 12), seed=SEEDS)
def test_held_out_batches_are_fixed_disjoint_and_spread(count, batch, batches, seed):
    held = HeldOut(blocks(count), MASKED, batch, batches)
    assert held.count == min(batches, -(-count // batch))
    found = [held(seed, n, {}) for n in range(held.count)]
    rows = [r for e in found for r in e.rows["query"]]
    assert len(set(rows)) == len(rows) == min(count, held.count * batch)
    assert all(1 <= len(e.rows["query"]) <= batch for e in found)
    assert max(rows) - min(rows) >= count - 1 - count / len(rows)
    for n, episode in enumerate(found):
        assert same(episode, held(seed + 1, n, {}))
        assert same(episode, held(seed, n + held.count, {}))


def test_text_that_fills_no_block():
    for tasks in (PlainText(blocks(0), MASKED, 2), HeldOut(blocks(0), MASKED, 2, 3)):
        with pytest.raises(MetaglotError, match="the text fills no block"):
            tasks(0, 0, {})


def test_causal_language_modelling_as_well():
    episode = PlainText(blocks(9), CausalLm(0), 3)(0, 0, {})
    assert torch.equal(episode.query["labels"][:, :-1], episode.query["input_ids"][:, 1:])


@settings(max_examples=60)
@given(
    sizes=st.tuples(*[st.integers(0, 20)] * 3),
    support=st.integers(1, 6),
    query=st.integers(1, 6),
    seed=SEEDS,
    n=st.integers(0, 2**40),
)
def test_domain_episodes(sizes, support, query, seed, n):
    text = blocks(*sizes, without=30)
    tasks = DomainText(text, MASKED, Passages(support, query))
    large = [f"domain-lm/{name}" for name, size in zip("xyz", sizes, strict=True) if size >= support + query]
    if not large:
        with pytest.raises(MetaglotError, match="an episode needs"):
            tasks(seed, n, {})
        return
    assert [info.name for info in tasks.tasks] == large
    episode = tasks(seed, n, {})
    assert same(episode, DomainText(text, MASKED, Passages(support, query))(seed, n, {"x": torch.ones(1)}))
    assert episode.task.name in large
    rows = episode.rows["support"] + episode.rows["query"]
    assert len(set(rows)) == len(rows) == support + query
    assert {f"domain-lm/{text.domains[text.domain[r]]}" for r in rows} == {episode.task.name}
    assert episode.support["labels"].shape == (support, 6)
    assert episode.query["labels"].shape == (query, 6)
    shown = torch.where(episode.query["labels"] >= 0, episode.query["labels"], episode.query["input_ids"])
    own = np.stack([row["input_ids"] for row in text.rows(episode.rows["query"])])
    assert np.array_equal(shown.numpy(), own)


@pytest.mark.parametrize(("mixture", "power"), [("uniform", 0), ("sqrt", 0.5), ("size", 1)])
def test_how_often_a_domain_comes(mixture, power):
    tasks = DomainText(blocks(10, 40, 160), MASKED, Passages(1, 1), mixture=mixture)
    counts = Counter(tasks(0, n, {}).task.name for n in range(800))
    weights = np.array([10, 40, 160]) ** power
    assert chisquare([counts[f"domain-lm/{d}"] for d in "xyz"], 800 * weights / weights.sum()).pvalue > 0.01


def test_chosen_domains():
    tasks = DomainText(blocks(10, 10, 10), MASKED, Passages(1, 1), domains=("z", "x"))
    assert {tasks(0, n, {}).task.name for n in range(40)} == {"domain-lm/x", "domain-lm/z"}
    with pytest.raises(MetaglotError, match=r"no domain 'w'; the text has x, y, z"):
        DomainText(blocks(10, 10, 10), MASKED, Passages(1, 1), domains=("w",))(0, 0, {})
    assert len({tasks(0, n, {}).rows["support"] + tasks(0, n, {}).rows["query"] for n in range(40)}) > 20
