"""A small saved random BERT with a tokenizer, made-up sentences, and a run directory over that BERT."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from metaglot.adaptation import Model, load_model
from metaglot.algorithms import build_algorithm
from metaglot.models import Runtime
from metaglot.seeds import seeded
from metaglot.training import State
from metaglot.training.checkpoint import save

WORDS = {
    "fruit": ["apple", "pear", "plum", "cherry", "grape"],
    "tool": ["hammer", "saw", "drill", "wrench", "chisel"],
    "beast": ["horse", "cow", "goat", "sheep", "camel"],
}
FILLER = ["the", "a", "one", "some", "near"]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
PLAIN = Runtime(precision="fp32", device="cpu")


@pytest.fixture(scope="session")
def bert_folder(tmp_path_factory) -> Path:
    names = [*SPECIAL, *FILLER, *(word for words in WORDS.values() for word in words)]
    raw = Tokenizer(models.WordPiece({name: i for i, name in enumerate(names)}, unk_token="[UNK]"))
    raw.pre_tokenizer = pre_tokenizers.Whitespace()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    folder = tmp_path_factory.mktemp("bert") / "model"
    special = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token", "mask_token"), SPECIAL, strict=True))
    PreTrainedTokenizerFast(tokenizer_object=raw, **special).save_pretrained(folder)
    with seeded(0, torch.device("cpu")):
        config = BertConfig(
            vocab_size=len(names),
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=128,
            initializer_range=0.2,
        )
        BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def model(bert_folder) -> Model:
    return load_model(bert_folder, PLAIN)


@pytest.fixture(scope="session")
def tiny(tiny) -> Model:
    return load_model(tiny, PLAIN)


@pytest.fixture(scope="session")
def sentences() -> Callable[..., tuple[list[str], list[str]]]:
    """Return a function (examples a class, seed=) -> texts, labels: two words of the class among filler."""

    def make(per_class: int, *, seed: int = 0, classes: tuple[str, ...] = tuple(WORDS)) -> tuple[list[str], list[str]]:
        rng = np.random.default_rng(seed)
        labels = [label for label in classes for _ in range(per_class)]
        texts = [" ".join([*rng.choice(FILLER, 2), *rng.choice(WORDS[label], 2)]) for label in labels]
        return texts, labels

    return make


@pytest.fixture
def make_run(tmp_path, model, bert_folder) -> Callable[..., Path]:
    """Return a function (step=, shift=) that writes a run directory over the BERT, its weights moved by `shift`."""

    def make(step: int = 3, *, shift: float = 0.05, options: dict[str, Any] | None = None) -> Path:
        algorithm = build_algorithm("protonet", options)
        params = dict(algorithm.init(model.encoder.backbone.learner, (), seed=0))
        draws = torch.Generator().manual_seed(step)
        moved = {name: value + shift * torch.randn(value.shape, generator=draws) for name, value in params.items()}
        run = tmp_path / "run"
        state = State(step=step, params=moved)
        save(replace(state, seed=0), run)
        described = {
            "format": 1,
            "base": str(bert_folder),
            "max_length": 24,
            "algorithm": {"name": "protonet", "options": options or {}},
            "data": ["made-up"],
        }
        (run / "model.json").write_text(json.dumps(described), "utf-8")
        return run

    return make
