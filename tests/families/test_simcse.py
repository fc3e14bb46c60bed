"""SimCSE: its loss by hand, what is no negative, twins out of text, and that they come nearer in training."""

import math
import re

import numpy as np
import pytest
import torch
from tests.corpus_runs import check_resume, records, sentence, write_corpus
from tests.learners import toy_set

from metaglot.algorithms.hybrid import Hybrid
from metaglot.algorithms.transfer import joint
from metaglot.errors import MetaglotError
from metaglot.families.language import SimCse, of_language
from metaglot.tasks.plain import PlainText
from metaglot.tasks.twins import Twins, neighbours, same_twice
from metaglot.types import FEATURES, Outputs, Problem, TaskInfo

TASK = TaskInfo("simcse", "simcse", (), (), family="simcse")


def rows_of(*texts: list[int]):
    return [{"input_ids": ids} for ids in texts]


def outputs_of(pooled: list[list[float]]) -> Outputs:
    states = torch.tensor(pooled, dtype=torch.float64)
    return Outputs(states[:, None], states, torch.ones(len(states), 1))


def test_the_loss_by_hand():
    objective = SimCse(0, temperature=0.5)
    batch = objective.collate(rows_of([5, 6], [7], [5, 8], [9]))
    logits = objective.logits({}, outputs_of([[2.0, 0.0], [0.0, 1.0], [3.0, 4.0], [0.0, 7.0]]), batch)
    expected = torch.tensor([[0.6, 0.0], [0.8, 1.0]], dtype=torch.float64) / 0.5  # cosines over T
    assert torch.allclose(logits, expected)
    by_hand = (math.log(1 + math.exp(-1.2)) + math.log(1 + math.exp(-0.4))) / 2
    assert float(objective.loss(logits, batch)) == pytest.approx(by_hand)
    assert objective.metrics(logits, batch) == {"loss": pytest.approx(by_hand), "twins_found": 1.0}
    assert objective.judged(batch) == 2
    assert [metric.name for metric in objective.measures] == ["loss", "twins_found"]


