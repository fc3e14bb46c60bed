"""An explanation is exact: what the examples add is the difference of the scores."""

import time

import numpy as np
import pytest
import torch

import metaglot.families.classes.tools as tools_module
from metaglot.adaptation import Adapted
from metaglot.families.classes.explanation import shares
from metaglot.families.heads.classes import layer
from metaglot.families.support_units import support_units


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("counts", [(3, 3), (1, 5, 2), (30, 4)])
def test_what_the_examples_add_is_the_score(metric, counts):
    draws = torch.Generator().manual_seed(0)
    numbers = torch.tensor([c for c, count in enumerate(counts) for _ in range(count)])
    rows = support_units(torch.randn(len(numbers), 10, generator=draws), numbers, is_class_name=False)
    rows = rows.plus(
        support_units(torch.randn(len(counts), 10, generator=draws), torch.arange(len(counts)), is_class_name=True)
    )
    feature = torch.nn.functional.normalize(torch.randn(10, generator=draws), dim=0)
    weight, bias = layer(rows, len(counts), metric)
    parts = shares(rows, len(counts), metric)
    added = parts.contributions(feature)
    assert added.shape == (len(numbers) + len(counts), len(counts))
    expected = weight @ feature.double() + bias
    assert (added.sum(0) + parts.bias).tolist() == pytest.approx(expected.tolist(), abs=1e-9)


@pytest.mark.parametrize("counts", [(3, 3), (1, 5, 2)])
def test_what_the_examples_add_is_the_score_of_logistic_regression(counts):
    draws = torch.Generator().manual_seed(0)
    numbers = torch.tensor([c for c, count in enumerate(counts) for _ in range(count)])
    rows = support_units(torch.randn(len(numbers), 10, generator=draws), numbers, is_class_name=False)
    feature = torch.nn.functional.normalize(torch.randn(10, generator=draws), dim=0)
    weight, bias = layer(rows, len(counts), "cosine", "logistic")
    parts = shares(rows, len(counts), "cosine", "logistic")
    there = parts.contributions(feature).sum(0) + parts.bias
    assert there.tolist() == pytest.approx((weight @ feature.double() + bias).tolist(), abs=1e-3)


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_a_prediction_is_explained(model, sentences, effort, tmp_path):
    texts, labels = sentences(4)
    adapted = model.adapt(texts, labels, effort=effort)
    for text in ["the apple near a pear", "some hammer", "one horse the cow"]:
        said = adapted.explain(text, count=4)
        chances = dict(zip(adapted.labels, adapted.predict_proba([text])[0], strict=True))
        assert (said.label, said.instead) == tuple(sorted(chances, key=lambda one: -chances[one])[:2])
        assert said.probability == pytest.approx(chances[said.label], abs=1e-5)
        weights = [abs(one.weight) for one in said.evidence]
        assert weights == sorted(weights, reverse=True)
        gap = np.log(chances[said.label] / chances[said.instead])
        assert sum(one.weight for one in said.evidence) + said.rest == pytest.approx(gap, abs=1e-3)
        for one in said.evidence:
            if one.number is None:
                assert one.text == one.label
            else:
                assert (texts[one.number], labels[one.number]) == (one.text, one.label)
    loaded = Adapted.load(adapted.save(tmp_path / "out"), encoder=model.encoder)
    there, here = (one.explain(text, count=2).evidence for one in (loaded, adapted))
    assert [one._replace(text="") for one in here if one.number is not None] == [
        one for one in there if one.number is not None
    ]


def test_an_example_speaks_for_itself(model, sentences):
    texts, labels = sentences(4)
    said = model.adapt(texts, labels, effort="instant", names=False).explain(texts[0], count=1)
    assert said.evidence[0].number == 0
    assert said.evidence[0].weight > 0


def test_examples_that_were_added_are_found(model, sentences):
    adapted = model.adapt(*sentences(2, classes=("fruit", "tool")), effort="instant")
    added = adapted.add_examples(["horse goat"], ["beast"])
    numbers = {one.number: one.text for one in added.explain("horse goat", count=20).evidence}
    assert numbers[4] == "horse goat"
    assert set(numbers) == {None, 0, 1, 2, 3, 4}


@pytest.mark.parametrize("solver", ["ridge", "logistic"])
@pytest.mark.parametrize("classes", [2, 4])
def test_a_gap_is_the_difference_of_two_columns(solver, classes):
    draws = torch.Generator().manual_seed(0)
    numbers = torch.arange(5 * classes) % classes
    parts = shares(
        support_units(torch.randn(len(numbers), 8, generator=draws), numbers, is_class_name=False),
        classes,
        "cosine",
        solver,
    )
    features = torch.nn.functional.normalize(torch.randn(3, 8, generator=draws), dim=-1)
    cosines, offs = parts.cosines(features)
    for i, feature in enumerate(features):
        every = parts.contributions(feature)
        added, bias = parts.gap(cosines[:, i], offs[:, i], (1, 0))
        assert added.tolist() == pytest.approx((every[:, 1] - every[:, 0]).tolist(), abs=1e-12)
        assert bias == pytest.approx(float(parts.bias[1] - parts.bias[0]))


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_many_texts_are_explained_as_one_by_one(model, sentences, effort, monkeypatch):
    adapted, (asked, _) = model.adapt(*sentences(4), effort=effort), sentences(30, seed=4)
    several = adapted.explain_all(asked, count=5)
    for text, one in list(zip(asked, several, strict=True))[::9]:
        alone = adapted.explain(text, count=5)
        assert (alone.label, alone.instead) == (one.label, one.instead)
        assert [e.number for e in alone.evidence] == [e.number for e in one.evidence]
        assert [e.weight for e in alone.evidence] == pytest.approx([e.weight for e in one.evidence], abs=1e-4)
    assert adapted.explain_all([]) == []


def test_what_texts_share_is_computed_once(model, sentences, monkeypatch):
    adapted, calls = model.adapt(*sentences(4), effort="instant"), []
    for name in ("shares", "scope_of"):
        real = getattr(tools_module, name)
        monkeypatch.setattr(
            tools_module,
            name,
            lambda *given, real=real, name=name, **named: [calls.append(name), real(*given, **named)][1],
        )
    for _ in range(3):
        adapted.explain_all(["the apple", "a saw"])
        adapted.explain("the apple")
        adapted.in_scope(["the apple"])
        adapted.predict(["a saw"], unknown="none")
    assert sorted(calls) == ["scope_of", "shares"]
    adapted.add_examples(["a saw"], ["tool"]).in_scope(["the apple"])
    assert sorted(calls) == ["scope_of", "scope_of", "shares"]


def test_an_explanation_takes_less_than_five_milliseconds(model, sentences):
    adapted = model.adapt(*sentences(60), effort="instant")
    features = adapted.embed(sentences(40, seed=5)[0])
    adapted.explain_features(features[:1])
    spent = []
    for _ in range(3):
        start = time.process_time()
        assert len(adapted.explain_features(features)) == 120
        spent.append(time.process_time() - start)
    assert min(spent) / 120 < 5e-3
