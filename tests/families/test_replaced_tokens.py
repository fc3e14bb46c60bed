"""Replaced-token detection: transformers' own losses on the same ids, what is drawn, who learns from what."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score
from tests.corpus_runs import check_resume, records, sentence, write_corpus
from tests.language import MASK, SHAPE, encoder, whole_encoder
from tests.learners import VOCAB, random_module
from transformers import ElectraConfig, ElectraForPreTraining, ElectraModel

from metaglot.algorithms.hybrid import plain_gradient
from metaglot.families.language import ReplacedTokens
from metaglot.families.language.replaced_tokens import auc
from metaglot.models import HfLearner
from metaglot.models.detection import DETECTION, DETECTOR, DRAWS, EMBEDDING, GENERATOR, Detecting, detecting, drawn
from metaglot.seeds import generator
from metaglot.types import Problem, TaskInfo

TASK = TaskInfo("replaced-tokens", "replaced-tokens", (), (), family="replaced-tokens")
OBJECTIVE = ReplacedTokens(0, MASK, frozenset(range(4)), share=0.4, weight=7.0)
CONFIG = ElectraConfig(**SHAPE, embedding_size=8, pad_token_id=0)


@pytest.fixture(scope="module")
def reference() -> Any:
    return random_module(lambda: ElectraForPreTraining(CONFIG))


@pytest.fixture(scope="module")
def learner(reference) -> Detecting:
    base = random_module(lambda: ElectraModel(CONFIG))
    base.load_state_dict(reference.electra.state_dict())
    head = reference.discriminator_predictions
    detector = {
        "dense.weight": head.dense.weight,
        "dense.bias": head.dense.bias,
        "score.weight": head.dense_prediction.weight,
        "score.bias": head.dense_prediction.bias,
    }
    return Detecting(HfLearner(base), encoder("electra"), {name: value.detach() for name, value in detector.items()})


def batch_of(*, seed: int = 0, lengths: tuple[int, ...] = (9, 6, 12)):
    rng = generator(seed, "replaced")
    rows = [{"input_ids": [1, *rng.integers(4, VOCAB, length - 1).tolist()]} for length in lengths]
    return OBJECTIVE.collate(OBJECTIVE.prepare(rows, rng))


def test_what_is_masked():
    batch = batch_of()
    judged = batch["labels"] != -100
    assert judged.sum(1).tolist() == [3, 2, 4]
    assert bool((batch["input_ids"][judged] == MASK).all())
    assert not bool(judged[:, 0].any()), "special tokens are left"
    assert bool(((batch[DRAWS] >= 0) & (batch[DRAWS] < 1)).all())
    (row,) = OBJECTIVE.prepare([{"input_ids": [0, 1]}], generator(0))
    assert row["labels"].tolist() == [-100, -100]


def test_losses_are_those_of_transformers(learner, reference):
    """The corruption is drawn once more, by transformers' own generator over the embedding of the encoder."""
    batch = batch_of()
    logits = learner.forward({}, batch, logits=True).logits
    whole: Any = whole_encoder("electra")
    whole.electra.embeddings.word_embeddings.weight.copy_(reference.electra.embeddings.word_embeddings.weight)
    named = {name: batch[name] for name in ("input_ids", "attention_mask")}
    theirs = whole(**named, labels=batch["labels"])
    masked = batch["labels"] != -100
    changed = batch["input_ids"].clone()
    changed[masked] = drawn(theirs.logits[masked], batch[DRAWS][masked])
    replaced = torch.where(masked, changed != batch["labels"], False)
    assert int(replaced.sum()) > 0
    detection = reference(input_ids=changed, attention_mask=batch["attention_mask"], labels=replaced.long()).loss
    assert float(OBJECTIVE.loss(logits, batch)) == pytest.approx(float(theirs.loss + 7 * detection), abs=1e-6)
    metrics = OBJECTIVE.metrics(logits, batch)
    assert metrics["generator_loss"] == pytest.approx(float(theirs.loss), abs=1e-6)
    assert metrics["detection_loss"] == pytest.approx(float(detection), abs=1e-6)
    assert set(metrics) == {metric.name for metric in OBJECTIVE.measures}


def test_tokens_are_drawn_by_their_probability():
    logits = torch.log(torch.tensor([[0.5, 0.25, 0.125, 0.125]]))
    uniform = (torch.arange(800) + 0.5) / 800
    counts = drawn(logits.expand(800, 4), uniform).bincount(minlength=4)
    assert counts.tolist() == [400, 200, 100, 100]
    assert int(drawn(logits, torch.tensor([1.0]))) == 3


