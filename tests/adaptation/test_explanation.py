"""An explanation is exact: what the examples add is the difference of the scores."""

import numpy as np
import pytest
import torch

from metaglot.adaptation import Adapted
from metaglot.adaptation.closed_form import known_rows, layer
from metaglot.adaptation.explanation import biases, contributions


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("counts", [(3, 3), (1, 5, 2), (30, 4)])
def test_what_the_examples_add_is_the_score(metric, counts):
    draws = torch.Generator().manual_seed(0)
    numbers = torch.tensor([c for c, count in enumerate(counts) for _ in range(count)])
    rows = known_rows(torch.randn(len(numbers), 10, generator=draws), numbers, spoken=False)
    rows = rows.plus(known_rows(torch.randn(len(counts), 10, generator=draws), torch.arange(len(counts)), spoken=True))
    feature = torch.nn.functional.normalize(torch.randn(10, generator=draws), dim=0)
    weight, bias = layer(rows, len(counts), metric)
    added = contributions(rows, len(counts), metric, feature)
    assert added.shape == (len(numbers) + len(counts), len(counts))
    expected = weight @ feature.double() + bias
    assert (added.sum(0) + biases(rows, len(counts), metric)).tolist() == pytest.approx(expected.tolist(), abs=1e-9)


@pytest.mark.parametrize("counts", [(3, 3), (1, 5, 2)])
def test_what_the_examples_add_is_the_score_of_logistic_regression(counts):
    draws = torch.Generator().manual_seed(0)
    numbers = torch.tensor([c for c, count in enumerate(counts) for _ in range(count)])
    rows = known_rows(torch.randn(len(numbers), 10, generator=draws), numbers, spoken=False)
    feature = torch.nn.functional.normalize(torch.randn(10, generator=draws), dim=0)
    weight, bias = layer(rows, len(counts), "cosine", "logistic")
    added = contributions(rows, len(counts), "cosine", feature, "logistic")
    there = added.sum(0) + biases(rows, len(counts), "cosine", "logistic")
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
    loaded = Adapted.load(adapted.save(tmp_path / "out"), model=model)
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
