"""Of pairs an adaptation reads the part that the task is about."""

import json

import numpy as np
import pytest
import torch
from tests.classes import FAMILY

from metaglot.adaptation import Adapted, load_model
from metaglot.adaptation.pair_choice import CONFLICTS, ENOUGH, best_of, conflicts_of, gains, nats_of
from metaglot.data.examples import Examples
from metaglot.errors import MetaglotError
from metaglot.families.classes.tools import ClassTools
from metaglot.families.support_units import support_units
from metaglot.models import Runtime

TOOLS = ClassTools()


@pytest.fixture
def kinds(sentences):
    """Return texts, names and labels: the second text tells the class, the first tells nothing."""
    names, labels = sentences(6)
    rng = np.random.default_rng(1)
    texts = [" ".join(rng.permutation(["the", "a", "one", "some", "near"] * 4)) for _ in names]
    return texts, names, labels


@pytest.mark.parametrize("effort", ["instant", "fast", pytest.param("auto", marks=pytest.mark.slow)])
def test_the_part_that_tells_the_class_is_read_alone(model, kinds, effort):
    texts, names, labels = kinds
    gain = gains(nats_of(model.encoder, FAMILY, TOOLS, Examples.of(texts, labels, names)))
    assert gain["second"] > ENOUGH > gain["first"]
    adapted = model.adapt(texts, labels, pairs=names, effort=effort)
    alone = model.adapt(names, labels, effort=effort, names=False)
    assert adapted.provenance["reads"] == "second"
    assert np.array_equal(adapted.predict_proba(texts[::-1], names), alone.predict_proba(names))
    turned = model.adapt(names, labels, pairs=texts, effort=effort)
    assert turned.provenance["reads"] == "first"


def test_it_is_saved_told_and_kept_as_examples_are_added(model, kinds, tmp_path):
    texts, names, labels = kinds
    adapted = model.adapt(texts, labels, pairs=names, effort="instant")
    loaded = Adapted.load(adapted.save(tmp_path / "kinds"))
    assert np.array_equal(loaded.predict_proba(texts, names), adapted.predict_proba(texts, names))
    assert "it reads the second alone" in (tmp_path / "kinds" / "README.md").read_text("utf-8")
    more = loaded.add_examples(["the"], ["beast"], pairs=["one horse"])
    assert more.fit.encoder.reads == "second"
    afresh = model.adapt([*texts, "the"], [*labels, "beast"], pairs=[*names, "one horse"], effort="instant")
    np.testing.assert_allclose(more.predict_proba(texts, names), afresh.predict_proba(texts, names), atol=1e-6)


def test_a_folder_of_an_earlier_version_reads_both(model, kinds, tmp_path):
    texts, names, labels = kinds
    adapted = model.adapt(texts, labels, pairs=names, effort="instant", reads="both")
    file = adapted.save(tmp_path / "kinds") / "adapted.json"
    plain = json.loads(file.read_text("utf-8"))
    del plain["reads"], plain["seal"]
    file.write_text(json.dumps(plain), "utf-8")
    assert np.array_equal(Adapted.load(file.parent).predict_proba(texts, names), adapted.predict_proba(texts, names))


def test_both_stay_where_neither_tells_more(model, kinds):
    texts, names, labels = kinds
    assert model.adapt(texts, labels, pairs=texts[::-1], effort="instant").provenance["reads"] in ("both", "apart")
    one_each = [labels.index(label) for label in sorted(set(labels))]  # nothing can be set aside
    few = model.adapt(*([part[i] for i in one_each] for part in (texts, labels)), pairs=[names[i] for i in one_each])
    assert few.provenance["reads"] == "both"


@pytest.mark.parametrize("swapped", [False, True])
def test_a_part_that_stands_under_both_labels_is_never_read_alone(model, sentences, swapped):
    premises, claims = sentences(3, seed=5)[0][:8], sentences(6, seed=6)[0][:16]
    texts, labels = [*premises, *premises], ["yes"] * 8 + ["no"] * 8
    first, second = (claims, texts) if swapped else (texts, claims)
    adapted = model.adapt(first, labels, pairs=second, effort="instant")
    both = model.adapt(first, labels, pairs=second, effort="instant", reads="both")
    assert conflicts_of(Examples.of(first, labels, second))["second" if swapped else "first"] == 1.0
    chosen = adapted.fit.encoder.reads
    assert chosen in ("both", "apart")
    asked = both if chosen == "both" else model.adapt(first, labels, pairs=second, effort="instant", reads=chosen)
    assert np.array_equal(adapted.predict_proba(first, second), asked.predict_proba(first, second))
    alone = model.adapt(first, labels, pairs=second, effort="instant", reads="second" if swapped else "first")
    np.testing.assert_allclose(alone.predict_proba(first, second), 0.5, atol=1e-6)
    assert (np.abs(both.predict_proba(first, second) - 0.5) > 0.01).mean() > 0.5


