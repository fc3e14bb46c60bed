"""`metaglot localise`: a catalogue filled from that of a near language."""

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(find_spec("polib") is None, reason="polib comes with the extra generation")
HEADER = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n'
SPANISH = {
    "open": "abrir el archivo",
    "close": "cerrar el archivo",
    "menu": "el menú está cerrado",
    "more": "cerrar el menú %d",
    "less": "El archivo está abierto",
    "window": "cerrar la ventana",
}
GALICIAN = {"open": "abrir o ficheiro", "close": "pechar o ficheiro", "menu": "o menú está pechado"}
OPEN = dict.fromkeys(("more", "less", "window", "alone"), "")


def catalogue(file: Path, texts: dict[str, str]) -> Path:
    entries = (f'\nmsgid "{source}"\nmsgstr "{target}"\n' for source, target in texts.items())
    file.write_text(HEADER + "".join(entries), "utf-8")
    return file


@pytest.fixture
def files(tmp_path):
    return catalogue(tmp_path / "gl.po", GALICIAN | OPEN), catalogue(tmp_path / "es.po", SPANISH)


def test_texts_come_out_of_the_near_language_and_the_rest_of_the_file_stays(metaglot, files, tmp_path):
    own, near = files
    said = metaglot("localise", own, "--near", near, "--out", tmp_path / "out.po")
    assert said.code == 0, said.err
    assert "es.po: 3 texts in both; on texts set aside chrF" in said.out
    assert "1 texts stay without a translation" in said.err
    found = (tmp_path / "out.po").read_text("utf-8")
    assert '#, fuzzy\nmsgid "window"\nmsgstr "pechar la ventana"' in found  # la and ventana are words of no entry
    assert '#, fuzzy\nmsgid "more"\nmsgstr "pechar o menú %d"' in found  # the source, "more", has no placeholder
    assert 'msgid "alone"\nmsgstr ""' in found
    kept = [line for line in found.splitlines() if line != "#, fuzzy" and not line.startswith("msgstr")]
    assert kept == [line for line in own.read_text("utf-8").splitlines() if not line.startswith("msgstr")]
    figures = json.loads(metaglot("localise", own, "--near", near, "--out", tmp_path / "b.po", "--json").out)
    assert (figures["entries"], figures["texts_without"], figures["near"][0]["texts_in_both"]) == (3, 1, 3)
    assert figures["near"][0]["chrf"] > figures["near"][0]["chrf_copied"]
    said = metaglot("localise", own, "--near", near, "--out", tmp_path / "c.po", "--json", "--fuzzy-below", 0)
    assert json.loads(said.out)["fuzzy"] == 1  # the placeholder alone


def test_the_best_of_several_languages_goes_first_and_another_stands_in(metaglot, files, tmp_path):
    own, near = files
    far = catalogue(tmp_path / "xx.po", {"open": "qqq", "close": "www", "menu": "zzz zzz", "alone": "qqq"})
    asked = ("localise", own, "--near", far, "--near", near, "--out", tmp_path / "out.po", "--json")
    figures = json.loads(metaglot(*asked).out)
    assert [Path(one["file"]).name for one in figures["near"]] == ["es.po", "xx.po"]
    assert (figures["entries"], figures["texts_without"]) == (4, 0)


def test_mistakes_are_told(metaglot, files, tmp_path):
    own, near = files
    other = catalogue(tmp_path / "other.po", {"another": "otro"})
    for arguments, why in (
        ((own, "--near", other, "--out", tmp_path / "a.po"), "no translated entry in common"),
        ((own, "--near", near, "--out", tmp_path / "a.csv"), "ends in .po"),
        ((own, "--near", near, "--out", near), "it exists already"),
        ((own, "--near", tmp_path / "a.csv", "--out", tmp_path / "a.po"), "a catalogue of gettext is needed"),
        ((own, "--near", tmp_path / "none.po", "--out", tmp_path / "a.po"), "No such file"),
    ):
        said = metaglot("localise", *arguments)
        assert (said.code, why in said.err) == (2, True), said.err
