"""Made-up methods, tasks, results and a tiny random model; no data set's text."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

import numpy as np
import pyarrow as pa
import pytest
import torch

from metaglot.data.draws import draws_of
from metaglot.data.examples import Examples, Inputs
from metaglot.evaluation import Result, TaskSet
from metaglot.families.family import AnyFamily
from metaglot.families.records import Predictions

WORDS = {
    "fruit": ["apple", "pear", "plum", "cherry", "banana", "grape", "melon"],
    "tool": ["hammer", "saw", "drill", "wrench", "pliers", "chisel", "file"],
    "beast": ["horse", "cow", "goat", "sheep", "donkey", "camel", "mule"],
}
FILLER = ["the", "a", "one", "some", "near", "under", "with", "and", "then"]


def sentences(per_class: int, seed: int = 0) -> tuple[list[str], list[str]]:
    """Return texts and labels: two words of the class among filler."""
    rng = np.random.default_rng(seed)
    labels = [label for label in WORDS for _ in range(per_class)]
    texts = [" ".join([*rng.choice(FILLER, 3), *rng.choice(WORDS[label], 2)]) for label in labels]
    return texts, labels


def task_set(name: str, per_class: int = 30, seed: int = 0) -> TaskSet:
    texts, labels = sentences(per_class, seed)
    table = pa.table({"text": texts, "label": labels, "row": range(len(texts))})
    return TaskSet(name, table, draws_of(table))


@dataclass(frozen=True)
class Guess:
    """A method that guesses, better with more shots; counts its fits."""

    name: str
    skill: float = 0.5
    model: str = "none"
    fits: list[tuple[int, int]] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, object]:
        return {"skill": self.skill}

    def why_not(self, family: AnyFamily) -> None:
        del family

    def fit(self, support: Examples[str], family: AnyFamily, *, shot: int, seed: int) -> "Guessed":
        del family
        labels = tuple(sorted(set(support.targets)))
        assert len(support.inputs) == len(support) == shot * len(labels)
        self.fits.append((shot, seed))
        return Guessed(labels, seed, self.skill)


@dataclass(frozen=True)
class Guessed:
    labels: tuple[str, ...]
    seed: int
    skill: float

    def predict(self, inputs: Inputs) -> Predictions:
        texts = inputs.texts
        rng = np.random.default_rng(self.seed)
        right = np.array(
            [[word in text for word in (WORDS[label][0], WORDS[label][1])] for text in texts for label in self.labels]
        )
        scores = rng.uniform(size=(len(texts), len(self.labels))) + self.skill * right.any(1).reshape(len(texts), -1)
        return Predictions(
            self.labels, scores / scores.sum(axis=1, keepdims=True), [self.labels[i] for i in scores.argmax(1)]
        )


@pytest.fixture(name="guess")
def _guess() -> Callable[..., Guess]:
    return Guess


@pytest.fixture(name="task")
def _task() -> Callable[..., TaskSet]:
    return task_set


@pytest.fixture(name="texts")
def _texts() -> Callable[..., tuple[list[str], list[str]]]:
    return sentences


@pytest.fixture(name="results")
def _results() -> list[Result]:
    """Three tasks, two shots, four draws; ours is 5 points above frozen-lr, but behind on task c."""
    means = {"tfidf": 0.40, "frozen-proto": 0.51, "frozen-lr": 0.50, "finetune": 0.53, "ours-fast": 0.55}
    made: list[Result] = []
    for draw in range(4):
        for task, lift in (("a", 0.0), ("b", 0.1), ("c", -0.1)):
            for shot in (1, 5):
                for method, mean in means.items():
                    value = mean + lift + 0.01 * draw + 0.02 * shot * (method != "frozen-proto")
                    value -= 0.15 * (task == "c" and method == "ours-fast")
                    scores = {"accuracy": value, "macro_f1": value, "ece": 0.1}
                    made.append(Result(task, shot, draw, method, scores, 0.5, 100, 3 * shot, 0, "m"))
    return made


@pytest.fixture(name="tiny", scope="session")
def _tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a random two-layer BERT of width 32 and a word-level WordPiece tokenizer."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    names = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *FILLER, *(w for ws in WORDS.values() for w in ws)]
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    special = {
        "pad_token": "[PAD]",
        "unk_token": "[UNK]",
        "cls_token": "[CLS]",
        "sep_token": "[SEP]",
        "mask_token": "[MASK]",
    }
    folder = tmp_path_factory.mktemp("tiny")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, **special, model_max_length=64).save_pretrained(folder)
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(names),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    BertModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def benchmark_called() -> Callable[[str], ModuleType]:
    """Return a function from the name of a module in benchmarks/ to it."""
    return lambda name: importlib.import_module(f"benchmarks.{name}")
