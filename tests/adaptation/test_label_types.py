"""Labels come back as they were given, also from a folder, and what is no list of texts or labels is refused."""

import enum
import json
import warnings

import numpy as np
import pandas as pd
import pytest
import torch

from metaglot import Adapted
from metaglot.errors import MetaglotError

Kind = enum.Enum("Kind", {"A": "billing", "B": "technical"})
TEXTS = ["apple and pear", "plum", "saw", "drill and hammer"]


@pytest.mark.parametrize(
    ("given", "classes"),
    [
        ([3, 3, 11, 11], (3, 11)),
        (torch.tensor([0, 0, 1, 1]), (0, 1)),
        (np.array([1.0, 1.0, 2.0, 2.0]), (1, 2)),
        ([True, True, False, False], (False, True)),
        ([Kind.A, Kind.A, Kind.B, Kind.B], ("billing", "technical")),
        (np.array(["a", "a", "b", "b"]), ("a", "b")),
        ([0.5, 0.5, 1.0, 1.0], (0.5, 1.0)),
    ],
)
def test_labels_keep_their_type(model, tmp_path, given, classes):
    adapted = model.adapt(TEXTS, given, task="classification", effort="instant")
    back = Adapted.load(adapted.save(tmp_path / "saved", keep_examples=True), encoder=model.encoder)
    for one in (adapted, back):
        assert one.labels == classes
        said = one.predict(TEXTS)
        assert set(said) <= set(classes)
        assert [type(label) for label in (*one.labels, *said)] == [type(classes[0])] * (len(classes) + len(said))
        assert one.predict(TEXTS, unknown="none of them")
        assert one.explain(TEXTS[0]).evidence
    assert back.examples == adapted.examples
    assert back.predict(TEXTS) == adapted.predict(TEXTS)


def test_a_folder_of_strings_reads_as_strings(model, tmp_path):
    folder = model.adapt(TEXTS, ["0", "0", "1", "1"], effort="instant").save(tmp_path / "saved")
    assert json.loads((folder / "adapted.json").read_text())["labels"] == ["0", "1"]
    assert Adapted.load(folder, encoder=model.encoder).labels == ("0", "1")


def test_numbers_and_words_for_them(model):
    named = {1: "fruit", 2: "tool"}
    for names in (named, {str(label): words for label, words in named.items()}):
        adapted = model.adapt(TEXTS, [1, 1, 2, 2], effort="instant", names=names)
        assert adapted.provenance["names"] == {"1": "fruit", "2": "tool"}
    assert model.zero_shot([2, 1], names=named).labels == (1, 2)


def test_added_labels_are_of_the_same_kind(model):
    adapted = model.adapt(TEXTS, [0, 0, 1, 1], effort="instant")
    assert adapted.add_examples(["cow"], [1.0]).labels == (0, 1)
    assert adapted.add_examples(["cow"], [np.int64(2)]).labels == (0, 1, 2)
    with pytest.raises(MetaglotError, match="label number 1 is 'x', a string, and the classes so far are numbers"):
        adapted.add_examples(["cow"], ["x"])


def test_twins_become_one_class_with_a_warning(model):
    with pytest.warns(UserWarning, match="are one class: 'th\u00e9'"):
        adapted = model.adapt(TEXTS, ["the\u0301", "th\u00e9", "b", "b\u200b"], effort="instant")
    assert adapted.labels == ("b", "thé")
    assert adapted.counts == (2, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.adapt(TEXTS, ["a", "a", "b", "b"], effort="fast")


@pytest.mark.parametrize(
    ("texts", "labels", "says"),
    [
        (TEXTS, ["a", "a", "b", b"b"], "label number 4 is b'b', of type bytes"),
        (TEXTS, ["a", "a", "b", "nan"], "label number 4 is missing .*'nan'"),
        (TEXTS, np.array([[0], [0], [1], [1]]), r"labels must be a list, got a ndarray of 2 dimensions.*ravel"),
        (TEXTS, {"a", "b", "c", "d"}, "labels must be a list, got a set, which has no order"),
        (set(TEXTS), ["a", "a", "b", "b"], "texts must be a list, got a set, which has no order"),
        (
            pd.DataFrame({"text": TEXTS}),
            ["a"],
            r"texts must be a list, got a DataFrame of 2 dimensions; .*data\['text'\]",
        ),
        ({"text": TEXTS}, ["a"], "texts must be a list, got a dict, which has keys"),
        (b"apple", ["a"], "texts must be a list, got a bytes"),
        (["", " ", "\u00a0", "\n"], ["a", "a", "b", "b"], "all 4 texts are empty, so that nothing can be learnt"),
    ],
)
def test_what_means_nothing_is_refused(model, texts, labels, says):
    with pytest.raises(MetaglotError, match=says):
        model.adapt(texts, labels, effort="instant")


def test_a_class_with_a_fraction_joins_whole_numbers_and_all_come_back(model, tmp_path):
    adapted = model.adapt(TEXTS, [1, 1, 2, 2], effort="instant").add_examples(["a wide plank"], [1.5])
    assert adapted.labels == (1, 2, 1.5)
    again = Adapted.load(adapted.save(tmp_path / "out", keep_examples=True), encoder=model.encoder)
    assert again.labels == adapted.labels
    assert again.examples == adapted.examples
    assert again.predict(TEXTS) == adapted.predict(TEXTS)
