"""Shared fixtures: tiny random learners, and a tiny labelled set in memory."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
# As many processes run as there are cores: the threads of one would wait for those of the others, and spin meanwhile.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import contextlib
import csv
import io
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import HealthCheck, settings
from torch import nn
from transformers import BertConfig, BertModel, GPT2Config, GPT2LMHeadModel, XLNetConfig, XLNetLMHeadModel, XLNetModel

from metaglot.cli.app import main
from metaglot.data.builtin import fetch
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.models import HfLearner
from metaglot.seeds import generator, seeded
from metaglot.tasks import Shape, draw_episode, sources_of
from metaglot.types import Batch, Episode, Problem, Row

torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has it for what it begins in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)
# The same examples each time, and no verdict that depends on how busy the machine is.
settings.register_profile("metaglot", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("metaglot")

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


@pytest.fixture(scope="session")
def tiny() -> str:
    """The name of the small built-in model; without it and without a network the test is skipped."""
    try:
        fetch("tiny")
    except MetaglotError as error:
        pytest.skip(f"builtin:tiny cannot be had: {error}")
    return "builtin:tiny"


class Said(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture(scope="session")
def metaglot() -> Callable[..., Said]:
    """Return a function that calls the command in this process, as the console script does."""

    def call(*arguments: object) -> Said:
        before, argv, handler = dict(os.environ), sys.argv, signal.getsignal(signal.SIGINT)
        threads = torch.get_num_threads()
        out, err = io.StringIO(), io.StringIO()
        sys.argv = ["metaglot", *map(str, arguments)]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
                main()
        finally:
            sys.argv = argv
            signal.signal(signal.SIGINT, handler)  # the command ignores interrupts once its outcome stands
            os.environ.clear()
            os.environ.update(before)
            torch.set_num_threads(threads)  # a command sets as many as it was told
        return Said(int(ended.value.code or 0), out.getvalue(), err.getvalue())

    return call


TOPICS = {
    "billing": ["invoice", "refund", "payment", "receipt", "charge"],
    "technical": ["crash", "error", "bug", "screen", "login"],
    "delivery": ["parcel", "courier", "shipping", "package", "tracking"],
}


@pytest.fixture(scope="session")
def write_csv() -> Callable[..., Path]:
    """Return a function (path, examples a class, start=, header=) -> the path of a csv file of three classes."""

    def write(path: Path, per_class: int, *, start: int = 0, header: tuple[str, str] = ("text", "label")) -> Path:
        with path.open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(header)
            for label, words in TOPICS.items():
                for i in range(per_class):
                    rows.writerow([f"{words[i % 5]} and {words[(i + 1) % 5]}, number {start + i}", label])
        return path

    return write


@pytest.fixture
def examples(tmp_path, write_csv) -> Path:
    return write_csv(tmp_path / "examples.csv", 5)


RECIPE = """
name: small
threads: 1
model: {name: "builtin:tiny", max_length: 16, precision: fp32}
data:
  train: [{path: train.csv, min_per_class: 4}]
  validation: [{path: held.csv, min_per_class: 4}]
episodes: {ways: [2, 3], shots: [1, 2], queries: 2}
training: {steps: 4, meta_batch: 1, warmup: 0, save_every: 2}
validation: {every: 2, episodes: 3, shots: 2, queries: 2, ways: [2, 3]}
"""


@pytest.fixture
def small_recipe(tmp_path, monkeypatch, tiny, write_csv) -> Path:
    """Stand in a folder with a recipe of four steps and its data."""
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "train.csv", 8)
    write_csv(tmp_path / "held.csv", 8, start=100)
    (tmp_path / "small.yaml").write_text(RECIPE)
    return tmp_path / "small.yaml"


TALLY = pytest.StashKey[Counter[str]]()  # bad inputs: tried, mishandled; combinations of choices: ran, refused


def pytest_configure(config: pytest.Config) -> None:
    config.stash[TALLY] = Counter()


@pytest.fixture(scope="session")
def tally(pytestconfig) -> Counter[str]:
    return pytestconfig.stash[TALLY]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if hasattr(session.config, "workeroutput"):  # a worker of xdist
        session.config.workeroutput["bad_inputs"] = dict(session.config.stash[TALLY])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: object) -> None:
    node.config.stash[TALLY].update(getattr(node, "workeroutput", {}).get("bad_inputs", {}))


def pytest_terminal_summary(terminalreporter) -> None:
    counted = terminalreporter.config.stash[TALLY]
    if counted["combinations"]:
        terminalreporter.write_line(
            f"algorithm matrix: {counted['combinations']} combinations ran, {counted['agreed']} agreed with the "
            f"unrolled gradient, {counted['refused']} refused with a reason"
        )
    if counted["tried"]:
        terminalreporter.write_line(f"bad inputs: {counted['tried']} tried, {counted['mishandled']} mishandled")