def test_who_learns_from_what(learner):
    """The generator from its own loss alone, the embedding from both, and no gradient runs through a draw."""
    meta = {**learner.body(), **learner.language_head()}
    assert GENERATOR + EMBEDDING not in meta
    problem, batch = Problem(learner, OBJECTIVE, TASK), batch_of()
    moved: dict[str, set[str]] = {}
    for name, part in (("generator", 2), ("detection", 0)):
        leaves = {n: v.clone().requires_grad_() for n, v in meta.items()}
        logits = problem.logits(leaves, batch)
        loss = (
            logits[..., part].square().sum() if part == 2 else OBJECTIVE.loss(logits, batch) - logits[..., 2].sum() / 9
        )
        grads = torch.autograd.grad(loss, [*leaves.values()], allow_unused=True)
        moved[name] = {n for n, g in zip(leaves, grads, strict=True) if g is not None and bool(g.abs().max() > 1e-9)}
    shared = "body.embeddings.word_embeddings.weight"
    assert {shared} == {n for n in moved["generator"] if not n.startswith(GENERATOR)}
    assert any(n.startswith(DETECTOR) for n in moved["detection"])
    assert not any(n.startswith(GENERATOR) for n in moved["detection"])
    assert shared in moved["detection"]


def test_the_gradient_is_that_of_finite_differences(learner):
    meta = {n: v.clone() for n, v in {**learner.body(), **learner.language_head()}.items()}
    problem, batch = Problem(learner, OBJECTIVE, TASK), batch_of(seed=2)
    grads, record = plain_gradient(problem, meta, batch, seed=None)
    assert record["plain"] == 1
    checked = 0
    for name, grad in grads.items():
        if not bool(grad.abs().max() > 1e-3):
            continue
        place, sides = int(grad.abs().argmax()), []
        for step in (1e-6, -1e-6):
            meta[name].view(-1)[place] += step
            sides.append(float(problem.loss(meta, batch)))
            meta[name].view(-1)[place] -= step
        assert (sides[0] - sides[1]) / 2e-6 == pytest.approx(float(grad.reshape(-1)[place]), rel=1e-3), name
        checked += name.startswith(DETECTION)
    assert checked > 10


@pytest.mark.parametrize("seed", range(5))
def test_the_auc_is_that_of_scikit_learn(seed):
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 6, 40).astype(float), rng.random(40) < 0.4
    found = auc(torch.from_numpy(scores), torch.from_numpy(positive))
    assert found == pytest.approx(roc_auc_score(positive, scores))
    assert auc(torch.from_numpy(scores), torch.ones(40, dtype=torch.bool)) == 0.5


def test_a_generator_of_a_share_of_the_width():
    base = encoder("bert", dtype=torch.float32, hidden_size=64)
    made = detecting(base, width=0.5, length=20, pad=0, seed=3)
    config = made.generator.module.config
    assert (config.hidden_size, config.num_attention_heads, config.embedding_size) == (32, 1, 64)
    assert made.language_head().keys() >= base.language_head().keys()
    again = detecting(base, width=0.5, length=20, pad=0, seed=3).language_head()
    assert all(torch.equal(value, again[name]) for name, value in made.language_head().items())
    logits = made.forward({}, batch_of(), seed=1, logits=True).logits
    assert logits.shape == (3, 12, 3)
    plain = {name: value for name, value in batch_of().items() if name in ("input_ids", "attention_mask")}
    assert torch.equal(made.forward({}, plain).pooled, base.forward({}, plain).pooled)


RECIPE = """
name: replaced
model: {name: "builtin:tiny", max_length: 24, precision: fp32}
text: {root: ., corpora: [notes.csv], length: 24, min_chars: 5, held_out: 0.2}
tasks: [{kind: replaced-tokens, batch: 8}]
algorithm: {name: joint}
training: {steps: 24, meta_batch: 1, lr: 1e-3, warmup: 0, save_every: 12}
validation: {every: 24, batches: 2}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write_corpus(tmp_path, RECIPE, [f"{sentence(i)} {i},{i % 20}" for i in range(240)])


@pytest.mark.slow
def test_pretrain_learns_to_detect_and_goes_on_bit_for_bit(metaglot, folder):
    said = metaglot("pretrain", "mine.yaml", "--out", "run")
    assert said.code == 0, said.err
    first, last = records(folder / "run", "validation")
    assert last["detection_auc"] > max(0.7, first["detection_auc"])
    assert last["detection_loss"] < 0.8 * first["detection_loss"]
    assert "held-out AUC of replaced tokens" in said.out + said.err
    check_resume(metaglot, folder, 24)
    shown = metaglot(
        "adapt", "run", "notes.csv", "--columns", "label=document", "--out", "adapted", "--effort", "instant"
    )
    assert shown.code == 0, shown.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["model={scratch: {type: gpt2, vocabulary: 300, config: {n_embd: 16, n_layer: 1, n_head: 2}}}"],
            "is no encoder",
        ),
        (["tasks=[replaced-tokens, replaced-tokens]"], "two of them are replaced-tokens"),
        (["tasks=[{kind: replaced-tokens, generator: 0}]"], "generator"),
        (["tasks=[{kind: replaced-tokens, masked: 1}]"], "masked"),
        (["tasks=[{kind: replaced-tokens, detection: 0}]"], "detection"),
    ],
    ids=["decoder", "two", "generator", "masked", "weight"],
)
def test_what_cannot_be_is_said(metaglot, folder, changes, message):
    said = metaglot("pretrain", "mine.yaml", "--out", "run", *changes)
    assert said.code == 2
    assert re.search(message, " ".join(said.err.split())), said.err
    assert "Traceback" not in said.err
