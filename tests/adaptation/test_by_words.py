"""The effort words: a lexicon of the examples writes, and any model will do."""

import pytest
from tests.families.test_lexicon import PAIRS

import metaglot as mg
from metaglot.errors import MetaglotError

SOURCES, TARGETS = [source for source, _ in PAIRS], [target for _, target in PAIRS]


@pytest.fixture(scope="module")
def adapted():
    return mg.load("builtin:tiny").adapt(SOURCES, TARGETS, task="generation", effort="words")


def test_it_writes_without_a_model_that_writes(adapted):
    assert adapted.predict("The waters") == "Thu woturs"
    found = adapted.predictions(["the water", "the waters"])
    assert found.targets == ["thu wotur", "thu woturs"]
    assert 1 >= found.values[0, 0] > found.values[1, 0] > 0
    assert adapted.score(SOURCES, TARGETS)["exact_match"] == 1


def test_it_comes_back_and_learns_more(adapted, tmp_path):
    adapted.save(tmp_path / "out")
    back = mg.load(tmp_path / "out")
    assert back.predict(["the waters", "a later tree"]) == adapted.predict(["the waters", "a later tree"])
    assert back.add_examples(["tree"], ["boom"]).predict("a later tree") == "o lotur boom"
    with pytest.raises(MetaglotError, match="examples, so that they must be kept"):
        adapted.save(tmp_path / "none", keep_examples=False)


def test_it_is_of_texts_that_are_written():
    model = mg.load("builtin:tiny")
    for effort in ("words", mg.Effort(0, head="words")):
        with pytest.raises(MetaglotError, match="word by word"):
            model.adapt(["a", "b"], ["x", "y"], effort=effort)
    with pytest.raises(MetaglotError, match="steps teach nothing"):
        model.adapt(SOURCES, TARGETS, task="generation", effort=mg.Effort(2, head="words"))


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_an_encoder_is_refused_where_a_model_writes(effort: str):
    with pytest.raises(MetaglotError, match="is an encoder"):
        mg.load("builtin:tiny").adapt(SOURCES, TARGETS, task="generation", effort=effort)


def test_an_option_without_effect_is_refused(adapted):
    with pytest.raises(MetaglotError, match="max_new_tokens has no use"):
        adapted.predict("the water", max_new_tokens=3)
