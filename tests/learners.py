"""Shared fixtures: tiny random learners, a tiny labelled set in memory, and episodes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch import nn
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, XLNetConfig, XLNetLMHeadModel, XLNetModel

from metaglot.families.classification import Classification
from metaglot.models import HfLearner
from metaglot.seeds import generator, seeded
from metaglot.tasks import Shape, draw_episode, sources_of
from metaglot.types import Batch, Episode, Problem, Row

torch.set_num_threads(1)

VOCAB = 48
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Toy:
    """A labelled set in memory (`tasks.sources.Examples`): each class has words of its own among common ones."""

    name: str
    labels: tuple[str, ...]
    table: pa.Table
    inputs: tuple[tuple[int, ...], ...]

    def rows(self, indices: Sequence[int] | np.ndarray) -> list[Row]:
        labels = self.table.column("label").to_pylist()
        return [{"input_ids": list(self.inputs[i]), "label": labels[i], "row": int(i)} for i in indices]


def toy_set(
    *,
    name: str = "toy",
    classes: int = 6,
    per_class: int | Sequence[int] = 12,
    words: int = 2,
    vocab: int = VOCAB,
    length: tuple[int, int] = (4, 9),
    share: float = 0.5,
    seed: int = 0,
    **columns: Sequence[str | None],
) -> Toy:
    """Return a set whose classes own `words` tokens each; a text takes about `share` of its tokens from them."""
    rng = generator(seed, "toy", name)
    sizes = [per_class] * classes if isinstance(per_class, int) else list(per_class)
    assert 1 + words * len(sizes) < vocab
    labels = [c for c, size in enumerate(sizes) for _ in range(size)]
    inputs: list[tuple[int, ...]] = []
    for label in labels:
        count = int(rng.integers(length[0], length[1] + 1))
        own = 1 + words * label + rng.integers(0, words, count)
        common = rng.integers(1 + words * len(sizes), vocab, count)
        inputs.append(tuple(int(t) for t in np.where(rng.random(count) < share, own, common)))
    table = pa.table(
        {
            "label": pa.array(labels, pa.int32()),
            **{n: columns.get(n, [None] * len(labels)) for n in ("domain", "lang", "split")},
        }
    )
    return Toy(name, tuple(f"class {c}" for c in range(len(sizes))), table, tuple(inputs))


def tiny_bert(*, dtype: torch.dtype = torch.float64, vocab: int = VOCAB, seed: int = 0, width: int = 16) -> HfLearner:
    """Return a random BERT of two layers, its weights large enough that every gradient matters."""
    shape = {"hidden_size": width, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 2 * width}
    plain = {"max_position_embeddings": 32, "initializer_range": 0.25, "attn_implementation": "eager"}
    config = BertConfig(vocab_size=vocab, **shape, **plain)
    return HfLearner(random_module(lambda: BertModel(config), dtype=dtype, seed=seed))


def random_module(make: Callable[[], nn.Module], *, dtype: torch.dtype = torch.float64, seed: int = 0) -> nn.Module:
    """Return a frozen module with random weights, biases and layer norms included."""
    with seeded(seed, CPU):
        module = make()
        with torch.no_grad():
            for value in module.parameters():
                value.add_(0.05 * torch.randn_like(value))
    return module.to(dtype).requires_grad_(requires_grad=False).eval()


@pytest.fixture(scope="session")
def make_toy() -> Callable[..., Toy]:
    return toy_set


@pytest.fixture(scope="session")
def make_bert() -> Callable[..., HfLearner]:
    return tiny_bert


@pytest.fixture(scope="session")
def toy() -> Toy:
    return toy_set()


@pytest.fixture(scope="session")
def bert() -> HfLearner:
    return tiny_bert()


@pytest.fixture(scope="session")
def gpt2() -> HfLearner:
    shape = {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 32, "attn_implementation": "eager"}
    special = {"bos_token_id": None, "eos_token_id": None, "pad_token_id": 0}
    config = GPT2Config(vocab_size=VOCAB, initializer_range=0.25, **shape, **special)
    return HfLearner(random_module(lambda: GPT2LMHeadModel(config)), decoder=True)


XLNET = XLNetConfig(vocab_size=VOCAB, d_model=16, n_layer=2, n_head=2, d_inner=32, initializer_range=0.25)


@pytest.fixture(scope="session")
def xlnet() -> HfLearner:
    return HfLearner(random_module(lambda: XLNetModel(XLNET)))


@pytest.fixture(scope="session")
def xlnet_lm() -> HfLearner:
    return HfLearner(random_module(lambda: XLNetLMHeadModel(XLNET)), decoder=True)


@pytest.fixture(scope="session")
def family() -> Classification:
    return Classification()


@pytest.fixture(scope="session")
def make_episode(toy: Toy, family: Classification) -> Callable[..., Episode]:
    """Return a function (n, ways=, shots=, queries=) -> episode of the toy set."""
    (source,) = sources_of(toy)

    def make(n: int = 0, *, ways: int = 3, shots: int = 2, queries: int = 2) -> Episode:
        return draw_episode(source, family, Shape((ways, ways), (shots, shots), queries), generator(n, "test episode"))

    return make


@pytest.fixture(scope="session")
def episode(make_episode: Callable[..., Episode]) -> Episode:
    return make_episode()


@pytest.fixture(scope="session")
def support(episode: Episode) -> Batch:
    return episode.support


@pytest.fixture(scope="session")
def problem(bert: HfLearner, episode: Episode) -> Problem:
    return Problem(bert, episode.objective, episode.task)
