"""Span denoising: what is hidden and where, that it can be put back, and transformers' own loss on the same ids."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.corpus_runs import check_resume, records, sentence, write_corpus
from tests.learners import random_module
from tests.models.architectures import T5 as SHAPE
from transformers import T5Config, T5ForConditionalGeneration

from metaglot.adaptation import load_model
from metaglot.data.vocabulary import SENTINELS, sentinels_of, train_tokenizer, with_sentinels
from metaglot.errors import MetaglotError
from metaglot.families.batches import concatenate
from metaglot.families.language import SpanDenoising, objective_of
from metaglot.models import Backbone, HfLearner
from metaglot.seeds import generator

SIZE, PAD, END, FIRST = 60, 0, 1, 2
MARKS = tuple(range(59, 39, -1))  # T5 numbers its sentinels downwards
SPECIAL = frozenset({PAD, END, FIRST})
DENSITIES = st.floats(0.05, 0.6)
TOKENS = st.lists(st.integers(3, 39), min_size=2, max_size=50)


def objective(density: float = 0.15, span: float = 3.0, marks: tuple[int, ...] = MARKS) -> SpanDenoising:
    return SpanDenoising(PAD, END, marks, SPECIAL, density, span)


def put_back(source: list[int], target: list[int]) -> list[int]:
    """Return the text: each gap of the source filled with what the target has behind its sentinel."""
    filled: list[int] = []
    for token in source:
        if token not in MARKS:
            filled.append(token)
            continue
        at = target.index(token) + 1
        while target[at] not in (*MARKS, END):
            filled.append(target[at])
            at += 1
    return filled


@given(TOKENS, st.integers(0, 1000), DENSITIES, st.floats(1.0, 5.0), st.booleans())
def test_what_is_hidden_can_be_put_back(ids, seed, density, span, framed):
    whole = [FIRST, *ids, END] if framed else ids
    made = objective(density, span)
    hidden, spans = made.sizes(len(ids))
    if spans > len(MARKS):
        return
    (row,) = made.prepare([{"input_ids": whole, "row": 7}], generator(seed))
    source, target = row["input_ids"].tolist(), row["labels"].tolist()
    assert row["row"] == 7
    assert put_back(source, target) == (whole if framed else [*ids, END])
    assert [token for token in source if token in MARKS] == [token for token in target if token in MARKS]
    assert [token for token in source if token in MARKS] == list(MARKS[:spans]), "in order, each once"
    assert len(target) == hidden + spans + 1
    assert target[-1] == END
    assert 1 <= hidden < len(ids)


def test_the_share_and_the_length_of_spans_are_those_asked_for():
    ids = np.tile(np.arange(3, 39), 3)[:100]
    made, places = objective(0.2, 2.5), np.zeros(100)
    lengths: list[int] = []
    for seed in range(2000):
        (row,) = made.prepare([{"input_ids": np.arange(100) + 100}], generator(seed))
        hidden = [token - 100 for token in row["labels"].tolist() if token >= 100]
        places[hidden] += 1
        marks = np.flatnonzero(np.isin(row["labels"], [*MARKS, END]))
        lengths += (np.diff(marks) - 1).tolist()
    assert ids.shape == (100,)
    assert places.sum() / 2000 == 20, "the share is exact in every text"
    assert np.mean(lengths) == 2.5
    # Partitions of 20 into 8 are equally likely, so a span has one token with chance 7 / 19.
    assert np.mean(np.array(lengths) == 1) == pytest.approx(7 / 19, abs=0.015)
    assert places[0] == 0, "a text begins with what is seen"


@pytest.fixture(scope="module")
def t5() -> HfLearner:
    config = T5Config(**SHAPE, vocab_size=SIZE, pad_token_id=PAD, eos_token_id=END, decoder_start_token_id=PAD)
    return HfLearner(random_module(lambda: T5ForConditionalGeneration(config)), seq2seq=True)


def test_the_loss_is_that_of_transformers(t5):
    made, rng = objective(0.3), generator(3)
    rows = [{"input_ids": rng.integers(3, 39, length)} for length in (20, 9, 14)]
    batch = made.collate(made.prepare(rows, rng))
    logits = t5.forward({}, batch, logits=True).logits
    module: Any = t5.module
    assert float(made.loss(logits, batch)) == pytest.approx(float(module(**batch).loss), abs=1e-10)
    assert made.metrics(logits, batch)["perplexity"] == pytest.approx(math.exp(float(module(**batch).loss)))
    assert made.judged(batch) == len(logits)


def test_padding_and_other_rows_change_nothing(t5):
    made, rng = objective(0.3), generator(4)
    first, second = (
        made.collate(made.prepare([{"input_ids": rng.integers(3, 39, length)}], rng)) for length in (6, 30)
    )
    apart = torch.cat([t5.forward({}, one, logits=True).logits for one in (first, second)])
    assert torch.allclose(t5.forward({}, concatenate(first, second), logits=True).logits, apart, atol=1e-10)


def test_a_row_of_one_token_has_nothing_to_judge():
    rows = objective().prepare([{"input_ids": [5]}, {"input_ids": [FIRST, END]}], generator(0))
    assert [row["labels"].tolist() for row in rows] == [[-100], [-100]]


class Words:
    """A tokenizer as far as an objective asks it."""

    pad_token_id, eos_token_id, sep_token_id, all_special_ids = PAD, END, None, (PAD, END)

    def __init__(self, sentinels: int) -> None:
        self.vocabulary = {f"<extra_id_{n}>": SIZE - 1 - n for n in range(sentinels)}

    def get_vocab(self) -> dict[str, int]:
        return self.vocabulary


def test_the_backbone_says_the_objective(t5, gpt2):
    found = objective_of(Backbone(t5, Words(20), "x", ()), share=0.2, span=2.0)
    assert found == SpanDenoising(PAD, END, MARKS, frozenset({PAD, END}), 0.2, 2.0)
    with pytest.raises(MetaglotError, match=r"no sentinels \(<extra_id_0>"):
        objective_of(Backbone(t5, Words(0), "x", ()))
    with pytest.raises(
        MetaglotError, match=r"128 tokens .* 6 gaps, and the tokenizer has 3 sentinels; make spans longer"
    ):
        objective_of(Backbone(t5, Words(3), "x", ()), length=128)
    with pytest.raises(MetaglotError, match="must be above 0 and below 1"):
        objective_of(Backbone(t5, Words(3), "x", ()), share=1.0)
    with pytest.raises(MetaglotError, match=r"must be 1 token or more, got 0\.5"):
        objective_of(Backbone(t5, Words(3), "x", ()), span=0.5)
    with pytest.raises(MetaglotError, match="no decoder beside an encoder"):
        objective_of(Backbone(gpt2, Words(3), "x", ()), span=2.0)


def test_a_tokenizer_gets_sentinels_once():
    tokenizer = train_tokenizer(["old boats drift past the towns"] * 3, kind="bpe", size=300)
    size = len(tokenizer)
    marks = sentinels_of(with_sentinels(tokenizer))
    assert marks == tuple(range(size, size + SENTINELS)) == sentinels_of(with_sentinels(tokenizer))
    assert tokenizer("old<extra_id_1>").input_ids[-1] == marks[1]
    assert tokenizer.decode([*tokenizer("old").input_ids, marks[0]], skip_special_tokens=True) == "old"


HALVES = (
    "encoder_layers: 1, decoder_layers: 1, encoder_attention_heads: 2, decoder_attention_heads: 2, "
    "encoder_ffn_dim: 32, decoder_ffn_dim: 32"
)
RECIPE = """
name: denoised
model:
  max_length: 16
  precision: fp32
  scratch: {type: t5, vocabulary: 300, config: {d_model: 32, d_kv: 16, d_ff: 64, num_layers: 1, num_heads: 2}}
