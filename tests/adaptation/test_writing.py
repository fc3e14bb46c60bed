"""Texts that are written: adapting, writing, more examples, edits, saving and loading, on a tiny decoder."""

import json
import math

import numpy as np
import pytest
import torch
from tests.writers import SOURCES, TARGETS, decoder_folder

import metaglot as mg
from metaglot.adaptation.alike import nearest
from metaglot.adaptation.continuing import chance_of, continued
from metaglot.adaptation.crossval import joined
from metaglot.adaptation.goal import fit_until
from metaglot.adaptation.prefix_start import prefix_start
from metaglot.adaptation.support import Support
from metaglot.adaptation.writing import loss_of, shown_examples
from metaglot.data.examples import Examples, Inputs
from metaglot.decoding import Continuations
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called

TASK = "generation"
FEW = mg.Effort(2, 1e-3, 1e-3, 4, lora=2)
FOUR, SIX = mg.Decoding(4, ends=(1,)), mg.Decoding(6, ends=(1,))


@pytest.fixture(scope="module")
def writer(tmp_path_factory):
    return mg.load(decoder_folder(tmp_path_factory.mktemp("writer") / "model"), precision="fp32")


@pytest.fixture(scope="module")
def learnt(writer):
    """All parameters moved by so many steps that the task is known by heart."""
    return writer.adapt(SOURCES, TARGETS, task=TASK, effort=mg.Effort(150, 5e-3, 5e-3, 12))


def test_steps_teach_what_is_written(learnt):
    assert learnt.predict(SOURCES) == TARGETS
    scores = learnt.score(SOURCES, TARGETS)
    assert (scores["chrf"], scores["exact_match"]) == (1.0, 1.0)
    fit = learnt.fit
    loss = loss_of(fit.encoder, fit.params, fit.family, fit.family.writes, fit.schema, fit.examples, [[]] * 12)
    assert scores["perplexity"] == pytest.approx(math.exp(loss))
    assert scores["perplexity"] < 1.3
    found = learnt.predictions(SOURCES[:2])
    assert found.values.shape == (2, 1)
    assert (found.values > 0.8).all()


def test_few_steps_move_lora_alone_and_the_folder_is_small_and_comes_back(writer, tmp_path):
    adapted = writer.adapt(SOURCES, TARGETS, task=TASK)
    assert adapted.effort == mg.Effort(20, 1e-3, 1e-3, 8, lora=8)
    assert all(name.startswith("lora.") for name in adapted.fit.params)
    assert not adapted.fit.head_only
    folder = adapted.save(tmp_path / "out")
    assert sum(file.stat().st_size for file in folder.iterdir()) < 4_000_000
    back = mg.load(folder)
    assert back.examples == adapted.examples
    assert back.fit.schema == adapted.fit.schema
    mine, theirs = adapted.predictions(SOURCES[:3]), back.predictions(SOURCES[:3])
    assert mine.targets == theirs.targets
    assert np.array_equal(mine.values, theirs.values)
    assert back.add_examples(["new saw"], ["SAW"]).fit.count == 13
    again = writer.adapt(SOURCES, TARGETS, task=TASK)
    assert all(torch.equal(again.fit.params[name], value) for name, value in adapted.fit.params.items())


def test_the_loss_falls_and_named_layers_move_where_they_are_asked_for(writer):
    effort = mg.Effort(40, 1e-2, 1e-2, 12, layers=("*h.1.*",))
    adapted = writer.adapt(SOURCES, TARGETS, task=TASK, effort=effort)
    assert adapted.fit.params
    assert all(".h.1." in name for name in adapted.fit.params)
    family, fit = adapted.fit.family, adapted.fit
    args = (family, family.writes, fit.schema, fit.examples, [[]] * 12)
    assert loss_of(fit.encoder, fit.params, *args) < 0.9 * loss_of(fit.encoder, {}, *args)
    with pytest.raises(MetaglotError, match="give one of them"):
        writer.adapt(SOURCES, TARGETS, task=TASK, effort=mg.Effort(2, lora=2, layers=("*",)))


