"""The scikit-learn estimator: it is one by scikit-learn's own checks, and learns what `Model.adapt` learns."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

from metaglot.adaptation import Model
from metaglot.errors import MetaglotError
from metaglot.sklearn import FewShotClassifier

# Those of scikit-learn's checks that give an estimator no numbers as input.
CHECKS = (
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_set_params",
    "check_valid_tag_types",
)


@pytest.fixture
def few_shot(bert_folder):
    return FewShotClassifier(str(bert_folder), effort="instant")


@pytest.mark.parametrize("check", CHECKS)
def test_the_checks_of_scikit_learn(few_shot, check):
    getattr(estimator_checks, check)("FewShotClassifier", few_shot)


def test_check_estimator_runs(few_shot):
    with pytest.warns(UserWarning, match="requires input"):  # texts: it has no texts to try
        outcome = estimator_checks.check_estimator(few_shot, on_fail=None)
    assert outcome
    assert {one["status"] for one in outcome} == {"passed"}


def test_it_learns_what_adapt_learns(few_shot, sentences):
    texts, labels = sentences(4)
    fitted = few_shot.fit(texts, labels)
    own = Model(fitted.adapted_.fit.encoder).adapt(texts, labels, effort="instant")
    new, truth = sentences(5, seed=1)
    np.testing.assert_array_equal(fitted.predict_proba(new), own.predict_proba(new))
    assert fitted.predict(new).tolist() == own.predict(new)
    assert fitted.score(new, truth) == np.mean(np.array(own.predict(new)) == truth)
    assert fitted.classes_.tolist() == sorted(set(labels))


@pytest.mark.parametrize("kind", [int, float, bool, str])
def test_classes_come_back_as_they_were_given(few_shot, sentences, kind):
    texts, labels = sentences(4, classes=("tool", "fruit"))
    classes = {int: [10, 9], float: [0.0, 1.0], bool: [True, False], str: ["10", "9"]}[kind]
    y = np.array([classes[label == "tool"] for label in labels])
    fitted = few_shot.fit(texts, y)
    assert fitted.classes_.dtype == y.dtype
    assert fitted.classes_.tolist() == sorted(classes)
    found = fitted.predict(texts)
    assert found.dtype == y.dtype
    own = fitted.adapted_
    labels_of = dict(zip([str(label) for label in y.tolist()], y.tolist(), strict=True))
    assert found.tolist() == [labels_of[label] for label in own.predict(texts)]
    best = fitted.predict_proba(texts).max(1)
    np.testing.assert_array_equal(best, own.predict_proba(texts).max(1))


@pytest.mark.parametrize(
    ("y", "what"),
    [
        ([{"a"}, {"b"}], "row 0 of y is {'a'}, several labels, .*task='multilabel'"),
        ([["a", "b"], ["b"]], r"row 0 of y is \['a', 'b'\], several labels"),
        ([["a"], ["b"]], "several labels"),
        (pd.Series([("a",), ()]), r"row 0 of y is \('a',\), several labels"),
        ([1.0, 2.5], "row 1 of y is 2.5, a number with a fraction, .*task='regression'.* as strings"),
        (np.array([0.5, 1.5]), "a number with a fraction"),
    ],
)
def test_labels_of_another_kind_are_refused_with_the_way_out(few_shot, y, what):
    with pytest.raises(ValueError, match=f"Unknown label type: .*{what}") as raised:
        few_shot.fit(["a lamp", "a drill"], y)
    assert isinstance(raised.value, MetaglotError)


def test_pipelines_searches_and_cross_validation(tiny, sentences):
    few_shot = FewShotClassifier("builtin:tiny", effort="instant")
    texts, labels = sentences(6)
    lower = FunctionTransformer(lambda column: [text.lower() for text in column])
    pipeline = make_pipeline(lower, clone(few_shot))
    upper = [text.upper() for text in texts]
    assert pipeline.fit(upper, labels).score(upper, labels) > 0.9
    assert cross_val_score(few_shot, np.array(texts), labels, cv=3).mean() > 0.9
    search = GridSearchCV(few_shot, {"effort": ["instant", "fast"]}, cv=2).fit(texts, labels)
    assert set(search.cv_results_["param_effort"]) == {"instant", "fast"}


def test_columns_of_data_frames_and_pairs(few_shot, sentences):
    texts, labels = sentences(4)
    frame = pd.DataFrame({"text": texts, "label": labels}, index=range(100, 100 + len(texts)))
    by_column = few_shot.fit(frame["text"], frame["label"]).predict(frame[["text"]])
    assert by_column.tolist() == clone(few_shot).fit(texts, labels).predict(texts).tolist()
    first = ["a hammer", "a saw", "an apple", "a pear"] * 2
    pairs = pd.DataFrame({"one": first, "two": [*first[:2], "a cow", "a goat"] * 2})
    fitted = clone(few_shot).set_params(reads="both").fit(pairs, [1, 1, 0, 0] * 2)
    assert (fitted.n_features_in_, fitted.adapted_.fit.encoder.reads) == (2, "both")
    with pytest.raises(ValueError, match="1 columns of texts, and the classifier was fitted to 2"):
        fitted.predict(first)


def test_names_are_given_for_classes_that_say_nothing(few_shot):
    texts, y = ["a hammer", "an apple"], [1, 0]
    words = clone(few_shot).set_params(names={1: "saw", 0: "pear"}).fit(texts, y)
    assert not np.allclose(words.predict_proba(["a pear"]), few_shot.fit(texts, y).predict_proba(["a pear"]))
    with pytest.raises(ValueError, match=r"names: 2 is none of the classes \[0, 1\]"):
        few_shot.set_params(names={2: "cow"}).fit(texts, y)


@pytest.mark.parametrize(
    ("X", "y", "match"),
    [
        ("a text", ["a"], "got str"),
        ([["a", "b", "c"]], ["a"], r"shape \(1, 3\)"),
        (["a", 3], ["a", "b"], "row 1 holds 3 of type int"),
        (["a", None], ["a", "b"], "row 1 holds None"),
        (["a", "b"], None, "y is None"),
        (["a", "b"], ["a", "a"], "two classes or more"),
        (["a", "b"], [0.5, 0.25], "a number with a fraction"),
        (["a", "b", "c"], ["a", "b"], "3 texts but 2 labels"),
        ([], [], "no texts|0 sample"),
    ],
)
def test_what_is_no_text_or_no_class_is_a_value_error(few_shot, X, y, match):
    with pytest.raises(ValueError, match=match):
        few_shot.fit(X, y)


def test_errors_are_of_both_kinds_and_before_fit(few_shot):
    with pytest.raises(NotFittedError):
        few_shot.predict(["a"])
    with pytest.raises(MetaglotError, match="unknown effort"):
        few_shot.set_params(effort="magic").fit(["a", "b"], ["a", "b"])
    with pytest.raises(ValueError, match="unknown effort"):
        few_shot.fit(["a", "b"], ["a", "b"])


TEXTS = ["a fee", "it broke", "a bill", "it fell"]


@pytest.mark.parametrize("gap", [None, np.nan, "", pd.NA], ids=repr)
def test_a_label_that_is_missing_is_named_with_its_row(few_shot, gap):
    with pytest.raises(MetaglotError, match="y: row 1 has no label"):
        few_shot.fit(TEXTS, pd.Series(["a", gap, "a", "b"], dtype=object))


def test_white_space_around_a_label_stays_in_what_is_predicted(few_shot):
    assert set(few_shot.fit(TEXTS, ["money ", "tech", "money ", "tech"]).predict(TEXTS)) <= {"money ", "tech"}
    with pytest.raises(MetaglotError, match="two classes are both written 'money'"):
        few_shot.fit(TEXTS, ["money ", "tech", "money", "tech"])
