"""Baselines on tasks of several labels a text and of numbers, and the draws of these."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from metaglot.adaptation import Model, load_model
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError
from metaglot.evaluation import FineTune, FineTuneSettings, Plan, TaskSet, baselines, evaluate, ours
from metaglot.evaluation.baselines import FeatureCache, FrozenLR, FrozenProto, Knn, Prior, Tfidf
from metaglot.evaluation.baselines.finetune import LABELS_BY_SHOT, NUMBERS_BY_SHOT
from metaglot.evaluation.estimate import work_of
from metaglot.evaluation.kinds import CLASSES, draws_by
from metaglot.families.choose import family_called
from metaglot.families.multilabel import MultiLabelFamily
from metaglot.families.regression import RegressionFamily

LABELS, NUMBERS = MultiLabelFamily(), RegressionFamily()
ANGLES = ["0", "10", "80", "90"]
TAGS = [frozenset("a"), frozenset("ab"), frozenset("b"), frozenset[str]()]


class Planar:
    """An encoder of angles in degrees."""

    name = "planar"

    def embed(self, inputs: Inputs) -> np.ndarray:
        angles = np.radians([float(text) for text in inputs.texts])
        return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


@pytest.fixture(name="model", scope="module")
def _model(tiny: Path) -> Model:
    return load_model(tiny)


def test_the_floor_by_hand() -> None:
    two = Inputs.of(["x", "y"])
    classes = Prior().fit(Examples.of(ANGLES, ["x", "y", "y", "y"]), CLASSES, shot=2, seed=0).predict(two)
    assert classes.values == pytest.approx(np.array([[0.25, 0.75]] * 2))
    assert classes.targets == ["y", "y"]
    tags = Prior().fit(Examples.of(ANGLES, TAGS), LABELS, shot=2, seed=0).predict(two)
    assert tags.outputs == ("a", "b")
    assert tags.values == pytest.approx(np.full((2, 2), 0.5))
    assert tags.targets == [frozenset("ab")] * 2
    numbers = Prior().fit(Examples.of(ANGLES, [1.0, 2.0, 4.0, 5.0]), NUMBERS, shot=4, seed=0).predict(two)
    assert numbers.values == pytest.approx(np.full((2, 1), 3.0))
    assert numbers.targets == pytest.approx([3.0, 3.0])


def test_all_labels_are_the_constant_of_best_macro_f1() -> None:
    truth = [frozenset("a")] * 8 + [frozenset("b")] * 2
    floor = Prior().fit(Examples.of(["x"] * 10, truth), LABELS, shot=2, seed=0).predict(Inputs.of(["x"] * 10))
    found = LABELS.score(floor, truth).metrics["macro_f1"]
    assert found == pytest.approx((2 * 0.8 / 1.8 + 2 * 0.2 / 1.2) / 2)
    for constant in ("a", "b", ""):
        assert LABELS.score(floor._replace(targets=[frozenset(constant)] * 10), truth).metrics["macro_f1"] < found


@pytest.mark.parametrize("kind", ["regression", "ordinal"])
def test_the_median_is_the_constant_of_least_mean_absolute_error(kind: str) -> None:
    family, truth = family_called(kind), [1.0, 1.0, 2.0, 5.0, 10.0]
    floor = Prior().fit(Examples.of(["x"] * 5, truth), family, shot=5, seed=0).predict(Inputs.of(["x"] * 5))
    found = family.score(floor, truth).metrics["mae"]
    assert floor.targets == pytest.approx([2.0] * 5)
    for constant in np.linspace(0, 11, 45):
        assert family.score(floor._replace(targets=[constant] * 5), truth).metrics["mae"] >= found - 1e-12


def test_linear_models_are_scikit_learns() -> None:
    queries, features = Inputs.of(["5", "45"]), Planar().embed
    support = Examples.of(ANGLES, TAGS)
    found = FrozenLR(FeatureCache(Planar()), c=3.0).fit(support, LABELS, shot=2, seed=0).predict(queries)
    for column, label in enumerate("ab"):
        one = LogisticRegression(C=3.0, class_weight="balanced", max_iter=1000)
        one.fit(features(support.inputs), [label in own for own in TAGS])
        assert found.values[:, column] == pytest.approx(one.predict_proba(features(queries))[:, 1])
    numbers = [1.0, 2.0, 4.0, 5.0]
    ridge = FrozenLR(FeatureCache(Planar()), c=3.0).fit(Examples.of(ANGLES, numbers), NUMBERS, shot=4, seed=0)
    spread = np.std(numbers)
    by_hand = Ridge(alpha=1 / 3.0).fit(features(Inputs.of(ANGLES)), (np.array(numbers) - 3.0) / spread)
    assert ridge.predict(queries).values[:, 0] == pytest.approx(by_hand.predict(features(queries)) * spread + 3.0)


def test_neighbours_by_hand() -> None:
    method = Knn(FeatureCache(Planar()), k=2, scale=4.0, alpha=0.5)
    weight = np.exp(4.0 * (np.cos(np.radians(10)) - 1.0))
    numbers = method.fit(Examples.of(ANGLES, [1.0, 2.0, 4.0, 5.0]), NUMBERS, shot=4, seed=0)
    expected = (1.0 + 2.0 * weight + 0.5 * 3.0) / (1 + weight + 0.5)
    assert numbers.predict(Inputs.of(["0"])).values == pytest.approx(np.array([[expected]]), abs=1e-6)
    tags = method.fit(Examples.of(ANGLES, TAGS), LABELS, shot=2, seed=0).predict(Inputs.of(["0", "90"]))
    a, b = (1 + weight + 0.25) / (1.5 + weight), (weight + 0.25) / (1.5 + weight)
    assert tags.values[0] == pytest.approx([a, b], abs=1e-6)
    assert tags.targets == [frozenset("a"), frozenset[str]()]  # b is given where it is likelier than its share, 1/2


def test_methods_about_classes_say_so(model: Model) -> None:
    proto = FrozenProto(FeatureCache(model.encoder))
    assert proto.why_not(CLASSES) is None
    assert "prototypes need classes" in (proto.why_not(LABELS) or "")
    table = pa.table({"text": [f"t {n}" for n in range(12)], "label": [str(n / 2) for n in range(12)]})
    task = TaskSet("numbers", table, draws_by(table, NUMBERS), family=NUMBERS)
    with pytest.raises(MetaglotError, match="There is nothing to judge: frozen-proto: prototypes need classes"):
        list(evaluate([task], [proto], Plan((2,), 1, 5, 0)))
    rows = list(evaluate([task], [proto, Prior()], Plan((4,), 2, 5, 0)))
    assert [(row.method, row.kind, row.support, row.metric.name) for row in rows] == [
        ("prior", "regression", 4, "mae")
    ] * 2


def _tagged(texts: Callable[..., tuple[list[str], list[str]]], per_class: int, seed: int) -> TaskSet:
    """Texts with words of one or two classes, which are their labels, and texts of none."""
    first, second = texts(per_class, seed), texts(per_class, seed + 1)
    both = [(a, [x]) for a, x in zip(*first, strict=True)]
    both += [(f"{a} {b}", [x, y]) for a, x, b, y in zip(*first, *(one[1:] for one in second), strict=False)]
    both += [("the one near some", [])] * per_class
    table = pa.table({"text": [text for text, _ in both], "label": ["|".join(own) or None for _, own in both]})
    return TaskSet("tagged", table, draws_by(table, LABELS), family=LABELS)


def test_every_method_beats_the_floor_on_labels(
    model: Model, texts: Callable[..., tuple[list[str], list[str]]]
) -> None:
    task = _tagged(texts, 20, 0)
    quick = FineTune(model.encoder, by_shot={1: FineTuneSettings(5e-3, 30)})
    methods = [Prior(), Tfidf(), quick, *baselines(["frozen-lr", "knn"], model), *ours(model, ["instant"])]
    rows = list(evaluate([task], methods, Plan((8,), 1, 40, 0)))
    score = {row.method: row.score for row in rows}
    assert min(score[name] for name in ("tfidf", "finetune")) > score["prior"] + 0.1
    assert min(score["frozen-lr"], score["ours-instant"]) > score["prior"]
    assert all(row.bins for row in rows)


def test_fine_tuning_learns_numbers_by_the_loss_of_the_kind(
    model: Model, texts: Callable[..., tuple[list[str], list[str]]]
) -> None:
    support, labels = texts(6)
    unseen, truth = texts(15, seed=1)
    number = {"fruit": 10.0, "tool": 20.0, "beast": 60.0}
    method = FineTune(model.encoder, by_shot={1: FineTuneSettings(5e-3, 60)}, batch_size=9)
    examples = Examples.of(support, [number[label] for label in labels])
    before = model.fingerprint()
    found = method.fit(examples, NUMBERS, shot=18, seed=0).predict(Inputs.of(unseen))
    floor = Prior().fit(examples, NUMBERS, shot=18, seed=0).predict(Inputs.of(unseen))
    asked = [number[label] for label in truth]
    assert NUMBERS.score(found, asked).metrics["mae"] < 0.5 * NUMBERS.score(floor, asked).metrics["mae"]
    assert model.fingerprint() == before


def test_fine_tuning_takes_what_is_tuned_for_the_kind(model: Model) -> None:
    one, two, three = ({8: FineTuneSettings(rate, 1)} for rate in (1e-3, 2e-3, 3e-3))
    method = FineTune(model.encoder, by_shot=one, labels_by_shot=two, numbers_by_shot=three)
    assert [method.table_for(family) for family in (CLASSES, LABELS, NUMBERS)] == [one, two, three]
    plain = FineTune(model.encoder, by_shot=one)
    assert [plain.table_for(family) for family in (CLASSES, LABELS, NUMBERS)] == [one] * 3
    assert "labels_by_shot" not in plain.settings
    assert method.settings["numbers_by_shot"] == {"8": [3e-3, 1]}
    (begun,) = baselines(["finetune"], model)
    assert isinstance(begun, FineTune)
    assert begun.labels_by_shot == LABELS_BY_SHOT
    assert begun.numbers_by_shot == NUMBERS_BY_SHOT
    for family, table in ((LABELS, LABELS_BY_SHOT), (NUMBERS, NUMBERS_BY_SHOT)):
        steps = table[max(k for k in table if k <= 8)].steps
        work = work_of(begun, shot=8, classes=4, queries=10, family=family)
        assert work.trained == pytest.approx(steps * 32)


def test_an_unknown_kind() -> None:
    with pytest.raises(MetaglotError, match="unknown task 'spans'; choose from classification, multilabel"):
        family_called("spans")
