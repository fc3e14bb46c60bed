"""In which forms examples may be given: lists, columns, iterators; labels that are numbers."""

import numpy as np
import pandas as pd
import pytest
from tests.classes import FAMILY

from metaglot.adaptation.checks import check_examples, check_texts
from metaglot.data.examples import Examples, Inputs
from metaglot.errors import MetaglotError


def test_labels_may_be_numbers(model):
    adapted = model.adapt(["apple", "saw"], [1, 0], effort="instant")
    assert adapted.labels == (0, 1)
    assert adapted.predict(["apple"]) == [1]


def test_checks_return_examples():
    assert check_examples(FAMILY, ("a", "b"), (1, 2), ("c", "d")) == Examples.of(["a", "b"], [1, 2], ["c", "d"])
    assert check_texts((text for text in "ab"), ("c", "d")) == Inputs.of(["a", "b"], ["c", "d"])
    assert check_texts(("a",), None) == Inputs.of(["a"])
    for labels, says in (
        ([["a"], ["b"]], "not one label"),
        (["a", ""], "number 2 is missing"),
        (3, "got int"),
        (["a", pd.NA], "number 2 is missing"),
        (np.ones((2, 2)), "2 dimensions"),
        (["a", float("nan")], "number 2 is missing"),
    ):
        with pytest.raises(MetaglotError, match=says):
            check_examples(FAMILY, ["x", "y"], labels, None)


@pytest.mark.parametrize("effort", [3, True, "slow"])
def test_an_effort_that_is_none(model, sentences, effort):
    with pytest.raises(MetaglotError, match=f"unknown effort {effort!r}; choose from instant"):
        model.adapt(*sentences(2), effort=effort)


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_many_classes_of_two_examples_bring_no_warning(tiny, recwarn, effort):
    classes = [f"{a}{b}" for a in "abcde" for b in "fghij"]
    texts, labels = [f"{word} {i}" for word in classes for i in range(2)], [word for word in classes for _ in range(2)]
    tiny.adapt(texts, labels, effort=effort, names=False)
    assert not [str(one.message) for one in recwarn if "unique classes" in str(one.message)]


def test_a_column_is_read_in_its_order_whatever_its_index(model, sentences):
    texts, labels = sentences(3)
    adapted = model.adapt(pd.Series(texts), pd.Series(labels), effort="instant")
    shuffled = pd.Series(texts).sample(frac=1, random_state=0)
    assert adapted.predict(shuffled) == adapted.predict(list(shuffled))
    assert np.array_equal(adapted.predict_proba(shuffled[1:]), adapted.predict_proba(list(shuffled)[1:]))
    assert np.array_equal(model.embed(shuffled), model.embed(list(shuffled)))
    assert np.array_equal(adapted.in_scope(shuffled), adapted.in_scope(list(shuffled)))
    assert adapted.predict(iter(texts)) == adapted.predict(texts)
