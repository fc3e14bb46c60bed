from collections.abc import Callable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from metaglot.adaptation import Model, load_model
from metaglot.choices import BASELINES
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.evaluation import FineTune, FineTuneSettings, Plan, TaskSet, baselines, evaluate, ours
from metaglot.evaluation.baselines import FINETUNE_BY_SHOT, FeatureCache, FrozenLR, FrozenProto, Tfidf
from metaglot.evaluation.baselines.batch_order import shuffled_batches
from metaglot.evaluation.baselines.features import FeatureEncoder
from metaglot.evaluation.baselines.finetune import settings_for
from metaglot.evaluation.baselines.frozen_proto import prototypes
from metaglot.evaluation.kinds import CLASSES

Texts = Callable[..., tuple[list[str], list[str]]]


@pytest.fixture(name="model", scope="module")
def _model(tiny: Path) -> Model:
    return load_model(tiny)


class Letters:
    """An encoder of two-letter texts by hand: features are counts of a and b; counts what it embeds."""

    name = "letters"

    def __init__(self) -> None:
        self.calls: list[int] = []

    def embed(self, inputs: Inputs) -> np.ndarray:
        self.calls.append(len(inputs))
        counts = np.array([[text.count("a"), text.count("b")] for text in inputs.texts], dtype=np.float32)
        return counts / np.linalg.norm(counts, axis=1, keepdims=True)


def test_frozen_prototypes_by_hand() -> None:
    fitted = FrozenProto(FeatureCache(Letters()), scale=2.0).fit(
        Examples.of(["aa", "bb"], ["x", "y"]), CLASSES, shot=1, seed=0
    )
    assert fitted.schema.outputs == ("x", "y")
    root = 1 / np.sqrt(5)  # the query aab has features (2, 1)/√5
    expected = np.exp(2 * root * np.array([2, 1]))
    assert fitted.predict(Inputs.of(["aab"])).values[0] == pytest.approx(expected / expected.sum(), rel=1e-6)


def test_prototypes_have_length_one_and_survive_a_zero_mean() -> None:
    found = prototypes(np.array([[1.0, 0], [-1, 0], [0, 3]]), np.array([0, 0, 1]))
    assert np.array_equal(found, [[0, 0], [0, 1]])


def test_frozen_lr_is_scikit_learns() -> None:
    texts, labels = ["aaab", "aab", "abb", "bbba"], ["x", "x", "y", "y"]
    fitted = FrozenLR(FeatureCache(Letters()), c=3.0).fit(Examples.of(texts, labels), CLASSES, shot=2, seed=0)
    reference = LogisticRegression(C=3.0, max_iter=1000).fit(Letters().embed(Inputs.of(texts)), labels)
    assert fitted.predict(Inputs.of(["ab", "a"])).values == pytest.approx(
        reference.predict_proba(Letters().embed(Inputs.of(["ab", "a"])))
    )


def test_queries_are_embedded_once_and_supports_each_time() -> None:
    letters = Letters()
    queries = FeatureCache(letters)
    for method in (FrozenProto(queries), FrozenLR(queries)):
        for draw in range(3):
            fitted = method.fit(Examples.of(["aa", "bb"], ["x", "y"]), CLASSES, shot=1, seed=draw)
            assert len(fitted.predict(Inputs.of(["ab"] * 7)).targets) == 7
    assert sorted(letters.calls) == [2] * 6 + [7]
    assert np.array_equal(queries.features(Inputs.of(["a"], ["b"])), queries.features(Inputs.of(["a"])))
    assert len(queries.memory) == 3  # a pair is not remembered as its first text


def test_tfidf_learns_words_and_reads_pairs(texts: Texts) -> None:
    support, labels = texts(8)
    unseen, truth = texts(20, seed=1)
    fitted = Tfidf().fit(Examples.of(support, labels), CLASSES, shot=8, seed=0)
    probabilities = fitted.predict(Inputs.of(unseen)).values
    assert probabilities.sum(axis=1) == pytest.approx(1)
    assert np.mean([fitted.schema.outputs[i] == t for i, t in zip(probabilities.argmax(1), truth, strict=True)]) > 0.9
    same = ["the"] * len(support)
    paired = (
        Tfidf()
        .fit(Examples.of(same, labels, support), CLASSES, shot=8, seed=0)
        .predict(Inputs.of(["the"] * len(unseen), unseen))
        .values
    )
    assert np.mean([fitted.schema.outputs[i] == t for i, t in zip(paired.argmax(1), truth, strict=True)]) > 0.9


