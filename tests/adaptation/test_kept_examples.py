"""Examples that are kept with an adaptation: they come back, stay kept, and are known again if they were changed."""

import shutil

import pytest
from tests.adaptation.test_damaged_adaptations import edit
from tests.adaptation.test_storage import FILES, listed

from metaglot.adaptation import Adapted
from metaglot.errors import MetaglotError


@pytest.mark.parametrize("pairs", [False, True])
def test_examples_are_kept_if_asked(model, sentences, tmp_path, pairs):
    texts, labels = sentences(2)
    texts[0] = "two\nlines\u2028and a third é 👍"
    seconds = texts[::-1] if pairs else None
    adapted = model.adapt(texts, labels, pairs=seconds, effort="fast")
    folder = adapted.save(tmp_path / "out", keep_examples=True)
    assert listed(folder) == ["README.md", "adapted.json", "examples.jsonl", "weights.safetensors"]
    loaded = Adapted.load(folder, encoder=model.encoder)
    assert loaded.examples == adapted.examples
    assert loaded.examples.inputs.texts == tuple(texts)


TAMPERED = {
    "a text": lambda lines: [lines[0].replace('"text": "', '"text": "x'), *lines[1:]],
    "a label": lambda lines: [lines[0].replace('"fruit"', '"tool"'), *lines[1:]],
    "the order": lambda lines: lines[::-1],
    "a line less": lambda lines: lines[1:],
    "a line more": lambda lines: [*lines, lines[-1]],
    "no line": lambda lines: [],
}


@pytest.mark.parametrize("kind", TAMPERED)
@pytest.mark.parametrize("earlier", [False, True])
def test_kept_examples_that_were_changed_are_noticed(model, sentences, tmp_path, kind, earlier):
    folder = model.adapt(*sentences(2), effort="instant").save(tmp_path / "out", keep_examples=True)
    file = folder / "examples.jsonl"
    if earlier:  # the hash is that of the provenance
        edit(folder, lambda plain: plain.pop("examples_sha256"))
    whole = file.read_bytes()
    file.write_bytes(whole.replace(b"\n", b"\r\n"))  # as some editors save it: the examples are the same
    assert Adapted.load(folder, encoder=model.encoder).examples.inputs.texts == tuple(sentences(2)[0])
    file.write_text("".join(line + "\n" for line in TAMPERED[kind](whole.decode().splitlines())), "utf-8")
    assert file.read_bytes() != whole
    with pytest.raises(MetaglotError, match=r"examples\.jsonl: these are not the examples that were saved"):
        Adapted.load(folder, encoder=model.encoder)
    file.unlink()
    assert Adapted.load(folder, encoder=model.encoder).explain("the apple").evidence[0].text in ("", "fruit")


def test_examples_of_another_adaptation_are_noticed(model, sentences, tmp_path):
    without = model.adapt(*sentences(2), effort="instant").save(tmp_path / "without")
    kept = model.adapt(*sentences(3), effort="instant").save(tmp_path / "kept", keep_examples=True)
    shutil.copy(kept / "examples.jsonl", without)
    with pytest.raises(MetaglotError, match="these are not the examples that were saved"):
        Adapted.load(without, encoder=model.encoder)


def test_a_folder_of_an_earlier_version_to_which_examples_were_added(model, sentences, tmp_path):
    adapted = model.adapt(*sentences(2), effort="instant").add_examples(["a saw"], ["tool"])
    folder = adapted.save(tmp_path / "out", keep_examples=True)
    edit(folder, lambda plain: plain.pop("examples_sha256"))
    assert Adapted.load(folder, encoder=model.encoder).examples == adapted.examples


@pytest.mark.parametrize("effort", ["instant", "fast"])
def test_kept_examples_stay_kept(model, sentences, tmp_path, effort):
    adapted, more = model.adapt(*sentences(2), effort=effort), (["a saw"], ["tool"])
    folder = adapted.save(tmp_path / "out", keep_examples=True)
    loaded = Adapted.load(folder, encoder=model.encoder)
    assert "examples.jsonl" in listed(loaded.add_examples(*more).save(tmp_path / "elsewhere"))
    assert "examples.jsonl" not in listed(loaded.add_examples(*more).save(tmp_path / "none", keep_examples=False))
    assert "examples.jsonl" not in listed(adapted.add_examples(*more).save(tmp_path / "never"))
    for grown in (adapted, loaded):  # what takes the place of texts has them, be it loaded or not
        grown.add_examples(*more).save(folder, force=True)
        again = Adapted.load(folder, encoder=model.encoder)
        assert again.examples.inputs.texts == (*sentences(2)[0], "a saw")
    model.adapt(*sentences(2, seed=7), effort="instant").save(folder, force=True)  # another task: nobody asked
    assert listed(folder) == FILES


def test_examples_that_are_not_known_cannot_be_kept(model, sentences, tmp_path):
    model.adapt(*sentences(2), effort="instant").save(tmp_path / "out")
    with pytest.raises(MetaglotError, match="examples cannot be saved"):
        Adapted.load(tmp_path / "out", encoder=model.encoder).save(tmp_path / "two", keep_examples=True)
