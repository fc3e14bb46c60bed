"""What a prediction depends on is a typed field of `Fit`: its record is never read; earlier files are translated."""

import json
from dataclasses import replace

import numpy as np
import pytest

from metaglot.adaptation import Adapted, Model
from metaglot.errors import MetaglotError

WORDS = {"fruit": "apple", "tool": "saw", "beast": "goat"}


def every(adapted, texts, pairs=None):
    """Return all that an adaptation says of texts."""
    more = adapted.add_examples(texts[:2], adapted.labels[:2], pairs=None if pairs is None else pairs[:2])
    fewer = adapted.without([0, 5])
    found = [one.predict_proba(texts, pairs) for one in (adapted, more, fewer)]
    return found, [repr(why) for why in adapted.explain_all(texts[:4], None if pairs is None else pairs[:4])]


def same(one, other):
    assert all(map(np.array_equal, one[0], other[0]))
    assert one[1] == other[1]


def earlier(folder):
    """Rewrite what a folder holds as format 2 had it, in its earliest form."""
    file = folder / "adapted.json"
    plain = json.loads(file.read_text("utf-8"))
    for name in ("family", "class_names", "choice", "reads", "paired", "seal", "weights_sha256"):
        del plain[name]
    file.write_text(json.dumps({**plain, "format": 2}), "utf-8")


@pytest.mark.parametrize("effort", ["instant", pytest.param("fast", marks=pytest.mark.slow)])
@pytest.mark.parametrize("names", [True, False, WORDS])
def test_the_record_is_not_read(model, sentences, effort, names):
    texts, labels = sentences(3)
    adapted = model.adapt(texts, labels, effort=effort, names=names)
    bare = Adapted(replace(adapted.fit, provenance={}))
    same(every(adapted, texts), every(bare, texts))


def test_the_record_of_a_run_is_not_read(make_run, sentences):
    from metaglot.adaptation import load_model

    texts, labels = sentences(3)
    trained = load_model(make_run(options={"metric": "euclidean"}))
    assert trained.encoder.metric == "euclidean"
    bare = Model(replace(trained.encoder, provenance={}))
    for effort in ("instant", "as-trained"):
        one, other = (each.adapt(texts, labels, effort=effort).predict_proba(texts) for each in (trained, bare))
        assert np.array_equal(one, other)


@pytest.mark.parametrize("names", [True, False, WORDS])
def test_words_of_classes_that_format_2_kept_in_the_record(model, sentences, tmp_path, names):
    texts, labels = sentences(3)
    adapted = model.adapt(texts, labels, effort="instant", names=names)
    earlier(adapted.save(tmp_path / "out", keep_examples=True))
    loaded = Adapted.load(tmp_path / "out", encoder=model.encoder)
    assert loaded.fit.class_names == adapted.fit.class_names
    same(every(adapted, texts), every(loaded, texts))


@pytest.mark.parametrize("part", ["both", "first", "second"])
def test_the_part_of_pairs_that_format_2_kept_in_the_record(model, sentences, tmp_path, part):
    texts, labels = sentences(3)
    adapted = model.adapt(texts, labels, pairs=texts[::-1], effort="instant", reads=part)
    earlier(adapted.save(tmp_path / "out", keep_examples=True))
    loaded = Adapted.load(tmp_path / "out", encoder=model.encoder)
    assert (loaded.fit.pair_choice, loaded.fit.paired) == (part, True)
    same(every(adapted, texts, texts[::-1]), every(loaded, texts, texts[::-1]))
    if part != "first":
        with pytest.raises(MetaglotError, match="adapted to pairs"):
            loaded.predict(texts)


def test_the_choice_of_auto_that_format_2_kept_in_the_record(model, sentences, tmp_path):
    texts, labels = sentences(2)
    adapted = model.adapt(texts, labels, effort="auto")
    folder = adapted.save(tmp_path / "out")
    card = (folder / "README.md").read_text("utf-8")
    earlier(folder)
    loaded = Adapted.load(folder, encoder=model.encoder)
    assert loaded.fit.choice == adapted.fit.choice
    assert (loaded.save(tmp_path / "again") / "README.md").read_text("utf-8") == card


def test_words_of_whole_numbers_outlive_an_edit(model, sentences):
    texts, labels = sentences(3)
    numbers = [sorted(WORDS).index(label) for label in labels]
    names = {number: WORDS[label] for number, label in enumerate(sorted(WORDS))}
    edited = model.adapt(texts, numbers, effort="instant", names=names).without([0])
    anew = model.adapt(texts[1:], numbers[1:], effort="instant", names=names)
    np.testing.assert_allclose(edited.predict_proba(texts), anew.predict_proba(texts), atol=1e-6)