def test_finetune_starts_at_the_prototypes_and_leaves_the_model_as_it_was(model: Model, texts: Texts) -> None:
    support, labels = texts(3)
    unseen, _ = texts(4, seed=1)
    before = model.fingerprint(), {name: value.clone() for name, value in model.encoder.params.items()}
    start = FineTune(model.encoder, by_shot={1: FineTuneSettings(1e-3, 0)}, scale=7.0).fit(
        Examples.of(support, labels), CLASSES, shot=3, seed=0
    )
    frozen = FrozenProto(FeatureCache(model.encoder), scale=7.0).fit(
        Examples.of(support, labels), CLASSES, shot=3, seed=0
    )
    assert start.predict(Inputs.of(unseen)).values == pytest.approx(frozen.predict(Inputs.of(unseen)).values, abs=1e-5)
    FineTune(model.encoder, by_shot={1: FineTuneSettings(1e-2, 3)}).fit(
        Examples.of(support, labels), CLASSES, shot=3, seed=0
    )
    assert model.fingerprint() == before[0]
    assert all(torch.equal(value, before[1][name]) for name, value in model.encoder.params.items())


def test_finetune_learns_and_is_a_function_of_its_seed(model: Model, texts: Texts) -> None:
    support, labels = texts(6)
    unseen, truth = texts(20, seed=1)
    method = FineTune(model.encoder, by_shot={1: FineTuneSettings(5e-3, 40)}, batch_size=8)
    fitted = method.fit(Examples.of(support, labels), CLASSES, shot=6, seed=1)
    probabilities = fitted.predict(Inputs.of(unseen)).values
    frozen = (
        FrozenProto(FeatureCache(model.encoder))
        .fit(Examples.of(support, labels), CLASSES, shot=6, seed=1)
        .predict(Inputs.of(unseen))
        .values
    )
    right, at_first = (
        np.mean([fitted.schema.outputs[i] == t for i, t in zip(p.argmax(1), truth, strict=True)])
        for p in (probabilities, frozen)
    )
    assert right > 0.9 > at_first
    assert np.array_equal(
        method.fit(Examples.of(support, labels), CLASSES, shot=6, seed=1).predict(Inputs.of(unseen)).values,
        probabilities,
    )
    assert not np.array_equal(
        method.fit(Examples.of(support, labels), CLASSES, shot=6, seed=2).predict(Inputs.of(unseen)).values,
        probabilities,
    )


def test_finetune_reads_pairs(model: Model, texts: Texts) -> None:
    support, labels = texts(4)
    same = ["the"] * len(support)
    method = FineTune(model.encoder, by_shot={1: FineTuneSettings(5e-3, 40)}, batch_size=12)
    fitted = method.fit(Examples.of(same, labels, support), CLASSES, shot=4, seed=0)
    found = [fitted.schema.outputs[i] for i in fitted.predict(Inputs.of(same, support)).values.argmax(1)]
    assert np.mean([a == b for a, b in zip(found, labels, strict=True)]) > 0.8


@pytest.mark.parametrize(("shot", "row"), [(1, 1), (3, 1), (4, 4), (5, 4), (8, 8), (15, 8), (16, 16), (64, 16)])
def test_finetune_takes_the_next_smaller_row_of_its_table(shot: int, row: int) -> None:
    assert settings_for(shot, FINETUNE_BY_SHOT) == FINETUNE_BY_SHOT[row]
    assert settings_for(1, {4: FineTuneSettings(1, 1), 8: FineTuneSettings(2, 2)}) == FineTuneSettings(1, 1)


