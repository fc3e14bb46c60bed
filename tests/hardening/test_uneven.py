"""Examples as they come: nine to one, a fifth of the labels wrong, a class with one example.

The set is made up: each class has words of its own among common ones, so that a classifier that works is nearly
always right on clean examples (`test_clean_examples_are_told_apart` says so).
"""

import json

import numpy as np
import pytest

from metaglot.adaptation import load_model
from metaglot.models import Runtime

WORDS = {
    "billing": ["invoice", "refund", "payment", "receipt", "charge", "bank"],
    "delivery": ["parcel", "courier", "shipping", "package", "truck", "tracking"],
    "technical": ["crash", "error", "bug", "screen", "login", "password"],
}
COMMON = ["the", "my", "a", "please", "about", "today", "again", "and"]
EFFORTS = pytest.mark.parametrize("effort", ["instant", "fast"])


def made(counts: dict[str, int], *, seed: int, noise: float = 0.0) -> tuple[list[str], list[str]]:
    """Return texts and labels, so many of each class; a share `noise` of the labels is another class's."""
    rng = np.random.default_rng(seed)
    truth = [label for label, count in counts.items() for _ in range(count)]
    texts = [" ".join(rng.permutation([*rng.choice(COMMON, 2), *rng.choice(WORDS[label], 2)])) for label in truth]
    labels = list(truth)
    for i in rng.permutation(len(labels))[: round(noise * len(labels))]:
        labels[i] = str(rng.choice([label for label in counts if label != truth[i]]))
    return texts, labels


TEST = made(dict.fromkeys(WORDS, 20), seed=99)


@pytest.fixture(scope="module")
def model(tiny):
    return load_model(tiny, Runtime(precision="fp32", device="cpu"))


def judged(model, texts, labels, effort) -> tuple[float, dict[str, float]]:
    """Return accuracy and the recall of each class that the examples name, on texts of these classes."""
    adapted = model.adapt(texts, labels, effort=effort, seed=0)
    queries = [(text, label) for text, label in zip(*TEST, strict=True) if label in adapted.labels]
    predicted = adapted.predict([text for text, _ in queries])
    right = [(label, label == guess) for (_, label), guess in zip(queries, predicted, strict=True)]
    recall = {name: float(np.mean([ok for label, ok in right if label == name])) for name in adapted.labels}
    return float(np.mean([ok for _, ok in right])), recall


@EFFORTS
def test_clean_examples_are_told_apart(model, effort):
    accuracy, recall = judged(model, *made(dict.fromkeys(WORDS, 8), seed=1), effort)
    assert accuracy > 0.8
    assert min(recall.values()) > 0.6


@EFFORTS
def test_nine_to_one(model, effort):
    """Chance is a half; a classifier that always says the large class never finds the rare one."""
    accuracy, recall = judged(model, *made({"billing": 36, "delivery": 4}, seed=2), effort)
    assert accuracy > 0.75
    assert recall["delivery"] > 0.5


@EFFORTS
def test_a_fifth_of_the_labels_wrong(model, effort):
    """Chance is a third."""
    accuracy, recall = judged(model, *made(dict.fromkeys(WORDS, 15), seed=3, noise=0.2), effort)
    assert accuracy > 0.6
    assert min(recall.values()) > 0.3


@EFFORTS
def test_a_class_with_one_example(model, effort):
    accuracy, recall = judged(model, *made({"billing": 8, "delivery": 8, "technical": 1}, seed=4), effort)
    assert accuracy > 0.5
    assert recall["technical"] > 0


def write(path, texts, labels):
    path.write_text("".join(json.dumps({"text": t, "label": y}) + "\n" for t, y in zip(texts, labels, strict=True)))
    return path


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        ({"billing": 9, "delivery": 1}, ["only one example of 'delivery'", "9 examples of 'billing', 1 of 'delivery'"]),
        ({"billing": 18, "delivery": 2}, ["classes of unlike size: 18 examples of 'billing', 2 of 'delivery'"]),
        ({"billing": 3, "delivery": 2}, []),
        ({"billing": 1, "delivery": 1}, []),
    ],
)
def test_adapt_says_what_is_odd(handled, tiny, tmp_path, counts, said):
    file = write(tmp_path / "a.jsonl", *made(counts, seed=5))
    arguments = ("adapt", tiny, file, "--out", tmp_path / "m", "--effort", "instant", "--force")
    notes = [line for line in handled(*arguments, code=0).err.splitlines() if line.startswith("note: ")]
    assert len(notes) == len(said)
    assert all(any(part in note for note in notes) for part in said)
    assert "note: " not in handled(*arguments, "--quiet", code=0).err


def test_texts_under_several_labels_and_empty_ones(handled, tiny, tmp_path):
    texts = ["Where is it?", "where is it", " ", "the invoice"]
    file = write(tmp_path / "a.jsonl", texts, ["delivery", "billing", "billing", "billing"])
    err = handled("adapt", tiny, file, "--out", tmp_path / "m", "--effort", "instant", code=0).err
    assert "1 texts appear under several labels, such as examples 1 ('delivery') and 2 ('billing')" in err
    assert "1 texts are empty, such as example 3" in err


def test_evaluate_copes_with_a_rare_class(handled, tiny, tmp_path):
    """Half of the rare class is kept for the test; the other half is learnt from, and the note says so."""
    file = write(tmp_path / "uneven.jsonl", *made({"billing": 36, "delivery": 4}, seed=6))
    arguments = ("--shots", 8, "--draws", 2, "--efforts", "instant", "--against", "tfidf", "--out", tmp_path / "r")
    said = handled("evaluate", tiny, file, *arguments, code=0)
    assert "uneven: fewer than 8 examples are left for 8 shots" in said.err
    assert "'delivery' (2)" in said.err
    rows = [json.loads(line) for line in (tmp_path / "r" / "results.jsonl").read_text().splitlines()]
    assert {row["support"] for row in rows} == {10}
    assert all(row["metrics"]["macro_f1"] > 0.5 for row in rows if row["method"] == "ours-instant")