def test_without_steps_the_nearest_examples_stand_in_the_prompt(writer, tmp_path, monkeypatch):
    adapted = writer.adapt(SOURCES, TARGETS, task=TASK, effort="instant")
    assert adapted.fit.params == {}
    seen = []
    monkeypatch.setattr(
        "metaglot.adaptation.continuing.continued",
        lambda encoder, params, prompts, decoding, *_: (
            seen.extend(prompts),
            Continuations(((5, decoding.ends[0]),) * len(prompts), 0.0, ((-1.0, -1.0),)),
        )[1],
    )
    nearest_three = writer.adapt(SOURCES, TARGETS, task=TASK, effort=mg.Effort(0, shown=3))
    nearest_three.predict("red saw now", max_new_tokens=4)
    text = writer.backbone.tokenizer.decode(seen[0])
    assert text.endswith("red saw\n=> SAW\n\nred saw now\n=>")
    folder = adapted.save(tmp_path / "out")
    assert len(mg.load(folder).examples) == 12
    assert mg.load(folder).add_examples(["blue saw now"], ["SAW"]).fit.count == 13
    with pytest.raises(MetaglotError, match="they must be kept"):
        adapted.save(tmp_path / "none", keep_examples=False)
    (folder / "examples.jsonl").unlink()
    with pytest.raises(MetaglotError, match="loaded without them"):
        mg.load(folder).predict("red saw")


def test_the_probability_is_that_of_the_written_tokens(writer):
    found = continued(writer.encoder, {}, [[5, 6, 7], [9, 8]], FOUR)
    for prompt, tokens, likelihoods in zip([[5, 6, 7], [9, 8]], found.tokens, found.likelihoods, strict=True):
        logits = writer.backbone.learner.module(torch.tensor([[*prompt, *tokens]])).logits[0].log_softmax(-1)
        exact = [float(logits[len(prompt) - 1 + place, token]) for place, token in enumerate(tokens)]
        assert list(likelihoods) == pytest.approx(exact, rel=1e-4)
        assert chance_of(likelihoods) == pytest.approx(math.exp(sum(exact) / len(exact)), rel=1e-4)
    assert chance_of([]) == 0.0


def test_prompts_of_unlike_lengths_are_continued_as_each_alone(writer):
    prompts = [[5, 6, 7, 8], [9], [20, 21]]
    together = continued(writer.encoder, {}, prompts, SIX)
    assert list(together.tokens) == [continued(writer.encoder, {}, [prompt], SIX).tokens[0] for prompt in prompts]


@pytest.mark.slow
def test_auto_takes_what_examples_set_aside_lose_least_by(writer):
    adapted = writer.adapt(SOURCES, TARGETS, task=TASK, effort="auto", seconds=1000)
    assert adapted.fit.choice is not None
    assert "3 examples set aside" in adapted.fit.choice.reason
    assert adapted.effort in (mg.Effort(60, 1e-3, 1e-3, 8, lora=8), mg.Effort(20, 1e-3, 1e-3, 8, lora=8))
    few = writer.adapt(SOURCES[:3], TARGETS[:3], task=TASK, effort="auto")
    assert (few.effort.steps, few.effort.shown) == (0, 16)
    assert "fewer than 4 examples" in few.fit.choice.reason
    short = writer.adapt(SOURCES, TARGETS, task=TASK, effort="auto", seconds=0)
    assert (short.effort.steps, "over 0 s" in short.fit.choice.reason) == (0, True)


def test_examples_are_added_taken_out_and_replaced_as_if_adapted_anew(writer):
    whole = writer.adapt(SOURCES, TARGETS, task=TASK, effort=FEW)
    first = writer.adapt(SOURCES[:9], TARGETS[:9], task=TASK, effort=FEW)
    added, less = first.add_examples(SOURCES[9:], TARGETS[9:]), whole.without([9, 10, 11])
    other = writer.adapt(SOURCES, ["x", *TARGETS[1:]], task=TASK, effort=FEW)
    for one, same in ((added, whole), (less, first), (whole.relabelled({0: "x"}), other)):
        assert one.examples == same.examples
        assert one.fit.schema == same.fit.schema
        assert all(torch.equal(one.fit.params[name], value) for name, value in same.fit.params.items())


