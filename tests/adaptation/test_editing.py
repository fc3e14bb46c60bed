"""Examples are removed, relabelled and added: what comes is as if it was adapted to the others anew."""

import json

import numpy as np
import pytest

from metaglot.adaptation import Adapted
from metaglot.adaptation.editing import edited
from metaglot.data.examples import Examples
from metaglot.errors import MetaglotError


def same(one, afresh, texts, pairs=None):
    order = [afresh.labels.index(label) for label in one.labels]
    assert sorted(order) == list(range(len(afresh.labels)))
    assert one.counts == tuple(afresh.counts[c] for c in order)
    assert one.examples == afresh.examples
    assert one.fit.solver == afresh.fit.solver
    np.testing.assert_allclose(one.predict_proba(texts, pairs), afresh.predict_proba(texts, pairs)[:, order], atol=1e-6)


@pytest.mark.parametrize("effort", ["instant", "fast"])
@pytest.mark.parametrize("names", [True, False, {"fruit": "a sweet plum"}])
def test_it_is_as_adapted_anew(model, sentences, effort, names):
    texts, labels = sentences(4)
    adapted = model.adapt(texts, labels, effort=effort, names=names)
    left = [row for row in range(12) if row not in (1, 5)]
    changed = {**dict(enumerate(labels)), 0: "tool", 7: "metal"}
    both = Adapted(
        edited(adapted.fit, remove=[5, 1], relabel={0: "tool", 7: "metal"}, add=Examples.of(["a saw"], ["tool"]))
    )
    there, given = [*(texts[i] for i in left), "a saw"], [*(changed[i] for i in left), "tool"]
    same(both, model.adapt(there, given, effort=effort, names=names), sentences(3, seed=4)[0])
    without, relabelled = adapted.without([1, 5]), adapted.relabelled({0: "tool"})
    same(
        without,
        model.adapt([texts[i] for i in left], [labels[i] for i in left], effort=effort, names=names),
        texts,
    )
    same(relabelled, model.adapt(texts, ["tool", *labels[1:]], effort=effort, names=names), texts)
    assert adapted.examples.targets == tuple(labels)


def test_a_class_without_examples_goes_and_its_name_with_it(model, sentences):
    texts, labels = sentences(2)
    adapted = model.adapt(texts, labels, effort="instant")
    two = adapted.without([i for i, label in enumerate(labels) if label == "beast"])
    assert two.labels == ("fruit", "tool")
    assert len(two.fit.units.numbers) == 4 + 2
    assert set(two.provenance["names"]) == {"fruit", "tool"}
    same(two, model.adapt(texts[:4], labels[:4], effort="instant"), texts)


def test_pairs_keep_the_part_that_is_read(model, sentences):
    texts, labels = sentences(4)
    adapted = model.adapt(texts[::-1], labels, pairs=texts, effort="instant", reads="second")
    one = adapted.without([0])
    assert one.fit.encoder.reads == one.provenance["reads"] == "second"
    afresh = model.adapt(texts[::-1][1:], labels[1:], pairs=texts[1:], effort="instant", reads="second")
    same(one, afresh, texts, texts)


def test_what_cannot_be(model, sentences, tmp_path):
    texts, labels = sentences(2)
    adapted = model.adapt(texts, labels, effort="instant")
    for call, says in (
        (lambda: adapted.without([6]), "no example number 7: there are 6"),
        (lambda: adapted.without([-1]), "no example number 0"),
        (lambda: adapted.without(range(6)), "no example would be left"),
        (lambda: adapted.without(range(4)), "at least two classes"),
        (lambda: adapted.relabelled({0: ""}), "label number 1 is missing"),
        (lambda: edited(adapted.fit, remove=[1], relabel={1: "tool"}), "number 2 is removed and gets another label"),
        (lambda: edited(adapted.fit, remove=[1], add=Examples.of(["a"], ["tool"], ["b"])), "all be pairs or none"),
    ):
        with pytest.raises(MetaglotError, match=says):
            call()
    loaded = Adapted.load(adapted.save(tmp_path / "out"), encoder=model.encoder)
    with pytest.raises(MetaglotError, match=r"were not kept with it.*--keep-examples"):
        loaded.without([0])


def test_the_command(metaglot, tiny, examples, tmp_path):
    out, more = tmp_path / "m", tmp_path / "more.csv"
    more.write_text("text,label\nwhere is it,lost\n")
    name = "builtin:tiny"
    metaglot("adapt", name, examples, "--out", out, "--effort", "instant", "--keep-examples", "-q")
    before = [json.loads(line) for line in (out / "examples.jsonl").read_text("utf-8").splitlines()]
    done = metaglot("edit", out, "--remove", 2, "--remove", 3, "--relabel", "1=other = thing", "--add", more)
    assert (done.code, done.out) == (0, f"14 examples of 5 classes → {out}\n")
    after = [json.loads(line) for line in (out / "examples.jsonl").read_text("utf-8").splitlines()]
    first = {**before[0], "label": "other = thing"}
    assert after == [first, *before[3:], {"text": "where is it", "label": "lost"}]
    shown = metaglot("edit", out, "--remove", 1, "--out", tmp_path / "two", "--json")
    assert json.loads(shown.out)["examples"] == 13
    assert len((out / "examples.jsonl").read_text("utf-8").splitlines()) == 14
    for given, says in (
        ((), "nothing to do"),
        (("--relabel", "x=y"), "expected ROW=LABEL"),
        (("--relabel", "1="), "each example has a label here; give one (1=LABEL)"),
        (("--relabel", "1=a", "--relabel", "1=b"), "two labels"),
        (("--remove", "15"), "no example number 15: there are 14"),
    ):
        failed = metaglot("edit", out, *given)
        assert (failed.code, says in failed.err) == (2, True), failed.err
    metaglot("adapt", name, examples, "--out", tmp_path / "bare", "--effort", "instant", "-q")
    refused = metaglot("edit", tmp_path / "bare", "--remove", 1)
    assert (refused.code, "were not kept with it" in refused.err) == (2, True)
    assert metaglot("edit", tmp_path / "bare", "--add", more, "-q").code == 0  # closed form needs no texts
