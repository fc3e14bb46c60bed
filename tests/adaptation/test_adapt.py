"""State and examples become a classifier, at each effort, without touching the model."""

import shutil

import numpy as np
import pytest
import torch

from metaglot.adaptation import EFFORTS, Adapted, Effort, load_model
from metaglot.errors import MetaglotError
from metaglot.models import Runtime

PLAIN = Runtime(precision="fp32", device="cpu")
EFFORT_NAMES = ["instant", "fast", "thorough"]


def same(one, other):
    return one.fit.params.keys() == other.fit.params.keys() and all(
        torch.equal(v, other.fit.params[n]) for n, v in one.fit.params.items()
    )


def test_the_efforts():
    assert list(EFFORTS) == EFFORT_NAMES


@pytest.mark.parametrize("effort", EFFORT_NAMES)
def test_learns_and_predicts(model, sentences, effort):
    texts, labels = sentences(6)
    adapted = model.adapt(texts, labels, effort=effort)
    assert adapted.labels == ("beast", "fruit", "tool")
    assert adapted.counts == (6, 6, 6)
    assert adapted.effort == EFFORTS[effort]
    new, truth = sentences(20, seed=1)
    proba = adapted.predict_proba(new)
    assert proba.shape == (60, 3)
    assert proba.min() >= 0
    assert proba.sum(1) == pytest.approx(np.ones(60), abs=1e-12)
    predicted = adapted.predict(new)
    assert predicted == [adapted.labels[i] for i in proba.argmax(1)]
    # Words that no class shares: a random network is far above chance (1/3) on them.
    assert np.mean([a == b for a, b in zip(predicted, truth, strict=True)]) > 0.6


def test_the_order_of_the_examples_does_not_name_the_labels(model, sentences):
    texts, labels = sentences(3)
    forwards, backwards = (
        model.adapt(t, n, effort="instant") for t, n in ((texts, labels), (texts[::-1], labels[::-1]))
    )
    assert forwards.labels == backwards.labels
    new, _ = sentences(5, seed=1)
    assert forwards.predict_proba(new) == pytest.approx(backwards.predict_proba(new), abs=1e-5)


def test_without_steps_a_prototype_head_is_the_nearest_mean(model, sentences):
    texts, labels = sentences(4)
    new, _ = sentences(5, seed=1)
    adapted = model.adapt(texts, labels, effort=Effort(steps=0))
    features = model.embed(texts)
    means = np.stack(
        [features[[i for i, one in enumerate(labels) if one == label]].mean(0) for label in adapted.labels]
    )
    scores = 10 * model.embed(new) @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T
    expected = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    assert adapted.predict_proba(new) == pytest.approx(expected, abs=1e-5)
    assert adapted.fit.head_only


def test_gradient_steps_move_what_they_may(model, sentences):
    adapted = model.adapt(*sentences(4), effort="fast")
    body = model.encoder.backbone.learner.body()
    moved = [n for n in adapted.fit.params if n.startswith("body.") and not torch.equal(adapted.fit.params[n], body[n])]
    assert len(moved) > 20
    assert not any("embeddings" in name for name in adapted.fit.params)


@pytest.mark.parametrize("effort", EFFORT_NAMES)
def test_same_seed_same_result(model, sentences, effort):
    texts, labels = sentences(8)
    one, two, other = (model.adapt(texts, labels, effort=effort, seed=seed) for seed in (3, 3, 4))
    assert same(one, two)
    rows = len(texts) + len(set(labels))  # examples and names
    assert same(one, other) == (effort == "instant" or EFFORTS[effort].batch_size >= rows), "batches alone are drawn"
    new, _ = sentences(2, seed=1)
    assert np.array_equal(one.predict_proba(new), two.predict_proba(new))


@pytest.mark.parametrize("effort", EFFORT_NAMES)
def test_the_model_stays_as_it_is(model, sentences, effort):
    before = {name: value.clone() for name, value in model.encoder.backbone.learner.body().items()}
    fingerprint, texts = model.fingerprint(), sentences(2)[0]
    features = model.embed(texts)
    model.adapt(*sentences(4), effort=effort).predict(texts)
    after = model.encoder.backbone.learner.body()
    assert all(torch.equal(value, after[name]) for name, value in before.items())
    assert model.fingerprint() == fingerprint
    assert np.array_equal(model.embed(texts), features)
    assert not model.encoder.backbone.learner.module.training


