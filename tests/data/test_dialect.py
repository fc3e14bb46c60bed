"""csv as programs write it: separators, headers, comments, blanks, escapes, ends of lines, encodings."""

from pathlib import Path

import pytest

from metaglot.data.columns import parse_columns
from metaglot.data.form import form_of
from metaglot.data.labels import table_notes
from metaglot.data.readers import read_table
from metaglot.errors import MetaglotError

TEXTS, LABELS = ["The soup, a cold one", "Fine bread"], ["bad", "good"]
CASES: list[tuple[str, bytes, str | None, str]] = [  # name, content, columns, format
    ("sep", b"\xef\xbb\xbfsep=;\r\ntext;label\r\nThe soup, a cold one;bad\r\nFine bread;good\r\n", None, "semicolons"),
    ("bars", b"text|label\nThe soup, a cold one|bad\nFine bread|good\n", None, "bars"),
    ("tabs", b"text\tlabel\nThe soup, a cold one\tbad\nFine bread\tgood\n", None, "tabs"),
    (
        "comma in header",
        b"Text, guest;Label\nThe soup, a cold one;bad\nFine bread;good\n",
        "text=Text, guest,label=Label",
        "semi",
    ),
    ("comma in all", b"Text, guest;Label\nThe soup, a cold one;bad\nFine, bread;good\n", "label=Label,text=1", "semi"),
    ("mac", b"text;label\rThe soup, a cold one;bad\rFine bread;good\r", None, "semicolons"),
    ("dos", b'text,label\r\n"The soup, a cold one",bad\r\nFine bread,good\r\n\x1a', None, "commas"),
    ("blanks", b'id, text, label\n1, "The soup, a cold one", "bad"\n2, "Fine bread", "good"\n', None, "commas"),
    ("kaggle", b'v1,v2,,,\nbad,"The soup, a cold one",,,\ngood,Fine bread,,\n', "text=v2,label=v1", "commas"),
    ("index", b',text,label\n0,"The soup, a cold one",bad\n1,Fine bread,good\n', None, "commas"),
    ("trailing", b'text,label\n"The soup, a cold one",bad,\nFine bread,good,\n', None, "commas"),
    (
        "comments",
        b'# from 2024\n# twice\ntext,label\n"The soup, a cold one",bad\n# end\nFine bread,good\n',
        None,
        "commas",
    ),
    ("hash", b'#text,label\n"The soup, a cold one",bad\nFine bread,good\n', None, "commas"),
    ("bare", b'"1","bad","The soup, a cold one"\n"2","good","Fine bread"\n', "text=3,label=2", "without a header"),
]


@pytest.mark.parametrize(("content", "columns", "form"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_programs_write(tmp_path: Path, content: bytes, columns: str | None, form: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    table = read_table(path, mapping=None if columns is None else parse_columns([columns]))
    texts = [text.replace("Fine, bread", "Fine bread") for text in table["text"].to_pylist()]
    assert (texts, table["label"].to_pylist()) == (TEXTS, LABELS)
    assert form in form_of(table).name


def test_quotes_escaped_by_backslashes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        'text,label\n"He said \\"no, thanks\\" to me",a\n"C:\\\\new",b\n"ends \\"so\\"",a\n', encoding="utf-8"
    )
    assert read_table(path)["text"].to_pylist() == ['He said "no, thanks" to me', "C:\\new", 'ends "so"']
    path.write_text('text,label\n"C:\\new ""x""",a\nb\\n,b\n', encoding="utf-8")  # doubled quotes: backslashes stay
    assert read_table(path)["text"].to_pylist() == ['C:\\new "x"', "b\\n"]


def test_notes_say_what_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("v1,v2,,\na,one, and more,\nb,two,,\n", encoding="utf-8")
    table = read_table(path, mapping={"text": "v2", "label": "v1"})
    assert "1 rows hold something in columns without a name" in table_notes(table)[0]
    more = read_table(path, mapping={"text": "unnamed 3", "label": "v1"})
    assert more["text"].to_pylist() == [" and more", ""]
    path.write_text("# note\na,one\nb,two\n", encoding="utf-8")
    bare = read_table(path, mapping={"text": "2", "label": "1"})
    assert bare["text"].to_pylist() == ["one", "two"]
    assert "the first line is a row" in " ".join(table_notes(bare))
    assert "1 lines that begin with #" in " ".join(table_notes(bare))


def test_lines_are_counted_from_the_beginning_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("sep=;\n# note\n\ntext;label\na;x\nb;y;z\n", encoding="utf-8")
    with pytest.raises(MetaglotError, match=r"line 6: 3 fields where the header has 2"):
        read_table(path)
    path.write_text("a,x\nb,y\nc\n", encoding="utf-8")
    with pytest.raises(MetaglotError, match=r"line 3: 1 fields where the first row has 2"):
        read_table(path, mapping={"text": "1", "label": "2"})
    with pytest.raises(MetaglotError, match=r"no column '7' for label; it has '1', '2'"):
        read_table(path, mapping={"text": "1", "label": "7"})
    with pytest.raises(MetaglotError, match=r"give numbers: --columns text=2,label=1"):
        read_table(path)


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".json", ".txt"])
def test_encodings(tmp_path: Path, suffix: str) -> None:
    content = {
        ".csv": "text,label\nCafé “Zoë”,a\n",
        ".tsv": "text\tlabel\nCafé “Zoë”\ta\n",
        ".jsonl": '{"text": "Café “Zoë”"}\n',
        ".json": '[{"text": "Café “Zoë”"}]',
        ".txt": "Café “Zoë”\n",
    }[suffix]
    path = tmp_path / f"a{suffix}"
    for encoding in ("cp1252", "utf-16", "utf-16-le", "utf-8"):
        path.write_bytes(content.encode(encoding))
        assert read_table(path, encoding=encoding)["text"].to_pylist() == ["Café “Zoë”"]
    path.write_bytes(content.encode("cp1252"))
    with pytest.raises(MetaglotError, match=r"--encoding cp1252 \(in Python encoding='cp1252'\)"):
        read_table(path)
    with pytest.raises(MetaglotError, match=r"line [12]: not utf-8 .* --encoding \(in Python encoding=\)\."):
        read_table(path, encoding="utf-8")
    path.write_bytes(content.encode())
    assert "looks like UTF-8" in table_notes(read_table(path, encoding="latin-1"))[0]
    for wrong, near in (("cp12523", "did you mean"), ("hex", "no such encoding"), ("", "no such encoding")):
        with pytest.raises(MetaglotError, match=rf"{near}.* --encoding \(in Python encoding=\)"):
            read_table(path, encoding=wrong)


def test_names_that_are_nearly_right(tmp_path: Path) -> None:
    (tmp_path / "Reviews").mkdir()
    path = tmp_path / "Reviews" / "May.csv"
    path.write_text("Text,Label\na,x\n", encoding="utf-8")
    for wrong, says in (
        (tmp_path / "Reviews" / "may.csv", "did you mean 'May.csv'"),
        (tmp_path / "Reviews" / "May.tsv", "did you mean 'May.csv'"),
        (tmp_path / "Review" / "May.csv", f"did you mean '{tmp_path}/Reviews'"),
        (tmp_path / "xyz" / "May.csv", "there is no folder"),
        (path, "did you mean 'Text'"),
    ):
        with pytest.raises(MetaglotError) as caught:
            read_table(wrong)
        assert says in str(caught.value)
    (tmp_path / ".April.lock").touch()  # ours, and nobody means it
    with pytest.raises(MetaglotError, match=r"no such file\."):
        read_table(tmp_path / "April.csv")
