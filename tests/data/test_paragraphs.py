"""Text files are read a block at a time, and give what they give whole."""

import gzip
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.data import rawfiles
from metaglot.data.paragraphs import paragraphs
from metaglot.data.textfiles import decode
from metaglot.errors import MetaglotError

PIECES = ("a", "b c", "é", "\u2028", "\n", "\n\n", "\r\n", "\r", " ", "\t", "\x0c", "\x1a", "\ufeff", "𝒳")


def whole(path: Path) -> list[str]:
    """The paragraphs of a file that is read at once, as they are defined."""
    text = decode(path)
    parts = [part for part in re.split(r"\r?\n(?:[ \t]*\r?\n)+", text) if part.strip()]
    if len(parts) == 1:
        parts = [line for line in text.split("\n") if line.strip()]
    return [" ".join(part.split()) for part in parts]


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=14), st.booleans())
def test_blocks_of_three_bytes_give_what_the_whole_gives(tmp_path_factory, pieces, packed):
    path = tmp_path_factory.mktemp("p") / ("a.txt.gz" if packed else "a.txt")
    raw = "".join(pieces).encode()
    path.write_bytes(gzip.compress(raw) if packed else raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rawfiles, "BLOCK", 3)
        try:
            expected = whole(path)
        except MetaglotError as error:
            with pytest.raises(MetaglotError, match=re.escape(str(error))):
                list(paragraphs(path))
            return
        assert list(paragraphs(path)) == expected


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"one\n\ntwo \xff", "line 3: not UTF-8"),
        (b"one\n\ntwo\0", "line 3: a NUL byte"),
        (b"PAR1 one\n\ntwo", "holds Parquet"),
        (b"", "empty"),
        (b" \n\n \n", "empty"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_as_before(tmp_path, raw, why):
    (tmp_path / "a.txt").write_bytes(raw)
    with pytest.raises(MetaglotError, match=why):
        list(paragraphs(tmp_path / "a.txt"))


def test_other_encodings_are_read_whole(tmp_path):
    (tmp_path / "a.txt").write_bytes("Äpfel\n\nBirnen".encode("utf-16"))
    assert list(paragraphs(tmp_path / "a.txt")) == ["Äpfel", "Birnen"]
    (tmp_path / "b.txt").write_bytes("Äpfel\n\nBirnen".encode("cp1252"))
    assert list(paragraphs(tmp_path / "b.txt", "cp1252")) == ["Äpfel", "Birnen"]


def test_a_file_that_becomes_no_text_while_it_is_read_is_told(tmp_path, monkeypatch):
    path = tmp_path / "a.txt"
    monkeypatch.setattr(rawfiles, "BLOCK", 1 << 12)
    path.write_bytes(b"one\n\n" + b"two\n\n" * 80_000)  # more than the system's buffer holds
    texts = paragraphs(path)
    assert next(texts) == "one"
    with path.open("ab") as file:
        file.write(b"\xff")
    with pytest.raises(MetaglotError, match="changed while it was read"):
        list(texts)