@pytest.mark.parametrize("effort", EFFORT_NAMES)
def test_tiny(tiny, sentences, effort):
    texts, labels = sentences(4)
    adapted = tiny.adapt(texts, labels, effort=effort)
    new, truth = sentences(10, seed=1)
    assert np.mean([a == b for a, b in zip(adapted.predict(new), truth, strict=True)]) > 0.5


def test_no_texts(model, sentences):
    adapted = model.adapt(*sentences(2), effort="instant")
    assert adapted.predict([]) == []
    assert adapted.predict_proba([]).shape == (0, 3)


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_a_class_with_one_example(model, sentences, effort):
    texts, labels = sentences(3)
    adapted = model.adapt([*texts, "apple horse"], [*labels, "rare"], effort=effort)
    assert adapted.labels == ("beast", "fruit", "rare", "tool")
    assert adapted.counts == (3, 3, 1, 3)
    assert np.isfinite(adapted.predict_proba(texts)).all()


STRANGE = {
    "empty": "",
    "blank": " \t\n\u00a0\u2003 ",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈🤷🏽",
    "long": "apple " * 100_000,
    "one long word": "a" * 500_000,
    "control": "\x00\x07\ufeff\u202e",
    "right to left": "مرحبا بالعالم",
    "unknown": "ᚠᛇᚻ 𒀀𒀁",
}


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_strange_texts(model, sentences, effort):
    texts, labels = sentences(2)
    strange = list(STRANGE.values())
    adapted = model.adapt([*texts, *strange], [*labels, *["strange"] * len(strange)], effort=effort)
    proba = adapted.predict_proba(strange)
    assert np.isfinite(proba).all()
    for text, row in zip(strange, proba, strict=True):  # by itself, a batch holds nothing but the strange text
        assert adapted.predict_proba([text])[0] == pytest.approx(row, abs=1e-4)


def test_a_batch_is_no_more_than_its_texts(model, sentences):
    """Predictions do not depend on what else is asked, nor on the order."""
    adapted = model.adapt(*sentences(3), effort="fast")
    new = [*sentences(30, seed=1)[0], "apple " * 50]
    whole = adapted.predict_proba(new)
    assert adapted.predict_proba(new[::-1])[::-1] == pytest.approx(whole, abs=1e-5)
    assert adapted.predict_proba(new[:3]) == pytest.approx(whole[:3], abs=1e-5)


def test_pairs(model, sentences):
    firsts, _ = sentences(4)
    seconds = [*sentences(2, classes=("fruit", "tool"), seed=1)[0], *firsts[4:]]
    labels = ["other"] * 4 + ["same"] * 8
    adapted = model.adapt(firsts, labels, pairs=seconds, effort="fast")
    assert adapted.labels == ("other", "same")
    with_pairs, turned = adapted.predict_proba(firsts, seconds), adapted.predict_proba(firsts, seconds[::-1])
    assert not np.allclose(with_pairs, turned)
    assert adapted.predict(firsts, seconds) == [adapted.labels[i] for i in with_pairs.argmax(1)]


MISTAKES = {
    "one string": (("apple", ["a", "b"]), {}, "got one string"),
    "nothing": (([], []), {}, "no texts"),
    "unequal": ((["apple"], ["a", "b"]), {}, "1 texts but 2 labels"),
    "labels as a string": ((["apple", "saw"], "ab"), {}, "one string; give a list with one label"),
    "one class": ((["apple", "pear"], ["a", "a"]), {}, "all examples have the label 'a'.*at least two classes"),
    "a number": ((["apple", 3], ["a", "b"]), {}, "text number 2 is not a string but int: 3"),
    "none": ((["apple", None], ["a", "b"]), {}, "text number 2 is not a string but NoneType"),
    "a missing label": ((["apple", "saw"], ["a", None]), {}, "label number 2 is missing"),
    "unequal pairs": ((["apple", "saw"], ["a", "b"]), {"pairs": ["x"]}, "2 texts but 1 second texts"),
    "pairs as a string": ((["apple", "saw"], ["a", "b"]), {"pairs": "xy"}, "second texts must be a list"),
    "a pair that is none": (
        (["apple", "saw"], ["a", "b"]),
        {"pairs": ["x", None]},
        "second text number 2 is not a string",
    ),
    "half a character": ((["apple", "\ud83d"], ["a", "b"]), {}, "text number 2 .*surrogate"),
    "unknown effort": (
        (["apple", "saw"], ["a", "b"]),
        {"effort": "quick"},
        "unknown effort 'quick'; choose from instant",
    ),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes(model, kind):
    given, options, said = MISTAKES[kind]
    with pytest.raises(MetaglotError, match=said):
        model.adapt(*given, **options)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ((["apple"], ["x", "y"]), "1 texts but 2"),
        ((["apple"], "x"), "one second text"),
        (("apple", ["x"]), "a list of second texts"),
        ((["apple"], ["x"]), "adapted to single texts"),
        (([3],), "not a string"),
    ],
)
def test_mistakes_in_predicting(model, sentences, given, said):
    adapted = model.adapt(*sentences(2), effort="instant")
    with pytest.raises(MetaglotError, match=said):
        adapted.predict(*given)


