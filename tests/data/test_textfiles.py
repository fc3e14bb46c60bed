"""Text formats as programs write them: ends of lines, marks, quotes, semicolons, UTF-16."""

import json
from pathlib import Path

from metaglot.data.readers import read_table


def test_only_newline_ends_a_line_of_jsonl_and_txt(tmp_path: Path) -> None:
    odd = ["one\u2028two", "three\x85four", "five\x0bsix\x0c", "seven\u2029"]
    lines = "\r\n".join(json.dumps({"text": t}, ensure_ascii=False) for t in odd)
    (tmp_path / "a.jsonl").write_bytes(lines.encode() + b"\n\n")
    (tmp_path / "a.txt").write_bytes("\r\n".join(odd).encode())
    assert read_table(tmp_path / "a.jsonl")["text"].to_pylist() == [json.loads(json.dumps(t)) for t in odd]
    assert read_table(tmp_path / "a.txt")["text"].to_pylist() == odd


def test_csv_with_mark_crlf_and_long_text(tmp_path: Path) -> None:
    long = "word " * 100_000
    path = tmp_path / "a.csv"
    path.write_bytes(b'\xef\xbb\xbftext,label\r\n"a\r\nb",x\r\n\r\n' + long.encode() + b",\r\n")
    table = read_table(path)
    assert table["text"].to_pylist() == ["a\r\nb", long]
    assert table["label"].to_pylist() == ["x", None]


def test_tsv_with_stray_quotes_is_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('text\tlabel\n"he began\tx\nand ended"\ty\n"whole ""so"""\tz\n', encoding="utf-8")
    assert read_table(path)["text"].to_pylist() == ['"he began', 'and ended"', 'whole "so"']


def test_what_spreadsheets_write(tmp_path: Path) -> None:
    rows = {"text": ["a, or b", "c; d"], "label": ["x", "y"]}
    semicolons = '\ufefftext;label\r\na, or b;x\r\n"c; d";y\r\n'
    for name, content in (
        ("semicolons.csv", semicolons.encode()),
        ("wide.csv", semicolons.removeprefix("\ufeff").encode("utf-16")),
        ("wide.tsv", "text\tlabel\r\na, or b\tx\r\nc; d\ty\r\n".encode("utf-16")),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert read_table(path).select(["text", "label"]).to_pydict() == rows
