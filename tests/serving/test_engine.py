"""Tasks of all kinds in one batch answer as each does alone, to the last bit whatever is beside it."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.targets import READ, TARGETS, seconds, targets

from metaglot import Adapted, Effort
from metaglot.adaptation import Model, load_model
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError
from metaglot.models import Runtime
from metaglot.models.learner import HfLearner
from metaglot.serving.engine import Answer, Engine, Options, Request

WORDS = ("apple", "pear", "saw", "drill", "hammer", "near", "a", "old", "small", "red")
TEXTS = [f"{word} {kind}" for word in ("apple", "pear", "saw", "drill") for kind in ("red", "old", "small")]
ASKED = ["old apple", "a small saw", "", "apple " * 30]


def adapt(model, kind: str, effort: str | Effort = "instant", count: int = 12) -> Adapted:
    return model.adapt(
        TEXTS[:count], targets(kind, count), task=kind, pairs=seconds(kind, count), effort=effort, seed=3
    )


@pytest.fixture(scope="module")
def engine(tiny) -> Engine:
    return Engine(load_model(tiny, Runtime(precision="fp32", device="cpu")))


@pytest.fixture(scope="module")
def model(engine):
    return Model(engine.encoder)


@pytest.fixture(scope="module")
def tasks(engine, model) -> list[Adapted]:
    lora = Effort(2, lr=1e-2, head_lr=1e-3, lora=2, head="blend")
    found = [adapt(model, kind) for kind in READ]
    found += [adapt(model, "classification", "fast"), adapt(model, "tagging", "fast"), adapt(model, "multilabel", lora)]
    found.append(model.adapt(TEXTS, targets("classification"), pairs=TEXTS[::-1], effort="instant", reads="apart"))
    found.append(model.adapt(TEXTS, targets("classification"), pairs=TEXTS[::-1], effort="instant", reads="second"))
    found.append(adapt(model, "classification", count=9))
    return [engine.adopt(one) for one in found]


def inputs_for(task: Adapted, texts: Sequence[str]) -> Inputs:
    kind = task.fit.family.name
    if kind in ("choice", "question-answering"):
        return Inputs.of(texts, seconds(kind, len(texts)))
    return Inputs.of(texts, texts[::-1] if task.fit.paired else None)


def request(task: Adapted, texts: Sequence[str] = ASKED, options: Options = Options()) -> Request:
    return Request(task, inputs_for(task, texts), options)


def same(one: Answer, other: Answer) -> bool:
    return one.targets == other.targets and np.array_equal(one.values, other.values)


def test_each_task_among_all_answers_as_it_does_alone(engine, tasks):
    answers = engine.answer([request(task) for task in tasks])
    for task, answer in zip(tasks, answers, strict=True):
        alone = task.fit.predict(inputs_for(task, ASKED))
        assert answer.targets == list(alone.targets)
        assert np.array_equal(answer.values, alone.values), task
        assert answer.outputs == alone.outputs
    assert len(answers) == len(READ) + 6


def test_it_is_what_the_task_says_without_the_engine(engine, tasks):
    plain = load_model(engine.encoder.source, Runtime(precision="fp32", device="cpu"))
    for task, answer in zip(tasks, engine.answer([request(task) for task in tasks]), strict=True):
        encoder = dataclasses.replace(plain.encoder, reads=task.fit.encoder.reads)
        own = Adapted(dataclasses.replace(task.fit, encoder=encoder))
        found = own.fit.predict(inputs_for(task, ASKED))
        assert np.allclose(answer.values, found.values, atol=1e-5)
        assert not task.fit.family.exclusive or answer.targets == list(found.targets)


TEXT = st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join)


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_other_requests_leave_the_bits_of_an_answer(engine, tasks, data):
    rows = data.draw(
        st.lists(
            st.tuples(st.integers(0, len(tasks) - 1), st.lists(TEXT, min_size=1, max_size=5)), min_size=2, max_size=8
        )
    )
    requests = [request(tasks[number], texts) for number, texts in rows]
    together = engine.answer(requests)
    for one, answer in zip(requests, together, strict=True):
        assert same(engine.answer([one])[0], answer)


def test_equal_texts_are_read_once(engine, tasks, monkeypatch):
    sizes: list[int] = []
    forward = HfLearner.forward

    def counted(self, params, batch, **rest):
        sizes.append(len(batch["input_ids"]))
        return forward(self, params, batch, **rest)

    monkeypatch.setattr(HfLearner, "forward", counted)
    plain = [task for task in tasks if task.fit.head_only and not task.fit.paired]
    several = [task for task in plain if task.fit.family.tokens is None]
    assert len(several) >= 4
    engine.answer([request(task, ["apple saw", "apple saw", "pear"]) for task in several])
    assert sizes == [2]


def test_what_else_is_wanted(engine, tasks):
    task = next(one for one in tasks if one.fit.family.exclusive and one.fit.head_only)
    options = Options(top_k=2, unknown="none", explain=2)
    (answer,) = engine.answer([request(task, ASKED, options)])
    probabilities = task.predict_proba(ASKED)
    assert [[name for name, _ in row] for row in answer.top] == [
        [task.labels[i] for i in np.argsort(-row, kind="stable")[:2]] for row in probabilities
    ]
    assert answer.targets == task.predict(ASKED, unknown="none")
    assert answer.in_scope is not None
    assert np.array_equal(answer.in_scope, task.in_scope(ASKED))
    assert answer.explanations is not None
    assert [one.evidence for one in answer.explanations] == [one.evidence for one in task.explain_all(ASKED, count=2)]


def test_the_error_of_a_request_is_its_own(engine, tasks, model):
    good = request(tasks[0])
    paired = next(task for task in tasks if task.fit.encoder.reads == "apart")
    numbers = next(task for task in tasks if task.fit.family.name == "regression")
    stranger = adapt(load_model(engine.encoder.source, Runtime(precision="fp32", device="cpu")), "classification")
    bad = [
        Request(paired, Inputs.of(ASKED)),
        request(numbers, ASKED, Options(explain=1)),
        request(numbers, ASKED, Options(max_new_tokens=3)),
        request(tasks[0], ASKED, Options(top_k=0)),
        Request(stranger, Inputs.of(ASKED)),
    ]
    outcomes = engine.outcomes([bad[0], good, *bad[1:]])
    assert isinstance(outcomes[1], Answer)
    assert same(outcomes[1], engine.answer([good])[0])
    said = ("reads both", "classes alone", "writes no texts", "top_k", "adopt")
    for outcome, words in zip([outcomes[0], *outcomes[2:]], said, strict=True):
        assert isinstance(outcome, MetaglotError)
        assert words in str(outcome)
    with pytest.raises(MetaglotError, match="reads both"):
        engine.answer([good, bad[0]])
    assert engine.answer([]) == []
    assert engine.answer([Request(tasks[0], Inputs())])[0].targets == []
    assert engine.adopt(stranger).fit.encoder.backbone.learner.module is engine.encoder.backbone.learner.module


def test_a_task_of_another_model_is_refused(engine, tasks):
    name, weight = next(iter(engine.encoder.params.items()))
    other = dataclasses.replace(engine.encoder, meta={name: weight + 1})
    with pytest.raises(MetaglotError, match="adapt again"):
        engine.adopt(Adapted(dataclasses.replace(tasks[0].fit, encoder=other)))


@pytest.mark.parametrize("kind", READ)
def test_a_saved_task_is_loaded_with_what_predictions_need(engine, model, tmp_path, kind):
    task = adapt(model, kind)
    folder = task.save(tmp_path / "out", keep_examples=True)
    lean, whole = (engine.load(folder, whole=whole) for whole in (False, True))
    answers = engine.answer([request(one) for one in (engine.adopt(task), lean, whole)])
    assert all(same(answers[0], other) for other in answers[1:])
    assert lean.fit.units is None
    assert not len(lean.examples)
    assert whole.examples == task.examples
    assert lean.fit.encoder.backbone.learner.module is engine.encoder.backbone.learner.module


def test_embeddings_are_those_of_the_model(engine, model):
    assert np.array_equal(engine.embed(Inputs.of(ASKED)), model.embed(ASKED))
    assert torch.is_grad_enabled()


def test_every_kind_is_here():
    assert set(READ) < set(TARGETS)
