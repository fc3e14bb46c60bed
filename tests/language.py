"""What the tests of language modelling share: tiny learners with their heads, and episodes of random tokens."""

from collections.abc import Mapping
from typing import Any

import torch
from tests.learners import VOCAB, random_module
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

from metaglot.families.language import CausalLm, MaskedLm
from metaglot.models import HfLearner
from metaglot.models.language import take_head
from metaglot.seeds import generator
from metaglot.types import Episode, Problem, TaskInfo

SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
SHAPE |= {"vocab_size": VOCAB, "max_position_embeddings": 40, "initializer_range": 0.25}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2}
NARROW = {"embedding_size": 8}  # another width than the hidden states
KINDS: Mapping[str, Mapping[str, Any]] = {
    "bert": {},
    "roberta": {},
    "albert": NARROW,
    "electra": NARROW,
    "distilbert": {},
    "modernbert": {"global_attn_every_n_layers": 1},
    "rembert": {"input_embedding_size": 8, "output_embedding_size": 12},  # its output embedding is its own
}
MASK = 3


def whole_encoder(kind: str, *, dtype: torch.dtype = torch.float64, attention: str = "eager", **more: Any) -> nn.Module:
    """Return a random masked-LM model of the kind, not taken apart."""
    values = {**SHAPE, **SPECIAL, **KINDS.get(kind, {}), **more}
    config = AutoConfig.for_model(kind, **values)
    config._attn_implementation = attention
    return random_module(lambda: AutoModelForMaskedLM.from_config(config), dtype=dtype)


def encoder(kind: str = "bert", *, dtype: torch.dtype = torch.float64, **more: Any) -> HfLearner:
    """Return a learner with its language-model head."""
    base, head = take_head(whole_encoder(kind, dtype=dtype, **more))
    return HfLearner(base, language=head)


def decoder(kind: str = "gpt2", *, attention: str = "eager", **more: Any) -> HfLearner:
    """Return a random decoder."""
    names = {"gpt2": {"n_embd": 16, "n_layer": 2, "n_head": 2, "n_positions": 40}}
    config = AutoConfig.for_model(kind, **{**SHAPE, **SPECIAL, "pad_token_id": None, **names.get(kind, {}), **more})
    config._attn_implementation = attention
    return HfLearner(random_module(lambda: AutoModelForCausalLM.from_config(config)), decoder=True)


def family_of(learner: HfLearner) -> MaskedLm | CausalLm:
    """Return the objective that a learner is made for."""
    if learner.decoder:
        return CausalLm(0)
    return MaskedLm(0, MASK, VOCAB, frozenset(range(4)), share=0.3)


def passages(learner: HfLearner, *, support: int = 3, query: int = 3, seed: int = 0) -> Episode:
    """Return an episode of random passages of unlike length; without a support set where it is to have none."""
    objective, rng = family_of(learner), generator(seed, "passages")
    rows = [{"input_ids": rng.integers(4, VOCAB, rng.integers(6, 11))} for _ in range(support + query)]
    rows = objective.prepare(rows, rng)
    task = TaskInfo("domain-lm/one" if support else "plain", "text", (), (), family=objective.name)
    first = objective.collate(rows[:support]) if support else {}
    return Episode(task, objective, first, objective.collate(rows[support:]))


def problem_of(learner: HfLearner, episode: Episode) -> Problem:
    return Problem(learner, episode.objective, episode.task)


def noise(params: Mapping[str, torch.Tensor], scale: float = 0.1) -> dict[str, torch.Tensor]:
    """Return the parameters, a little moved."""
    rng = torch.Generator().manual_seed(7)
    return {n: v + scale * torch.randn(v.shape, generator=rng, dtype=torch.float64).to(v) for n, v in params.items()}
