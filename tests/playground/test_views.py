"""What is shown of an adaptation: by the family, and by no name of a kind."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import metaglot as mg
from metaglot.errors import MetaglotError
from metaglot.playground import html
from metaglot.playground.pictures import by_head, drawn, map_of, principal
from metaglot.playground.samples import sample
from metaglot.playground.table import examples_of
from metaglot.playground.views import Part, expected_of, labels_of, notes_of, parts_of, shown


@pytest.fixture(scope="module")
def model(tiny):
    return mg.load(tiny)


def adapted(model, name):
    task, examples, _ = examples_of(sample(name, "en").table)
    inputs = examples.inputs
    return model.adapt(inputs.texts, examples.targets, task=task, pairs=inputs.pairs, effort="instant")


def test_a_class_has_bars_reasons_and_a_border(model):
    classifier = adapted(model, "tickets")
    found = shown(classifier, "Why is there a fee?")
    assert found.decided == found.bars[0].name == classifier.predict("Why is there a fee?")
    assert math.isclose(sum(bar.share for bar in found.bars), 1, abs_tol=1e-6)
    assert [one.weight for one in found.reasons] == [
        one.weight for one in classifier.explain("Why is there a fee?", count=4).evidence
    ]
    assert found.in_scope is not None
    assert math.isclose(found.in_scope, float(classifier.in_scope(["Why is there a fee?"])[0]))
    assert labels_of(classifier) == ("billing", "delivery", "technical")
    with pytest.raises(MetaglotError, match="no text"):
        shown(classifier, " ")


def test_marks_of_a_text_and_answers_in_a_passage(model):
    text, passage = "Karl was born in Helsinki.", "The pool closes at nine."
    marked = shown(adapted(model, "names"), text)
    assert "".join(part.text for part in marked.parts) == text
    assert (marked.bars, marked.reasons, marked.in_scope) == ((), (), None)
    with pytest.warns(UserWarning, match="no head of answers"):
        reader = adapted(model, "answers")
    assert "".join(part.text for part in shown(reader, "When?", passage).parts) == passage
    assert "answers" in notes_of(reader)[0]
    assert expected_of(reader) is None
    assert map_of(reader) is None


def test_several_labels_and_numbers(model):
    texts = ["Refund me", "Call now", "Refund now", "Hello there"]
    several = shown(model.adapt(texts, [{"money"}, {"urgent"}, {"money", "urgent"}, set()], effort="instant"), "Refund")
    assert {bar.name for bar in several.bars} == {"money", "urgent"}
    number = shown(model.adapt(texts, [0.5, 2.5, 3.0, 1.0], effort="instant"), "Refund")
    assert number.bars == ()
    assert 0 <= float(number.decided) <= 5


def test_what_is_expected_after_steps_is_that_before_them(model):
    examples = examples_of(sample("moods", "en").table).examples
    texts, labels = examples.inputs.texts, examples.targets
    instant, auto = (
        model.adapt(texts, labels, effort=effort, seconds=0 if effort == "auto" else None)
        for effort in ("instant", "auto")
    )
    stepped = model.adapt(texts, labels, effort=mg.Effort(1, head="blend", names=True))
    assert expected_of(instant) == expected_of(stepped)
    assert expected_of(auto) == auto.expected
    found = expected_of(instant)
    assert found is not None
    assert found.low <= found.accuracy <= found.high


@settings(max_examples=20)
@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4), st.sampled_from("AB")), max_size=5), st.text(max_size=3)
)
def test_parts_are_the_text(lengths, tail):
    text, spans = "", []
    for gap, length, label in lengths:
        text += "x" * gap
        spans.append({"start": len(text), "end": len(text) + length, "label": label})
        text += "y" * length
    parts = parts_of(spans[::-1], text + tail)
    assert "".join(part.text for part in parts) == text + tail
    assert [part.label for part in parts if part.label] == [span["label"] for span in spans]
    assert parts_of({"text": "", "start": -1}, "abc") == (Part("abc"),)


def test_the_two_directions_are_those_of_the_largest_variance():
    points = np.random.default_rng(0).normal(size=(30, 5)) * [0.1, 9, 0.1, 3, 0.1]
    places = principal(points)
    centred = points - points.mean(0)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    for k in (1, 2):
        assert np.allclose(np.abs(places[:, k - 1]), np.abs(centred @ vectors[:, -k]))
    assert np.allclose((places**2).sum(0), values[::-1][:2])
    assert principal(points[:1]).shape == (1, 2)


def test_after_adapting_the_first_direction_is_that_of_the_scores():
    rng = np.random.default_rng(0)
    points, weight = rng.normal(size=(20, 6)), rng.normal(size=(2, 6))
    places = by_head(points, weight)
    scores = points @ (weight[0] - weight[1])
    assert math.isclose(abs(np.corrcoef(places[:, 0], scores)[0, 1]), 1, abs_tol=1e-9)
    many = rng.normal(size=(4, 6))
    across = (points - points.mean(0)) @ (many - many.mean(0)).T
    assert np.allclose(np.abs(by_head(points, many)), np.abs(principal(across)))
    assert np.allclose(by_head(points, np.zeros((2, 3))), principal(points))


def test_the_picture_has_a_mark_for_each_example_and_no_foreign_address(model):
    known = map_of(adapted(model, "tickets"))
    assert known is not None
    svg = drawn(known.after, known, title="After", description="")
    assert svg.count("<title>") == 1 + len(known.texts)
    assert svg.replace("http://www.w3.org/2000/svg", "").count("http") == 0


def test_what_people_write_is_escaped(model):
    evil = "<img src=x onerror=alert(1)>"
    texts = [f"{evil} one", "two", "three", "four"]
    classifier = model.adapt(texts, [evil, evil, "b", "b"], effort="instant")
    page = html.prediction(shown(classifier, texts[0]), "en") + html.maps(map_of(classifier), "en")
    assert "<img" not in page + html.error(evil, "en")
    assert "&lt;img" in page