@pytest.mark.parametrize(("n", "sizes"), [(5, [5]), (32, [32]), (48, [24, 24]), (70, [24, 23, 23])])
def test_batches_are_of_like_size_and_go_through_all_rows(n: int, sizes: list[int]) -> None:
    stream = shuffled_batches(n, 32, seed=0)
    for _ in range(3):
        epoch = [next(stream) for _ in sizes]
        assert [len(batch) for batch in epoch] == sizes
        assert sorted(row for batch in epoch for row in batch) == list(range(n))


def test_ours_instant_shares_the_features_of_the_queries(model: Model, texts: Texts) -> None:
    support, labels = texts(3)
    unseen, _ = texts(4, seed=1)
    (instant,) = ours(model, ["instant"])
    for draw in range(2):
        found = instant.fit(Examples.of(support, labels), CLASSES, shot=3, seed=draw).predict(Inputs.of(unseen)).values
        assert found == pytest.approx(model.adapt(support, labels, effort="instant", seed=draw).predict_proba(unseen))
    with pytest.raises(MetaglotError, match="unknown effort"):
        ours(model, ["instant", "hasty"])


def test_ours_with_and_without_the_names_of_classes(model: Model, texts: Texts) -> None:
    (support, labels), (unseen, _) = texts(3), texts(4, seed=1)
    (read,) = ours(model, ["instant"])
    unread = replace(read, names=False)
    found = [
        method.fit(Examples.of(support, labels), CLASSES, shot=3, seed=0).predict(Inputs.of(unseen)).values
        for method in (read, unread)
    ]
    for proba, method in zip(found, (read, unread), strict=True):
        alone = model.adapt(support, labels, effort="instant", seed=0, names=method.names)
        assert proba == pytest.approx(alone.predict_proba(unseen))
    assert found[0] != pytest.approx(found[1])
    assert "names" not in read.settings
    assert unread.settings == {**read.settings, "names": False}


def test_names_of_baselines(model: Model) -> None:
    chosen = baselines(["tfidf", "frozen", "frozen-lr", "finetune"], model)
    assert [method.name for method in chosen] == ["tfidf", "frozen-proto", "frozen-lr", "frozen-instant", "finetune"]
    with pytest.raises(MetaglotError, match="Choose from: prior, tfidf"):
        baselines(["forest"], model)
    with pytest.raises(MetaglotError, match="algorithm: joint"):
        baselines(["multitask"], model)


@pytest.mark.slow
def test_every_listed_method_runs_on_the_same_cells(model: Model, task: Callable[..., TaskSet]) -> None:
    """The contract: the right name, probabilities that sum to one, settings that JSON can hold."""
    import json

    names = [name for name in BASELINES if name != "copy" and (name != "setfit" or find_spec("setfit"))]
    methods = [*baselines(names, model, multitask=model), *ours(model, ["instant", "fast"])]
    assert [method.name for method in methods] == [*names, "ours-instant", "ours-fast"]
    results = list(evaluate([task("one")], methods, Plan((1, 2), 1, 6, 0)))
    assert len(results) == 2 * len(methods) >= 20
    assert all(0 <= result.score <= 1 and result.cpu_seconds >= 0 for result in results)
    for method in methods:
        assert json.loads(json.dumps(method.settings)) is not None
        fitted = method.fit(Examples.of(["apple", "saw"], ["x", "y"]), CLASSES, shot=1, seed=0)
        found = fitted.predict(Inputs.of(["plum", "drill", "the"]))
        assert set(found.outputs) == {"x", "y"}
        assert found.values.sum(axis=1) == pytest.approx(1)


def _is_an_encoder(model: Model) -> FeatureEncoder:
    return model.encoder


@pytest.mark.parametrize("texts", [["🙂", "🙁"], ["", ""], ["!", "one word"]], ids=["emoji", "empty", "one of each"])
def test_tfidf_of_texts_without_words(texts: list[str]) -> None:
    fitted = Tfidf().fit(Examples.of(texts, ["up", "down"]), CLASSES, shot=1, seed=0)
    found = fitted.predict(Inputs.of([*texts, "anything"])).values
    assert found.shape == (3, 2)
    assert np.allclose(found.sum(1), 1)
    if any(texts):
        assert [fitted.schema.outputs[i] for i in found[:2].argmax(1)] == ["up", "down"]
