"""Pairs of texts in one argument are the same as two lists; a score is what the kind of task says of predictions."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

import metaglot as mg
from metaglot.data.examples import Inputs
from metaglot.data.texts import inputs_of

FIRST = ["apple pear", "plum apple", "hammer saw", "drill saw", "grape pear", "wrench drill"]
SECOND = ["the horse", "a cow", "some goat", "near sheep", "the camel", "one cow"]
LABELS = ["fruit", "fruit", "tool", "tool", "fruit", "tool"]


@pytest.fixture(scope="module")
def pairs() -> mg.Pairs:
    return mg.Pairs(FIRST, SECOND)


@pytest.fixture(scope="module")
def adapted(model: mg.Model, pairs: mg.Pairs) -> mg.Adapted:
    return model.adapt(pairs, LABELS, effort="instant", reads="both")


def test_pairs_are_a_frozen_value_that_can_be_sliced(pairs):
    first, second = list(FIRST), list(SECOND)
    given = mg.Pairs(first, second)
    first[0] = "changed"
    assert given == pairs == mg.Pairs(tuple(FIRST), tuple(SECOND))
    assert hash(given) == hash(pairs)
    assert list(pairs) == list(zip(FIRST, SECOND, strict=True))
    assert pairs[-1] == (FIRST[-1], SECOND[-1])
    assert pairs[1:3] == mg.Pairs(FIRST[1:3], SECOND[1:3])
    assert len(pairs[:0]) == 0
    assert inputs_of(pairs) == Inputs.of(FIRST, SECOND)
    with pytest.raises(AttributeError):
        pairs.first = ()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["a"], ["b", "c"]), "1 first texts but 2 second texts; give one for each"),
        (("a", "b"), r"first texts must be a list of strings, got one string"),
        ((["a"], [3]), "second text number 1 is not a string but int: 3"),
        ((["a", "\ud800"], ["b", "c"]), "first text number 2 holds half a character"),
    ],
)
def test_pairs_of_anything_else_are_refused(arguments, message):
    with pytest.raises(mg.MetaglotError, match=message):
        mg.Pairs(*arguments)


def test_every_function_that_takes_texts_takes_pairs(model, adapted, pairs):
    same = model.adapt(FIRST, LABELS, pairs=SECOND, effort="instant", reads="both")
    assert np.array_equal(adapted.fit.params["head.weight"], same.fit.params["head.weight"])
    assert np.array_equal(model.embed(pairs), model.embed(FIRST, SECOND))
    assert model.cut(pairs) == 0
    methods = ("predict", "predict_proba", "predictions", "embed", "in_scope", "explain_all")
    for name in methods:
        one, two = getattr(adapted, name)(pairs), getattr(same, name)(FIRST, SECOND)
        assert np.array_equal(one.values, two.values) if name == "predictions" else np.all(one == two), name
    assert adapted.score(pairs, LABELS) == same.score(FIRST, LABELS, SECOND)
    more = (
        adapted.add_examples(pairs[:2], ["beast", "beast"]),
        same.add_examples(FIRST[:2], ["beast", "beast"], pairs=SECOND[:2]),
    )
    assert more[0].counts == more[1].counts == (3, 3, 2)
    until = mg.adapt_until(model, pairs, LABELS, goal=0.0)[1], mg.adapt_until(model, FIRST, LABELS, SECOND, goal=0.0)[1]
    assert until[0] == until[1]


def test_the_scikit_learn_classifier_takes_pairs(bert_folder, pairs):
    classifier = mg.FewShotClassifier(str(bert_folder), effort="instant", reads="both")
    columns = np.array([FIRST, SECOND]).T
    ours, theirs = clone(classifier).fit(pairs, LABELS), clone(classifier).fit(columns, LABELS)
    assert np.array_equal(ours.predict_proba(pairs), theirs.predict_proba(columns))
    assert len(cross_val_score(classifier, pairs, LABELS, cv=3, error_score="raise")) == 3


def test_pairs_with_further_second_texts_are_refused(model, adapted, pairs):
    for call in (model.embed, adapted.predict, adapted.in_scope):
        with pytest.raises(mg.MetaglotError, match="second texts were given twice"):
            call(pairs, SECOND)
    with pytest.raises(mg.MetaglotError, match="no texts were given"):
        model.embed(pairs[:0])
    assert adapted.predict(pairs[:0]) == []


def test_a_score_is_what_the_kind_of_task_says_of_the_predictions(model):
    tasks = {
        "classification": (LABELS, ["accuracy", "macro_f1", "ece"]),
        "multilabel": ([{"a"}, {"a", "b"}, {"b"}, set(), {"a"}, {"b"}], ["macro_f1", "micro_f1", "ece"]),
        "regression": ([0.5, 1.0, 3.5, 4.0, 1.5, 4.5], ["mae", "rmse", "spearman", "ndcg5"]),
    }
    for task, (targets, names) in tasks.items():
        adapted = model.adapt(FIRST, targets, task=task, effort="instant")
        scores, predicted = adapted.score(SECOND, targets), adapted.predict(SECOND)
        assert list(scores) == names
        assert all(type(score) is float for score in scores.values())
        if task == "classification":
            assert scores["accuracy"] == np.mean([p == t for p, t in zip(predicted, targets, strict=True)])
        if task == "regression":
            assert scores["mae"] == pytest.approx(np.mean(np.abs(np.subtract(predicted, targets))), abs=1e-12)
        assert adapted.score(SECOND, predicted)[names[0]] == (0.0 if task == "regression" else 1.0)


def test_true_labels_may_be_written_as_before_and_new_ones_count_as_missed(model):
    adapted = model.adapt(FIRST, [1, 1, 0, 0, 1, 0], effort="instant")
    predicted = adapted.predict(FIRST)
    assert adapted.score(FIRST, [float(label) for label in predicted])["accuracy"] == 1.0
    assert adapted.score(FIRST, [*predicted[:3], 7, 7, 7])["accuracy"] == 0.5
    with pytest.raises(mg.MetaglotError, match="6 texts but 2 labels"):
        adapted.score(FIRST, [1, 0])