def test_a_goal_is_met_by_examples_set_aside(writer):
    fit, score = fit_until(writer.encoder, family_called(TASK), Examples.of(SOURCES, TARGETS), goal=0.0)
    assert (fit.effort.shown, score >= 0) == (16, True)
    assert len(joined([fit.predict(Inputs(("red saw",)))], ("text",)).targets) == 1


def test_what_has_no_use_says_so(writer, model, learnt):
    for call in (learnt.explain_all, learnt.in_scope, lambda texts: learnt.predict(texts, unknown="none")):
        with pytest.raises(MetaglotError, match=f"classes alone; this is a task of {TASK}"):
            call(SOURCES)
    with pytest.raises(MetaglotError, match="no probabilities of outputs"):
        learnt.predict_proba(SOURCES)
    with pytest.raises(MetaglotError, match="no features decide"):
        learnt.predictions_of_features(np.zeros((1, 32)))
    with pytest.raises(MetaglotError, match="reads texts and writes none"):
        model.adapt(SOURCES, TARGETS, task=TASK)
    with pytest.raises(MetaglotError, match="max_new_tokens has no use"):
        model.adapt(SOURCES[:4], ["a", "b", "a", "b"], effort="instant").predict(SOURCES, max_new_tokens=3)
    with pytest.raises(MetaglotError, match="nothing of a text would be read"):
        learnt.predict("red saw", max_new_tokens=64)
    with pytest.raises(MetaglotError, match="label number 2 is missing"):
        writer.adapt(SOURCES[:2], ["a", " "], task=TASK)
    with pytest.raises(MetaglotError, match="names has words"):
        writer.adapt(SOURCES, TARGETS, task=TASK, names={"text": "x"})
    assert learnt.expected is None


def test_a_damaged_folder_is_refused(writer, tmp_path):
    folder = writer.adapt(SOURCES, TARGETS, task=TASK, effort=FEW).save(tmp_path / "out")
    plain = json.loads((folder / "adapted.json").read_text())
    (folder / "adapted.json").write_text(json.dumps({**plain, "levels": []}))
    with pytest.raises(MetaglotError, match="damaged"):
        mg.load(folder)


def test_the_nearest_texts_share_most_letters(monkeypatch):
    assert nearest(["red saw", ""], ["blue cap", "red saws", "old saw"], 2) == [[1, 2], [0, 1]]
    assert nearest(["a"], [], 2) == [[]]
    assert nearest(["a"], ["", " "], 1) == [[0]]
    whole = nearest(SOURCES, SOURCES[:5], 3)
    monkeypatch.setattr("metaglot.adaptation.alike.AT_ONCE", 12)  # two texts at a time
    assert nearest(SOURCES, SOURCES[:5], 3) == whole


