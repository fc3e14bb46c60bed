"""Texts of none of the classes are told apart, from the support set alone."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch.utils.flop_counter import FlopCounterMode

from metaglot.adaptation import Adapted, Effort
from metaglot.errors import MetaglotError
from metaglot.families.classes.scope import FIRMNESS, SAMPLE, measures, scope_of
from metaglot.families.heads.classes import SAME, folds, prototypes, sizes
from metaglot.families.support_units import support_units


@pytest.fixture
def spread():
    """Return a function (classes known, examples of each) -> known rows, features inside, features outside."""

    def make(classes: int, shots: int, *, seed: int = 0):
        draws = torch.Generator().manual_seed(seed)
        centres = torch.randn(2 * classes, 16, generator=draws)

        def around(numbers):
            return centres[numbers] + 0.5 * torch.randn(len(numbers), 16, generator=draws)

        numbers = torch.arange(classes).repeat_interleave(shots)
        rows = support_units(around(numbers), numbers, is_class_name=False)
        inside, outside = (
            torch.nn.functional.normalize(around(start + torch.arange(200) % classes), dim=-1) for start in (0, classes)
        )
        return rows, inside, outside

    return make


@pytest.mark.parametrize(("classes", "shots"), [(2, 4), (3, 2), (6, 8)])
def test_what_is_outside_is_told(spread, classes, shots):
    rows, inside, outside = spread(classes, shots)
    chances = scope_of(rows, classes).chances(torch.cat([inside, outside]))
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
    measured = measures(rows, prototypes(rows, 2)).of(inside[:1].double())
    assert measured[0].tolist() == pytest.approx(expected, abs=1e-6)


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
    loaded = Adapted.load(adapted.save(tmp_path / "out"), encoder=tiny.encoder)
    assert np.array_equal(loaded.in_scope(inside), adapted.in_scope(inside))


def test_one_example_of_each_without_names_says_nothing(model, sentences):
    texts, labels = sentences(1)
    assert model.adapt(texts, labels, effort="instant").in_scope(texts).shape == (3,)  # their names are words
    with pytest.raises(MetaglotError, match="needs more than one example of each"):
        model.adapt(texts, labels, effort="instant", names=False).in_scope(texts)


def test_heads_of_another_form_cannot_tell(model, sentences):
    adapted = model.adapt(*sentences(2), effort=Effort(steps=2, lr=1e-4, head_lr=1e-4))
    for call in (lambda: adapted.in_scope(["apple"]), lambda: adapted.explain("apple")):
        with pytest.raises(MetaglotError, match="needs a head in closed form; adapt with the effort instant"):
            call()


def slow_folds(rows, classes, count):
    """One class after the other."""
    fold = torch.full_like(rows.numbers, -1)
    for c in range(classes):
        members = torch.nonzero((rows.numbers == c) & ~rows.is_class_name)[:, 0]
        members = members[rows.features[members, 0].argsort(stable=True)]
        place = -1
        for i, row in enumerate(members.tolist()):
            same = i and float(rows.features[row] @ rows.features[members[i - 1]]) >= 1 - SAME
            place += 0 if same else 1
            fold[row] = place % count
    return fold


def slow_numbers(rows, classes, fold):
    """What tells examples from the others, and from the other classes, a fold and a class at a time."""
    inside, outside = [], []
    for k in range(int(fold.max()) + 1):
        rest, aside = rows.at(fold != k), rows.at(fold == k)
        aside = aside.at(torch.isin(aside.numbers, rest.numbers))
        inside.append(measures(rest, prototypes(rest, classes)).of(aside.features.double()))
    for c in range(classes):
        rest, aside = rows.at(rows.numbers != c), rows.at((rows.numbers == c) & ~rows.is_class_name)
        outside.append(measures(rest, prototypes(rest, classes)).of(aside.features.double()))
    return torch.cat(inside), torch.cat(outside)


def all_at_once(rows, classes, numbers, asked):
    """The probabilities that a regression on every example gives."""
    columns = [0, 2] if classes == 2 else [0, 1, 2]
    seen, truth = torch.cat(numbers).numpy()[:, columns], np.repeat([1, 0], [len(one) for one in numbers])
    middle, spread = seen.mean(0), seen.std(0)
    fitted = LogisticRegression(C=FIRMNESS, class_weight="balanced").fit((seen - middle) / spread, truth)
    measured = measures(rows, prototypes(rows, classes)).of(asked.double()).numpy()[:, columns]
    return fitted.predict_proba((measured - middle) / spread)[:, 1]


@pytest.mark.parametrize(
    ("classes", "shots", "named"), [(2, 4, True), (2, 1, True), (3, 5, False), (30, 3, True), (249, 4, True)]
)
def test_all_classes_at_once_are_as_one_after_the_other(spread, classes, shots, named):
    rows, inside, outside = spread(classes, shots)
    if named:
        rows = rows.plus(
            support_units(spread(classes, 1, seed=1)[0].features, torch.arange(classes), is_class_name=True)
        )
    rows = rows.plus(rows.at(torch.arange(2)))  # two examples stand twice
    fold = folds(rows)
    assert torch.equal(fold, slow_folds(rows, classes, int(fold.max()) + 1))
    assert sizes(rows, classes).tolist() == [shots] * classes
    numbers = slow_numbers(rows, classes, fold)
    scope, columns = scope_of(rows, classes), [0, 2] if classes == 2 else [0, 1, 2]
    seen = torch.cat(numbers).numpy()[:, columns]
    assert scope.middle == pytest.approx(seen.mean(0), abs=1e-12)
    assert scope.spread == pytest.approx(seen.std(0), abs=1e-12)
    asked = torch.cat([inside, outside])
    np.testing.assert_allclose(scope.chances(asked), all_at_once(rows, classes, numbers, asked), atol=1e-9)


def test_of_many_examples_a_sample_is_set_aside(spread):
    rows, inside, outside = spread(150, 16)
    asked = torch.cat([inside, outside])
    found = scope_of(rows, 150).chances(asked)
    apart = np.abs(found - all_at_once(rows, 150, slow_numbers(rows, 150, folds(rows)), asked))
    assert apart.max() > 1e-6  # it is a sample
    assert apart.mean() < 0.02
    assert apart.max() < 0.1
    shuffled = rows.at(torch.randperm(len(rows.numbers), generator=torch.Generator().manual_seed(0)))
    np.testing.assert_allclose(scope_of(shuffled, 150).chances(asked), found, atol=1e-9)


def test_the_cost_grows_with_the_examples_and_not_with_their_square(spread):
    def products(shots):
        with FlopCounterMode(display=False) as counter:
            scope_of(spread(600, shots)[0], 600)
        return counter.get_total_flops()

    more = 600 * 8  # examples, each of which is compared with the sample in 16 coordinates
    assert products(16) - products(8) <= 2 * 16 * SAMPLE * more


@pytest.mark.parametrize("names", [False, True])
def test_an_example_alone_in_its_class_is_no_example_of_the_known(spread, names):
    rows = spread(4, 2)[0]
    rows = rows.at(torch.arange(7))  # the last class has one
    if names:
        rows = rows.plus(support_units(spread(4, 1, seed=1)[0].features, torch.arange(4), is_class_name=True))
    known, outside = slow_numbers(rows, 4, folds(rows))
    assert (len(known), len(outside)) == (7 if names else 6, 7)
    assert scope_of(rows, 4).middle == pytest.approx(torch.cat([known, outside]).mean(0).numpy(), abs=1e-12)