def test_a_part_that_tells_nothing_has_no_nats():
    draws = torch.Generator().manual_seed(0)
    same = torch.randn(8, 10, generator=draws).repeat(2, 1)
    assert TOOLS.over_chance(
        support_units(same, torch.arange(16) // 8, is_class_name=False), 2, "cosine"
    ) == pytest.approx(0, abs=1e-6)
    for counts in ((40, 4), (20, 20), (60, 10, 5)):  # the larger class is likelier, which is no merit of a part
        numbers = torch.tensor([c for c, count in enumerate(counts) for _ in range(count)])
        noise = support_units(torch.randn(len(numbers), 10, generator=draws), numbers, is_class_name=False)
        assert TOOLS.over_chance(noise, len(counts), "cosine") < ENOUGH
        told = support_units(
            torch.nn.functional.one_hot(numbers, 10) + 0.1 * noise.features, numbers, is_class_name=False
        )
        share = torch.tensor(counts) / len(numbers)
        entropy = float(-(share * share.log()).sum())
        assert TOOLS.over_chance(told, len(counts), "cosine") == pytest.approx(len(numbers) * entropy, rel=0.25)
    one_each = support_units(torch.randn(2, 10, generator=draws), torch.arange(2), is_class_name=False)
    assert TOOLS.over_chance(one_each, 2, "cosine") == 0.0


def test_the_part_that_is_chosen():
    none = {"first": 0.0, "second": 0.0}
    for nats, conflicts, part in (
        ((-7.0, 0.0, -6.0), none, "both"),  # better than both, and not than chance
        ((-7.0, 0.9, 1.1), none, "second"),
        ((3.0, 3.9, 4.1), none, "second"),
        ((3.0, 5.0, 4.5), none, "first"),
        ((3.0, 9.0, 4.5), {"first": CONFLICTS, "second": 0.0}, "second"),
        ((3.0, 9.0, 3.5), {"first": CONFLICTS, "second": 0.0}, "both"),
    ):
        assert best_of(dict(zip(("both", "first", "second"), nats, strict=True)), conflicts) == part


def test_conflicts_are_those_of_a_part_alone():
    texts, pairs = ["A man.", "a man", "rain", "sun"], ["wet", "dry", "x", "x"]
    assert conflicts_of(Examples.of(texts, ["yes", "no", "yes", "yes"], pairs)) == {"first": 0.5, "second": 0.0}
    assert conflicts_of(Examples.of(texts, ["yes", "yes", "yes", "no"], pairs)) == {"first": 0.0, "second": 0.5}
    whole = {"first": 0.0, "second": 0.0}  # the pair itself stands under two labels: neither part is to blame
    assert conflicts_of(Examples.of(["a", "a", "b"], ["yes", "no", "yes"], ["c", "c", "d"])) == whole


def test_it_can_be_said_and_what_an_algorithm_was_trained_on_stays(model, kinds, make_run):
    texts, names, labels = kinds
    for part in ("both", "first", "second"):
        adapted = model.adapt(texts, labels, pairs=names, effort="instant", reads=part)
        assert adapted.fit.encoder.reads == part
        assert model.encoder.reads is None
    trained = load_model(make_run(), Runtime(precision="fp32", device="cpu"))
    assert trained.adapt(texts, labels, pairs=names, effort="as-trained").fit.encoder.reads is None
    with pytest.raises(MetaglotError, match="expected one of both, first, second, apart"):
        model.adapt(texts, labels, pairs=names, reads="third")
    with pytest.raises(MetaglotError, match="reads='both' has no use without second texts"):
        model.adapt(texts, labels, reads="both")


def test_texts_alone_are_refused_where_the_second_counts(model, kinds, tmp_path):
    texts, names, labels = kinds
    for reads, what in (("second", "the second text"), ("both", "both texts"), ("apart", "both texts")):
        adapted = model.adapt(texts, labels, pairs=names, effort="instant", reads=reads)
        loaded = Adapted.load(adapted.save(tmp_path / reads))
        for one in (adapted, loaded):
            for call in (one.predict, one.predict_proba, one.in_scope, lambda given, one=one: one.explain(given[0])):
                with pytest.raises(MetaglotError, match=f"of which it reads {what}; give `pairs` too"):
                    call(["the horse ran"])
            assert one.predict([]) == []
    first = model.adapt(texts, labels, pairs=names, effort="instant", reads="first")
    assert first.predict(["the horse ran"])
