"""Catalogues of gettext and translation memories: read to learn from, and filled."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from metaglot.data.labels import table_notes
from metaglot.data.placeholders import keeps_marks, keeps_placeholders, placeholders_in
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError

needs_polib = pytest.mark.skipif(find_spec("polib") is None, reason="polib comes with the extra generation")
PO = r"""
msgid ""
msgstr "Content-Type: text/plain; charset=UTF-8\nPlural-Forms: nplurals=2; plural=(n != 1);\n"

# a comment
msgid "Save %(name)s"
msgstr "%(name)s sichern"

#, fuzzy
msgid "Open"
msgstr "Auf"

msgid "\nClose\n"
msgstr ""

msgid "%d file"
msgid_plural "%d files"
msgstr[0] ""
msgstr[1] ""

msgid "%d day"
msgid_plural "%d days"
msgstr[0] "%d Tag"
msgstr[1] "%d Tage"

#~ msgid "old"
#~ msgstr "alt"
"""
TMX = """<?xml version="1.0" encoding="UTF-16"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="EN"/><body>
<tu><tuv xml:lang="de"><seg>ein <bpt i="1">&lt;b></bpt>Haus<ept i="1">&lt;/b></ept></seg></tuv>
<tuv xml:lang="en"><seg>a <hi>house</hi></seg></tuv></tu>
<tu><tuv xml:lang="en"><seg>alone</seg></tuv></tu>
</body></tmx>"""


def rows(path: Path, **mapping: str) -> list[tuple[str, str | None]]:
    table = read_table(path, cells="texts", mapping=mapping or None)
    return list(zip(table["text"].to_pylist(), table["label"].to_pylist(), strict=True))


@pytest.fixture
def po(tmp_path):
    (tmp_path / "a.po").write_text(PO, "utf-8")
    return tmp_path / "a.po"


@needs_polib
def test_entries_are_examples_and_fuzzy_ones_are_left_out(po):
    assert rows(po) == [
        ("Save %(name)s", "%(name)s sichern"),
        ("\nClose\n", None),
        ("%d file", None),
        ("%d files", None),
        ("%d day", "%d Tag"),
        ("%d days", "%d Tage"),
    ]
    notes = table_notes(read_table(po, cells="texts"))
    assert [note.partition(": ")[2] for note in notes[:4]] == [
        "1 fuzzy entries are left out",
        "3 texts have no translation, and are no examples",
        "4 texts are plural forms",
        "5 of 6 texts have placeholders, such as %(name)s",
    ]


@needs_polib
def test_a_catalogue_is_filled_and_doubtful_translations_are_marked(po, tmp_path):
    import polib

    from metaglot.data.catalogues import filled, untranslated

    assert untranslated(po) == ["\nClose\n", "%d file", "%d files"]
    found = filled(po, ["Zu ", "%d Datei", "Dateien"])
    assert (found.written, found.fuzzy) == (2, 1)
    (tmp_path / "b.po").write_text(found.text, "utf-8")
    entries = {entry.msgid: entry for entry in polib.pofile(str(tmp_path / "b.po"))}
    assert entries["\nClose\n"].msgstr == "\nZu\n"
    assert entries["\nClose\n"].flags == []
    assert entries["%d file"].msgstr_plural == {0: "%d Datei", 1: "Dateien"}
    assert entries["%d file"].flags == ["fuzzy"]
    assert (entries["Open"].msgstr, entries["Save %(name)s"].msgstr) == ("Auf", "%(name)s sichern")
    assert filled(po, ["", " ", ""]).written == 0


@needs_polib
def test_what_is_no_catalogue_is_named(tmp_path):
    (tmp_path / "a.po").write_text('msgid "a"\nnonsense\n')
    with pytest.raises(MetaglotError, match="not a catalogue of gettext"):
        read_table(tmp_path / "a.po", cells="texts")
    (tmp_path / "b.po").write_text('#, fuzzy\nmsgid "a"\nmsgstr "b"\n')
    with pytest.raises(MetaglotError, match="no entry that is not fuzzy"):
        read_table(tmp_path / "b.po", cells="texts")
    (tmp_path / "c.po").write_text('msgid "a"\nmsgstr "b"\n\nmsgid "c\nmsgstr "d"\n')  # polib would leave it out
    with pytest.raises(MetaglotError, match="line 4: not a text in quotation marks"):
        read_table(tmp_path / "c.po", cells="texts")


@needs_polib
@pytest.mark.parametrize("form", ["as it is", "crlf", "latin-1", "utf-16", "mark", "template"])
def test_only_what_is_translated_changes_whatever_the_file_is_written_in(tmp_path, form):
    from metaglot.data.catalogues import filled, untranslated

    more = '\n#, c-format\n#| msgid "old"\nmsgid "new"\nmsgstr ""\n\n#~ msgid'
    text = PO.replace("sichern", "für").replace("\n#~ msgid", more)
    raw = text.encode()
    if form == "crlf":
        raw = text.replace("\n", "\r\n").encode()
    elif form == "latin-1":
        raw = text.replace("UTF-8", "ISO-8859-1").encode("latin-1")
    elif form == "utf-16":
        raw = text.encode("utf-16")
    elif form == "mark":
        raw = b"\xef\xbb\xbf" + raw
    elif form == "template":
        raw = text.replace("UTF-8", "CHARSET").encode()
    file = tmp_path / ("a.pot" if form == "template" else "a.po")
    file.write_bytes(raw)
    assert rows(file)[0] == ("Save %(name)s", "%(name)s für")
    assert untranslated(file) == ["\nClose\n", "%d file", "%d files", "new"]
    found = filled(file, ['Zu "\\', "%d Datei", "%d Dateien", "neu"], unsure=[False, False, False, True]).text
    expected = text.replace('Close\\n"\nmsgstr ""', 'Close\\n"\nmsgstr ""\n"\\n"\n"Zu \\"\\\\\\n"')
    expected = expected.replace('msgstr[0] ""\nmsgstr[1] ""', 'msgstr[0] "%d Datei"\nmsgstr[1] "%d Dateien"')
    expected = expected.replace("#, c-format", "#, fuzzy, c-format").replace('"new"\nmsgstr ""', '"new"\nmsgstr "neu"')
    assert found == (expected.replace("\n", "\r\n") if form == "crlf" else expected)


@needs_polib
def test_what_stands_in_strings_is_kept_to_the_letter(tmp_path):
    from metaglot.data.catalogues import filled, untranslated

    strings = [r"esc \033[1m \a \x42\101 \134\042\n", "a\u2028b\x85c", r"win\r\n", " name: ", "&Save"]
    known = 'msgid "k"\nmsgstr "x\u2028y"\n'
    (tmp_path / "a.po").write_text(known + "".join(f'\nmsgid "{one}"\nmsgstr ""\n' for one in strings), "utf-8")
    sources = untranslated(tmp_path / "a.po")
    assert sources == ['esc \x1b[1m \a BA \\"\n', "a\u2028b\x85c", "win\r\n", " name: ", "&Save"]
    assert rows(tmp_path / "a.po")[0] == ("k", "x\u2028y")
    found = filled(tmp_path / "a.po", [f" {one.strip()} " for one in [*sources[:4], "Save"]])
    (tmp_path / "b.po").write_text(found.text, "utf-8")
    assert [target for _, target in rows(tmp_path / "b.po")[1:]] == [one.strip() for one in sources[:4]]
    assert (found.written, found.fuzzy) == (5, 1)  # the key of the last is lost
    assert all(f'msgstr "{one}"' in found.text for one in strings[1:4])
    assert r'msgstr "esc \033[1m \007 BA \\\"\n"' in found.text


@needs_polib
def test_two_catalogues_stand_beside_each_other_by_context_and_form(tmp_path):
    from metaglot.data.catalogues import beside

    (tmp_path / "own.po").write_text(
        'msgctxt "a"\nmsgid "x"\nmsgstr "own a"\n\nmsgctxt "b"\nmsgid "x"\nmsgstr ""\n\n'
        'msgid "%d y"\nmsgid_plural "%d ys"\nmsgstr[0] ""\nmsgstr[1] ""\nmsgstr[2] ""\n\nmsgid "z"\nmsgstr "own z"\n'
    )
    (tmp_path / "near.po").write_text(
        'msgctxt "b"\nmsgid "x"\nmsgstr "near b"\n\nmsgctxt "a"\nmsgid "x"\nmsgstr "near a"\n\n'
        'msgid "%d y"\nmsgid_plural "%d ys"\nmsgstr[0] "%d near"\n\n#, fuzzy\nmsgid "z"\nmsgstr "near z"\n'
    )
    found = beside(tmp_path / "own.po", tmp_path / "near.po")
    assert found.known == [("near a", "own a")]
    assert found.open == ["near b", "%d near", "%d near"]


def test_other_kinds_do_not_read_translations(po, tmp_path):
    (tmp_path / "a.tmx").write_text(TMX)
    for file in (po, tmp_path / "a.tmx"):
        with pytest.raises(MetaglotError, match="--task generation"):
            read_table(file)


def test_a_memory_has_the_language_of_its_header_as_source(tmp_path):
    (tmp_path / "a.tmx").write_text(TMX)
    assert rows(tmp_path / "a.tmx") == [("a house", "ein Haus")]
    assert rows(tmp_path / "a.tmx", text="de", label="en") == [("ein Haus", "a house")]
    assert rows(tmp_path / "a.tmx", label="EN") == [("ein Haus", "a house")]
    (tmp_path / "b.tmx").write_text(TMX.replace('xml:lang="de"', 'xml:lang="DE"').replace("alone", "a", 1))
    assert rows(tmp_path / "b.tmx") == [("a house", "ein Haus")]  # codes differ in no letter but its case
    assert "1 units lack en or de" in table_notes(read_table(tmp_path / "a.tmx", cells="texts"))[0]
    with pytest.raises(MetaglotError, match="no language 'fr'; it has de, en"):
        rows(tmp_path / "a.tmx", text="fr")


def test_a_memory_is_in_the_encoding_that_it_declares(tmp_path):
    unit = '<tu><tuv xml:lang="en"><seg>café</seg></tuv><tuv xml:lang="de"><seg>Öl</seg></tuv></tu>'
    text = f'<?xml version="1.0" encoding="{{}}"?>\n<tmx version="1.4"><header srclang="en"/><body>{unit}</body></tmx>'
    for declared, encoding in (("ISO-8859-1", "latin-1"), ("windows-1252", "cp1252"), ("UTF-16", "utf-16")):
        (tmp_path / "a.tmx").write_bytes(text.format(declared).encode(encoding))
        assert rows(tmp_path / "a.tmx") == [("café", "Öl")]
    for declared in ("UTF-16", "rot13", "klingon"):  # another than it is in, or none
        (tmp_path / "a.tmx").write_text(text.format(declared), encoding="utf-8")
        assert rows(tmp_path / "a.tmx") == [("café", "Öl")]


def test_elements_of_a_segment_stand_as_deep_as_they_like(tmp_path):
    deep = "a" + "<hi>b<ph>%s</ph>" * 3000 + "c" + "d</hi>" * 3000 + "e"
    (tmp_path / "a.tmx").write_text(TMX.replace("a <hi>house</hi>", deep))
    assert rows(tmp_path / "a.tmx") == [("a" + "b" * 3000 + "c" + "d" * 3000 + "e", "ein Haus")]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('<!DOCTYPE x [<!ENTITY a "b">]><tmx/>', "declares entities"),
        ("<tmx>", "line 1: not XML"),
        ("<html/>", "a file of <html>"),
        ('<tmx><tu><tuv lang="en"><seg>a</seg></tuv></tu></tmx>', "has the languages en"),
    ],
)
def test_what_is_no_memory_is_named(tmp_path, text, said):
    (tmp_path / "a.tmx").write_text(text)
    with pytest.raises(MetaglotError, match=said):
        rows(tmp_path / "a.tmx")


def test_placeholders_are_found_and_compared():
    found = placeholders_in("%(name)s has %d of {0} and {user.name!r:>3}: 100%% {{sure}}, 5 % of it")
    assert set(found) == {"%(name)s", "%d", "{0}", "{user.name!r:>3}"}
    assert keeps_placeholders("%s in %s", "in %s %s")
    assert not keeps_placeholders("%s in %s", "in %s")
    assert not keeps_placeholders("{a}", "{b}")


def test_tags_and_the_mark_of_a_key_are_compared():
    for source, target, keeps in (
        ("<b>Go</b>", "<b>Los</b>", True),
        ("<b>Go</b>", "Los", False),
        ('<a href="x">here</a>', '<a href="y">hier</a>', True),
        ("up<br/>down", "auf ab", False),
        ("<none>", "<keine>", True),
        ("_File", "文件(_F)", True),
        ("&Save &amp; go", "&Sichern &amp; los", True),
        ("_File", "Datei", False),
        ("&Save", "_Sichern", False),
        ("a & b, R&D", "a und b, F&E", True),
    ):
        assert keeps_marks(source, target) == keeps, source


def test_placeholders_of_qt_of_shells_and_of_templates():
    found = placeholders_in("%1 of %L2 and %n, $name ${name} {{ user.name }} %{name} %1$s, $5 and 5 %")
    assert set(found) == {"%1", "%L2", "%n", "$name", "${name}", "{{ user.name }}", "{name}", "%1$s"}
    assert not keeps_placeholders("%1 of %2", "%1")
    assert not keeps_placeholders("%9 of %10", "%9")
    assert placeholders_in("{{" + 5000 * " ") == {}  # in a moment
