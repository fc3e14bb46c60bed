"""Names of classes: which say something, and what."""

import pytest

from metaglot.data.names import names_of, words_of


@pytest.mark.parametrize(
    ("label", "words"),
    [
        ("card_arrival", "card arrival"),
        ("PlayMusic", "play music"),
        ("talk.politics.misc", "talk politics misc"),
        ("Sci/Tech", "sci tech"),
        ("not-hate", "not hate"),
        ("I-PERSON", "person"),
        ("I-join", "i join"),  # no tag stands before it
        ("体育", "体育"),
        ("спорт", "спорт"),
        ("3", ""),
        ("-1", ""),
        ("a", ""),
        ("x11", ""),
        ("😎", ""),
        ("", ""),
    ],
)
def test_a_label_is_read_aloud(label, words):
    assert words_of(label) == words


def test_labels_that_only_count_have_no_name():
    for labels in (["LABEL_0", "LABEL_1"], ["wiki:P177", "wiki:P22"], ["0", "1"], ["top 10", "top 20"]):
        assert names_of(labels) == ("", "")
    assert names_of(["net", "x11"]) == ("net", "")


def test_words_that_are_given_stand_in_place_of_the_label():
    assert names_of(["1", "-1"], {"1": "positive", "-1": "negative"}) == ("positive", "negative")
    assert names_of(["1", "2"], {"1": "one star", "2": " "}) == ("one star", "")
    assert names_of(["1", "2"], {"1": "grade 1", "2": "grade 2"}) == ("grade 1", "grade 2")


def test_two_labels_with_the_same_words_have_none():
    assert names_of(["not_hate", "not-hate", "hate"]) == ("", "", "hate")
