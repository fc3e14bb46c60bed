"""Texts of none of the classes are told apart, from the support set alone."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from metaglot.adaptation import Adapted, Effort
from metaglot.adaptation.closed_form import known_rows
from metaglot.adaptation.outside import in_scope, similarities
from metaglot.errors import MetaglotError


@pytest.fixture
def spread():
    """Return a function (classes known, examples of each) -> known rows, features inside, features outside."""

    def make(classes: int, shots: int, *, seed: int = 0):
        draws = torch.Generator().manual_seed(seed)
        centres = torch.randn(2 * classes, 16, generator=draws)

        def around(numbers):
            return centres[numbers] + 0.5 * torch.randn(len(numbers), 16, generator=draws)

        numbers = torch.arange(classes).repeat_interleave(shots)
        rows = known_rows(around(numbers), numbers, spoken=False)
        inside, outside = (
            torch.nn.functional.normalize(around(start + torch.arange(200) % classes), dim=-1) for start in (0, classes)
        )
        return rows, inside, outside

    return make


@pytest.mark.parametrize(("classes", "shots"), [(2, 4), (3, 2), (6, 8)])
def test_what_is_outside_is_told(spread, classes, shots):
    rows, inside, outside = spread(classes, shots)
    chances = in_scope(rows, classes, torch.cat([inside, outside]))
    assert ((chances >= 0) & (chances <= 1)).all()
    assert roc_auc_score(np.repeat([1, 0], 200), chances) > 0.85
    assert (chances[:200] >= 0.5).mean() > 0.7
    assert (chances[200:] < 0.5).mean() > 0.6


def test_the_three_numbers(spread):
    rows, inside, _ = spread(2, 3)
    x, (a, b) = rows.features.double(), (rows.features[:3].double().mean(0), rows.features[3:].double().mean(0))
    one, middle = inside[0].double(), (a + b) / 2

    def near(by):
        return max(float(torch.nn.functional.cosine_similarity(one - by, mean - by, 0)) for mean in (a, b))

    expected = [near(0 * middle), near(middle), float((x @ one).max())]
    assert similarities(rows, 2, inside[:1].double())[0].tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_predicting_unknown(tiny, sentences, tmp_path, effort):
    adapted = tiny.adapt(*sentences(6, classes=("fruit", "tool")), effort=effort)
    inside, _ = sentences(10, classes=("fruit", "tool"), seed=3)
    outside = sentences(20, classes=("beast",), seed=3)[0]
    chances = adapted.in_scope([*inside, *outside])
    assert roc_auc_score(np.repeat([1, 0], 20), chances) > 0.7
    said = adapted.predict([*inside, *outside], unknown="?")
    plain = adapted.predict([*inside, *outside])
    assert [a == "?" for a in said] == [p < 0.5 for p in chances]
    assert all(a in (b, "?") for a, b in zip(said, plain, strict=True))
    assert adapted.predict([], unknown="?") == []
    loaded = Adapted.load(adapted.save(tmp_path / "out"), model=tiny)
    assert np.array_equal(loaded.in_scope(inside), adapted.in_scope(inside))


def test_one_example_of_each_without_names_says_nothing(model, sentences):
    texts, labels = sentences(1)
    assert model.adapt(texts, labels, effort="instant").in_scope(texts).shape == (3,)  # their names are words
    with pytest.raises(MetaglotError, match="cannot be told from one example of each"):
        model.adapt(texts, labels, effort="instant", names=False).in_scope(texts)


def test_heads_of_another_form_cannot_tell(model, sentences):
    adapted = model.adapt(*sentences(2), effort=Effort(steps=2, lr=1e-4, head_lr=1e-4))
    for call in (lambda: adapted.in_scope(["apple"]), lambda: adapted.explain("apple")):
        with pytest.raises(MetaglotError, match="adapt with an effort that ends in closed form"):
            call()
