"""Lists and objects in cells: what pandas writes of lists, sets, arrays and objects is what it was, in every kind."""

import numpy as np
import pandas as pd
import pytest

from metaglot.data.label_lists import labels_in, read_values
from metaglot.data.literals import literal
from metaglot.data.readers import read_table
from metaglot.data.task_kind import cells_of
from metaglot.errors import MetaglotError

WORDS = ["it's", 'a "b"', "New York", "x", "\\n", "O"]
VALUES = [
    *(WORDS, WORDS[:1], [], {"a", "b"}, frozenset({"a"}), ("a", "b"), [0, 3, "PER"], {"text": ["a"], "start": [1]}),
    *([["a"], ["b", "c"]], set[str](), frozenset[str]()),
]


@pytest.mark.parametrize("value", VALUES)
def test_a_value_of_python_is_read_as_it_was(value):
    found = literal(str(value))
    assert found == value
    assert isinstance(found, set | list | tuple | dict)


@pytest.mark.parametrize(
    "value", [np.array(WORDS, object), np.array(WORDS), np.arange(40), np.array([["a", "b"], ["c", "d"]])]
)
def test_an_array_of_numpy_is_read_as_its_list(value):
    assert literal(str(value)) == value.tolist()
    assert literal(str({"text": value[:2]})) == {"text": value[:2].tolist()}


@pytest.mark.parametrize(
    "text",
    [
        "[a](PER)",
        "(see below)",
        "{name} is",
        "[",
        "['a'",
        "[__import__('os')]",
        "a",
        "()x",
        "{{name}}",
        "{{1}}",
        "{['a']}",
        "{{}}",
    ],
)
def test_other_texts_stay_as_they_are(text):
    assert literal(text) == text


@pytest.mark.parametrize("text", ["['" + 30_000 * "a\\'", '[{"role": "' + 30_000 * '\\"', "['a\\"])
def test_a_cell_that_was_cut_within_a_string_is_a_text_at_once(text):
    assert literal(text) == text  # a minute if each quote begins a string


def test_what_numpy_cut_short_is_refused_and_not_learnt():
    with pytest.raises(MetaglotError, match="Ellipsis"):
        labels_in("['a' 'b' ... 'y' 'z']", "line 2: label")


def written(tmp_path, task, **columns):
    pd.DataFrame(columns).to_csv(tmp_path / "frame.csv", index=False)
    return read_table(tmp_path / "frame.csv", cells=cells_of(task)).to_pylist()[0]


def test_tokens_of_a_frame_are_not_glued(tmp_path):
    arrays = {"tokens": [np.array(["Ann", "is", "here"], object)], "ner_tags": [np.array(["B-PER", "O", "O"], object)]}
    row = written(tmp_path, "tagging", **arrays)
    assert row["text"] == "Ann is here"
    assert '"end": 3, "label": "PER"' in row["label"]


@pytest.mark.parametrize("labels", [np.array(["a", "b"], object), {"a", "b"}, frozenset({"a", "b"}), ("a", "b")])
def test_several_labels_of_a_frame_are_several(tmp_path, labels):
    assert labels_in(written(tmp_path, "multilabel", text=["t"], label=[labels])["label"], "") == {"a", "b"}


def test_answers_candidates_and_chats_of_a_frame(tmp_path):
    answers = {"text": np.array(["Ann"], object), "answer_start": np.array([0], np.int32)}
    row = written(tmp_path, "question-answering", question=["Who?"], context=["Ann is"], answers=[answers])
    assert '"start": 0' in row["label"]
    options = np.array(["yes", "no, never"], object)
    row = written(tmp_path, "choice", question=["q"], options=[options], answer=[1])
    assert (row["text_pair"], row["label"]) == ('["yes", "no, never"]', "1")
    chat = np.array([{"role": "user", "content": "hi"}, {"role": "assistant", "content": "it's"}], object)
    row = written(tmp_path, "generation", messages=[chat])
    assert (row["text"], row["label"]) == ("hi", "it's")


def test_strings_in_python_that_a_file_would_read_as_several_labels_are_noted():
    assert read_values([{"a"}, "b", ["a|b"]], str)[1] == []
    assert "2 labels are one string each, such as 'a|b'" in read_values(["a|b", "['a', 'b']", {"c"}], str)[1][0]


def test_a_span_is_not_taken_for_labels():
    for values in ([(0, 3, "PER"), ()], [[0, 3, "PER"], [2, 5, "LOC"]]):
        with pytest.raises(MetaglotError, match=r"row 0 is .* looks like one span"):
            read_values(values, "row {}".format)
    assert read_values([[1, 3, "PER"], ["a"]], str)[0] == [{"1", "3", "PER"}, {"a"}]
