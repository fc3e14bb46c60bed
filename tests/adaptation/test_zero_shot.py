"""A classifier from the names of classes alone, and what can be asked of it."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from metaglot.adaptation import Adapted
from metaglot.cli.app import app
from metaglot.errors import MetaglotError

LABELS = ["tool", "fruit", "beast"]


def test_its_head_is_that_of_one_example_which_is_the_name(model):
    named = model.zero_shot(LABELS)
    spoken = model.adapt(sorted(LABELS), sorted(LABELS), effort="instant", names=False)
    texts = ["an apple", "hammer and nail", "horse goat"]
    assert named.labels == ("beast", "fruit", "tool")
    assert named.counts == (0, 0, 0)
    assert named.predict_proba(texts) == pytest.approx(spoken.predict_proba(texts), abs=1e-5)
    assert named.explain("an apple").evidence[0].number is None


def test_examples_take_it_where_they_would_have_led_at_once(model, sentences, tmp_path):
    texts, labels = sentences(4)
    grown = model.zero_shot(sorted(set(labels))).add_examples(texts, labels)
    whole = model.adapt(texts, labels, effort="instant")
    assert grown.counts == whole.counts
    assert grown.predict_proba(texts) == pytest.approx(whole.predict_proba(texts), abs=1e-5)
    named = model.zero_shot(LABELS)
    loaded = Adapted.load(named.save(tmp_path / "named"), encoder=model.encoder)
    assert np.array_equal(loaded.predict_proba(texts), named.predict_proba(texts))
    assert loaded.add_examples(texts, labels).examples.inputs.texts == tuple(texts)


def test_words_may_be_given(model):
    given = model.zero_shot(["0", "1"], names={"0": "fruit", "1": "tool"})
    own = model.zero_shot(["fruit", "tool"])
    assert given.predict_proba(["an apple"]) == pytest.approx(own.predict_proba(["an apple"]))


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["fruit"], "at least two"),
        ([], "at least two"),
        ("fruit", "list of strings"),
        (["fruit", "tool", "fruit"], "given twice"),
        (["fruit", "7"], "'7' has no words"),
        (["fruit", "Fruit"], "the same words as another"),
    ],
)
def test_labels_that_tell_no_classes_apart_are_refused(model, labels, message):
    with pytest.raises(MetaglotError, match=message):
        model.zero_shot(labels)


def test_what_lies_outside_cannot_be_told_from_names(model):
    with pytest.raises(MetaglotError, match="give two, or one"):
        model.zero_shot(LABELS).in_scope(["an apple"])


def test_on_the_command_line(tmp_path):
    out = tmp_path / "named"
    done = CliRunner().invoke(app, ["adapt", "builtin:tiny", "--labels", "fruit, tool", "--out", str(out), "--json"])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["labels"], said["examples"]) == (["fruit", "tool"], 0)
    assert set(Adapted.load(out).predict(["an apple", "hammer"])) <= {"fruit", "tool"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], "either a file of examples or --labels"),
        (["--labels", "fruit"], "at least two"),
        (["--labels", "a1,fruit"], "has no words, or the same words as another"),
        (["--labels", "fruit,tool", "--goal", "0.9"], "a score needs examples"),
        (["--labels", "fruit,tool", "--no-names"], "--no-names has no use"),
        (["--labels", "fruit,tool", "--effort", "fast"], "has no effort"),
        (["--labels", "fruit,tool", "--columns", "label=x"], "no file to read"),
        (["--labels", "fruit,tool", "--keep-examples"], "no examples to keep"),
        (["--labels", "fruit,tool", "--seed", "1"], "is not random"),
    ],
)
def test_mistakes_are_told(tmp_path, given, message):
    done = CliRunner().invoke(app, ["adapt", "builtin:tiny", *given, "--out", str(tmp_path / "out")])
    assert isinstance(done.exception, (MetaglotError, SystemExit))
    assert message in str(done.exception) + done.output
    assert not (tmp_path / "out").exists()