text: {root: ., corpora: [notes.csv], length: 16, min_chars: 10}
tasks: [{kind: plain, batch: 16, masked: 0.3, span: 2}]
algorithm: {name: joint}
training: {steps: 40, meta_batch: 1, lr: 0.02, warmup: 0, save_every: 20}
validation: {every: 40, batches: 2}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("METAGLOT_CACHE", str(tmp_path / "cache"))
    return write_corpus(tmp_path, RECIPE, [f"{sentence(i)},{i % 20}" for i in range(200)])


@pytest.mark.slow
def test_pretrain_learns_it_from_random_weights_and_goes_on_bit_for_bit(metaglot, folder):
    said = metaglot("pretrain", "mine.yaml", "--out", "run")
    assert said.code == 0, said.err
    losses = [record["text_loss"] for record in records(folder / "run", "validation")]
    assert losses[-1] < 0.8 * losses[0]
    check_resume(metaglot, folder, 40)


@pytest.mark.slow
def test_a_tokenizer_of_an_encoder_gets_sentinels_too(metaglot, folder):
    (folder / "mine.yaml").write_text(RECIPE.replace("vocabulary: 300", "tokenizer: builtin:tiny"), "utf-8")
    said = metaglot("pretrain", "mine.yaml", "--out", "run", "training.steps=2", "training.save_every=2")
    assert said.code == 0, said.err


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["t5", "bart"])
def test_a_run_is_a_model_that_reads_writes_and_is_trained_further(metaglot, folder, kind):
    shape = {"t5": "d_kv: 16, d_ff: 64, num_layers: 1, num_heads: 2", "bart": HALVES}[kind]
    scratch = f"model.scratch={{type: {kind}, vocabulary: 300, config: {{d_model: 32, {shape}}}}}"
    said = metaglot("pretrain", "mine.yaml", "--out", "run", scratch, "training.steps=2", "training.save_every=2")
    assert said.code == 0, said.err
    model = load_model("run")
    texts = [f"old boats {n}" for n in range(8)]
    assert model.adapt(texts, ["a", "b"] * 4, effort="instant").predict("old boats") in ("a", "b")
    written = model.adapt(texts, texts[::-1], task="generation", effort="instant").predict("old boats 3")
    assert isinstance(written, str)
    further = "model={name: run, max_length: 16, precision: fp32}"
    said = metaglot("pretrain", "mine.yaml", "--out", "next", further, "training.steps=2", "training.save_every=2")
    assert said.code == 0, said.err


def test_counted_tokens_by_hand():
    from benchmarks.denoising import counted

    from metaglot.types import Episode, TaskInfo

    def episode(labels: list[int]) -> Episode:
        return Episode(TaskInfo("t", "t", (), ()), objective(), {}, {"labels": torch.tensor([labels])})

    found = counted([episode([2, 2, -100]), episode([0])], [episode([2, 1, -100])], 4)
    assert found == pytest.approx(-(math.log(3 / 7) + math.log(1 / 7)) / 2)