def test_a_text_is_written_as_it_is_asked_for(learnt, writer):
    fit, inputs = learnt.fit, Inputs(tuple(SOURCES[:3]))
    plain = fit.write(inputs)
    assert plain.texts == TARGETS[:3]
    assert plain.chances == pytest.approx(
        [math.exp(a / b) for a, b in zip(plain.likelihoods, plain.tokens, strict=True)]
    )
    beams = fit.write(inputs, decoding=mg.Decoding(beams=3))
    assert beams.texts == TARGETS[:3]
    assert beams.likelihoods == pytest.approx(plain.likelihoods, abs=1e-3)
    assert learnt.predict("red saw", decoding=mg.Decoding(stop=("W",))) == "SA"
    assert learnt.predict("red saw", decoding=mg.Decoding(max_new_tokens=3)) == "SA"
    raw = writer.adapt(SOURCES, TARGETS, task=TASK, effort="instant")
    draws = [raw.predict(SOURCES[:4], decoding=mg.Decoding(5, seed=seed)) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert all(0 < value[0] < 1 for value in raw.predictions(SOURCES[:4], decoding=mg.Decoding(5, seed=1)).values)
    with pytest.raises(MetaglotError, match="give it once"):
        learnt.predict("red saw", max_new_tokens=2, decoding=mg.Decoding(3))
    with pytest.raises(MetaglotError, match=r"expected mg\.Decoding"):
        learnt.predict("red saw", decoding={"beams": 2})
    words = writer.adapt(SOURCES, TARGETS, task=TASK, effort="words")
    with pytest.raises(MetaglotError, match="decoding has no use: the effort words"):
        words.predict("red saw", decoding=mg.Decoding(beams=2))


def test_what_is_written_at_most_follows_the_tokens_of_the_examples(writer, tmp_path):
    adapted = writer.adapt(SOURCES, ["é" * 4, *TARGETS[1:]], task=TASK, effort=FEW)
    reading = adapted.fit.reading()
    assert adapted.fit.longest_tokens() == 10  # a space, eight bytes and the end
    assert reading.decoding.max_new_tokens == 10 + 5 + 8
    back = mg.load(adapted.save(tmp_path / "m", keep_examples=False))
    assert len(back.examples) == 0
    assert back.fit.reading()[1:] == reading[1:]
    assert adapted.fit.reading(mg.Decoding(3)).decoding.max_new_tokens == 3
    assert adapted.fit.cut(Inputs(("x" * 30, "x" * 60))) == 1
    assert adapted.fit.read_length() == 64 - 23


def test_all_examples_that_fit_stand_in_one_order_which_is_read_once(writer):
    few = writer.adapt(SOURCES[:3], TARGETS[:3], task=TASK, effort="instant").fit
    shown = shown_examples(Inputs(("old box", "red pen")), few.examples, 16)
    assert shown[0] == shown[1] == list(zip(SOURCES[2::-1], TARGETS[2::-1], strict=True))


def test_a_prefix_of_every_text_begins_as_examples_and_is_learnt_saved_and_edited(writer, tmp_path):
    few = mg.Effort(12, 1e-1, 1e-1, 12, prefix=6)
    adapted = writer.adapt(SOURCES, TARGETS, task=TASK, effort=few)
    assert {name.partition(".")[0] for name in adapted.fit.params} == {"prefix"}
    assert {len(value) for value in adapted.fit.params.values()} == {6}
    fit, tools = adapted.fit, adapted.fit.family.writes
    args = (fit.family, tools, fit.schema, fit.examples, [[]] * 12)
    assert loss_of(fit.encoder, fit.params, *args) < 0.97 * loss_of(fit.encoder, {}, *args)
    still = writer.adapt(SOURCES, TARGETS, task=TASK, effort=mg.Effort(1, 0.0, 0.0, 12, prefix=6)).fit.params
    begun = prefix_start(fit.encoder, Support(fit.family, fit.schema, fit.examples, []), 6, seed=0)
    assert all(torch.equal(begun[f"algorithm.{name}"], value) for name, value in still.items())
    back = mg.load(adapted.save(tmp_path / "out"))
    assert back.effort == few
    assert back.predict(SOURCES[:2]) == adapted.predict(SOURCES[:2])
    assert back.without([0]).add_examples(["new saw"], ["SAW"]).fit.count == 12
    named = writer.adapt(SOURCES[:2], TARGETS[:2], task=TASK, effort="prefix")
    assert named.effort == mg.Effort(20, 3e-3, 3e-3, 8, prefix=64)
    with pytest.raises(MetaglotError, match=r"effort\.lora and effort\.prefix are 2 answers"):
        writer.adapt(SOURCES, TARGETS, task=TASK, effort=mg.Effort(2, lora=2, prefix=2))
    with pytest.raises(MetaglotError, match="effort prefix is for texts that are written"):
        writer.adapt(SOURCES[:8], ["a", "b"] * 4, effort="prefix")