def test_one_text_gives_one_label_and_one_row(model, sentences):
    adapted = model.adapt(*sentences(2), effort="instant")
    assert adapted.predict("apple") == adapted.predict(["apple"])[0]
    assert adapted.predict("apple", unknown="none") == adapted.predict(["apple"], unknown="none")[0]
    assert adapted.predict_proba("apple").tolist() == adapted.predict_proba(["apple"])[0].tolist()


def test_second_texts_are_refused_by_what_learnt_single_ones(model, sentences, tmp_path):
    texts, labels = sentences(2)
    single, paired = (model.adapt(texts, labels, pairs=pairs, effort="instant") for pairs in (None, texts))
    again = Adapted.load(single.save(tmp_path / "single"), encoder=model.encoder)
    for one in (single, again, again.add_examples(["pear"], [labels[0]])):
        assert one.fit.paired is False
        with pytest.raises(MetaglotError, match="adapted to single texts"):
            one.predict_proba(["apple"], ["pear"])
    back = Adapted.load(paired.save(tmp_path / "paired"), encoder=model.encoder)
    assert back.fit.paired is True
    assert back.predict("apple", "pear") == paired.predict(["apple"], ["pear"])[0]


def test_an_effort_of_ones_own(model, sentences):
    texts, labels = sentences(3)
    adapted = model.adapt(texts, labels, effort=Effort(steps=2, lr=1e-3, freeze=("embeddings", "layer.0.")))
    assert adapted.effort.steps == 2
    assert {n.split(".")[3] for n in adapted.fit.params if ".layer." in n} == {"1"}


def test_from_a_run(make_run, sentences, model):
    run = make_run(3)
    trained = load_model(run, PLAIN)
    texts, labels = sentences(3)
    assert not np.allclose(trained.embed(texts), model.embed(texts), atol=1e-3)
    assert np.allclose(trained.base().embed(texts), model.embed(texts))
    adapted = trained.adapt(texts, labels, effort="fast")
    assert adapted.provenance["meta_training"]["step"] == "step-3"
    assert adapted.provenance["meta_training"]["data"] == ["made-up"]
    assert trained.max_length == 24
    again = load_model(run, PLAIN).adapt(texts, labels, effort="fast")
    assert same(adapted, again)


def test_the_scale_that_a_run_learnt_is_used(make_run, sentences):
    trained = load_model(make_run(options={"scale": 50.0}), PLAIN)
    soft = trained.base()
    texts, labels = sentences(3)
    head = trained.adapt(texts, labels, effort=Effort(steps=0)).fit.params["head.weight"]
    scale = float(trained.encoder.meta["algorithm.head.log_scale"].exp())
    assert head.norm(dim=1).tolist() == pytest.approx([scale] * 3, rel=1e-5)
    untaught = soft.adapt(texts, labels, effort=Effort(steps=0)).fit.params["head.weight"]
    assert untaught.norm(dim=1).tolist() == pytest.approx([10] * 3)
    assert abs(scale - 50) < 20


def test_a_run_without_a_checkpoint(make_run):
    run = make_run()
    shutil.rmtree(run / "checkpoints")
    with pytest.raises(MetaglotError, match="no checkpoint yet"):
        load_model(run)


def test_representations_are_one_line(model, sentences):
    assert model.backbone is model.encoder.backbone
    texts, labels = sentences(3)
    few = model.adapt(texts, labels, effort="instant")
    many = model.adapt([f"apple {i}" for i in range(40)], [f"class {i}" for i in range(40)], effort="instant")
    for one in (model, few, many):
        assert len(repr(one)) < 600
        assert "\n" not in repr(one)
    assert "labels=('beast', 'fruit', 'tool'), 9 examples, closed form" in repr(few)
    assert "… 35 more" in repr(many)