def test_texts_that_are_the_same_are_no_negatives():
    objective = SimCse(0)
    states = outputs_of([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 4)
    batch = objective.collate(rows_of([5], [6, 7], [5], [8], [9], [3], [4], [3]))
    far = objective.logits({}, states, batch) < -1e3
    # The first and the third text are one, and so are the twins of the second and the fourth.
    assert far.nonzero().tolist() == [[0, 2], [1, 3], [2, 0], [3, 1]]
    alone = objective.collate(rows_of([5], [5]))
    assert float(objective.loss(objective.logits({}, outputs_of([[1.0, 2.0]] * 2), alone), alone)) == 0.0


def test_dropout_makes_twins_and_the_gradient_is_that_of_finite_differences(bert):
    toys = toy_set()
    twins = Twins(toys, toys, np.stack([np.arange(12), np.arange(12)], axis=1))
    episode = PlainText(twins, SimCse(0), 6, name="simcse")(0, 0, {})
    problem = Problem(bert, episode.objective, episode.task)
    assert problem.head_spec.level == FEATURES
    assert problem.headless
    assert not problem.over_vocabulary
    pooled = bert.forward({}, episode.query, seed=3).pooled
    assert not torch.allclose(pooled[:6], pooled[6:], atol=1e-3), "the same texts under two masks"
    params = {name: value.clone() for name, value in bert.body().items()}
    found = Hybrid(joint(dropout=True)).meta_grad([problem], params, [episode], step=0, seed=0)
    assert set(found.grads) == set(params)
    assert found.records[0]["plain"] == 1
    leaves = {name: value.requires_grad_() for name, value in params.items()}
    loss = problem.loss(leaves, episode.query, seed=3)
    grads = torch.autograd.grad(loss, [*leaves.values()], allow_unused=True)
    checked = 0
    for (_, value), grad in zip(leaves.items(), grads, strict=True):
        if grad is None or not bool(grad.abs().max() > 1e-4):
            continue
        place, sides = int(grad.abs().argmax()), []
        with torch.no_grad():
            for step in (1e-6, -1e-6):
                value.view(-1)[place] += step
                sides.append(float(problem.loss(leaves, episode.query, seed=3)))
                value.view(-1)[place] -= step
        assert (sides[0] - sides[1]) / 2e-6 == pytest.approx(float(grad.reshape(-1)[place]), rel=1e-3)
        checked += 1
    assert checked > 10


def test_it_needs_no_language_model_head():
    assert not of_language([TASK])
    meta = joint().init(_NoHead(), [TASK], seed=0)
    assert not any(name.startswith(("lm.", "heads.")) for name in meta)


class _NoHead:
    embedding, hidden_size, device = None, 4, torch.device("cpu")

    def body(self):
        return {"body.weight": torch.zeros(4, 4)}

    def language_head(self):
        raise AssertionError("it is not asked for")


class _Sentences:
    """Sentences of documents, as far as twins read them."""

    def __init__(self, document: list[int]) -> None:
        self.examples, self.document, self.domain, self.domains = toy_set(), np.array(document), np.zeros(0), ()


def test_twins_of_sentences():
    assert same_twice(_Sentences([0, 0, 1])).places.tolist() == [[0, 0], [1, 1], [2, 2]]
    found = neighbours(_Sentences([0, 0, 1, 2, 2, 2]))
    assert found.places.tolist() == [[0, 1], [3, 4], [4, 5]]
    rows = found.rows([2, 0])
    whole = found.first.rows([4, 0, 5, 1])
    assert [row["input_ids"] for row in rows] == [row["input_ids"] for row in whole]
    with pytest.raises(MetaglotError, match="no document has two sentences"):
        neighbours(_Sentences([0, 1, 2]))


def test_each_pass_draws_every_text_once():
    toys = toy_set()
    twins = Twins(toys, toys, np.stack([np.arange(12), np.arange(12)], axis=1))
    draws = [PlainText(twins, SimCse(0), 4)(0, n, {}).rows["query"] for n in range(3)]
    assert sorted(place for draw in draws for place in draw) == [*range(12)]


RECIPE = """
name: twins
model: {name: "builtin:tiny", max_length: 24, precision: fp32}
text: {root: ., corpora: [{path: notes.csv, columns: {text_pair: other}}], min_chars: 5, held_out: 0.2}
tasks: [{kind: simcse, batch: 16}]
algorithm: {name: joint}
training: {steps: 12, meta_batch: 1, lr: 1e-4, warmup: 0, save_every: 6}
validation: {every: 12, batches: 2}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows: list[str] = []
    for i in range(160):
        words = sentence(i, 7).split()
        then = " ".join(words[::-1])
        rows.append(f"In year {i} {' '.join(words)}. Then {then} of {i}.,{i // 4},about {i} {words[0]}")
    return write_corpus(tmp_path, RECIPE, rows, "text,document,other")


@pytest.mark.slow
@pytest.mark.parametrize("positives", ["dropout", "neighbours", "pairs"])
def test_pretrain_brings_twins_nearer_and_goes_on_bit_for_bit(metaglot, folder, positives):
    tasks = f"tasks=[{{kind: simcse, batch: 16, positives: {positives}}}]"
    said = metaglot("pretrain", "mine.yaml", "--out", "run", tasks)
    assert said.code == 0, said.err
    losses = [record["plain_loss"] for record in records(folder / "run", "step")]
    assert losses[-1] < losses[0]
    assert "held-out twins found" in said.out + said.err
    first, last = records(folder / "run", "validation")
    assert 0 <= first["twins_found"] <= 1
    assert "perplexity" not in last
    assert positives == "dropout" or last["text_loss"] < first["text_loss"]
    check_resume(metaglot, folder, 12, tasks)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (["algorithm={name: joint, options: {dropout: false}}"], r"tasks\.0 \(simcse\): its twins .* dropout: false"),
        (["tasks=[{kind: simcse, batch: 1}]"], "batch"),
        (["tasks=[{kind: simcse, temperature: 0}]"], "temperature"),
        (["tasks=[{kind: simcse, positives: labels}]"], "positives"),
        (
            ["tasks=[{kind: simcse, positives: pairs}]", "text.corpora=[notes.csv]"],
            "no column text_pair, which holds the partner",
        ),
    ],
    ids=["no dropout", "one text", "temperature", "positives", "no partners"],
)
def test_what_cannot_be_is_said(metaglot, folder, changes, message):
    said = metaglot("pretrain", "mine.yaml", "--out", "run", *changes)
    assert said.code == 2
    assert re.search(message, " ".join(said.err.split())), said.err
    assert "Traceback" not in said.err
