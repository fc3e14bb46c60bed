"""The workloads: a BERT with random weights, and a meta-batch of five-way five-shot tasks of random tokens."""

from typing import NamedTuple

import torch
from torch import Tensor
from transformers import BertConfig, BertModel

VOCABULARY, TOKENS, WAYS, SHOTS, QUERIES, STEPS, RATE = 30_522, 32, 5, 5, 25, 5, 0.05


class Size(NamedTuple):
    """A size of BERT and of the meta-batch."""

    hidden: int
    layers: int
    heads: int
    tasks: int


WORKLOADS = {"W1": Size(256, 4, 4, 4), "W2": Size(384, 6, 12, 2), "tiny": Size(32, 2, 2, 2)}

Batch = dict[str, Tensor]


def make_module(size: Size, attention: str) -> BertModel:
    """Return the same BERT each time, dropout off."""
    config = BertConfig(
        vocab_size=VOCABULARY,
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        intermediate_size=4 * size.hidden,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        initializer_range=0.05,
        attn_implementation=attention,
    )
    torch.manual_seed(0)
    return BertModel(config, add_pooling_layer=False).eval()


def make_tasks(size: Size) -> list[tuple[Batch, Batch]]:
    """Return (support, query) of each task; a class prefers tokens of its own, so that there is something to learn."""
    rng = torch.Generator().manual_seed(1)
    return [(_batch(rng, WAYS * SHOTS), _batch(rng, QUERIES)) for _ in range(size.tasks)]


def _batch(rng: torch.Generator, count: int) -> Batch:
    labels = torch.arange(count) % WAYS
    common = torch.randint(1000, VOCABULARY, (count, TOKENS), generator=rng)
    own = 100 + 10 * labels[:, None] + torch.randint(0, 10, (count, TOKENS), generator=rng)
    ids = torch.where(torch.rand(count, TOKENS, generator=rng) < 0.3, own, common)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": labels}
