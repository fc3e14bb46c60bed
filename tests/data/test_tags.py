"""Tags of tokens: what the schemes are told apart by, the round trip, and the reference package."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metaglot.data.spans import Span
from metaglot.data.tags import SCHEMES, Chunk, Scheme, chunks_of, in_capitals, scheme_of, tags_of
from metaglot.data.tokens import joined, spans_at, tags_at
from metaglot.errors import MetaglotError

ROWS: dict[Scheme, str] = {
    "IOB2": "B-PER I-PER O B-LOC B-LOC",
    "IOB1": "I-PER I-PER O I-LOC B-LOC",
    "BIOES": "B-PER E-PER O S-LOC S-LOC",
    "BILOU": "B-PER L-PER O U-LOC U-LOC",
}
CHUNKS = [Chunk(0, 2, "PER"), Chunk(3, 4, "LOC"), Chunk(4, 5, "LOC")]


def line(row: int) -> str:
    return f"line {row + 1}"


@pytest.mark.parametrize("scheme", ROWS)
def test_a_scheme_is_told_by_its_tags_read_and_written(scheme: Scheme):
    tags = ROWS[scheme].split()
    assert scheme_of([["O"], tags], line) == scheme
    assert chunks_of(tags, scheme) == (CHUNKS, 0)
    assert tags_of(CHUNKS, 5, scheme) == tags


def test_tags_without_prefix_with_prefixes_alone_and_in_other_letters():
    plain = ["PER", "PER", "O", "LOC", "LOC"]
    assert scheme_of([plain], line) == "IO"
    assert chunks_of(plain, "IO") == ([Chunk(0, 2, "PER"), Chunk(3, 5, "LOC")], 0)
    alone = ["B", "I", "O", "B", "B"]
    assert scheme_of([alone], line) == "IOB2"
    assert chunks_of(alone, "IOB2") == ([c._replace(label="span") for c in CHUNKS], 0)
    for other in ("B_PER E_PER O S_LOC S_LOC", "B-PER E-PER O W-LOC S-LOC"):
        assert scheme_of([other.split()], line) == "BIOES"
        assert chunks_of(other.split(), "BIOES") == (CHUNKS, 0)
    assert chunks_of(["B-X", "M-X", "E-X"], "BIOES") == ([Chunk(0, 3, "X")], 0)
    assert scheme_of([["O", "O"], []], line) == "IO"


def test_tags_with_and_without_prefixes_are_refused_with_their_place():
    with pytest.raises(MetaglotError, match=r"line 2 has the tag 'PER', without a prefix.*'B-PER'"):
        scheme_of([["B-PER"], ["PER", "O"]], line)


@pytest.mark.parametrize(
    ("tags", "scheme", "chunks", "repaired"),
    [
        ("O I-PER I-PER", "IOB2", [Chunk(1, 3, "PER")], 1),
        ("B-PER I-LOC", "IOB2", [Chunk(0, 1, "PER"), Chunk(1, 2, "LOC")], 1),
        ("O I-PER I-PER", "IOB1", [Chunk(1, 3, "PER")], 0),
        ("B-PER O", "BIOES", [Chunk(0, 1, "PER")], 1),
        ("B-PER I-PER", "BILOU", [Chunk(0, 2, "PER")], 1),
        ("E-PER S-PER", "BIOES", [Chunk(0, 1, "PER"), Chunk(1, 2, "PER")], 1),
        ("I-PER E-PER I-PER", "BIOES", [Chunk(0, 2, "PER"), Chunk(2, 3, "PER")], 3),
    ],
)
def test_tags_that_a_scheme_does_not_allow_are_repaired_and_counted(
    tags: str, scheme: Scheme, chunks: list[Chunk], repaired: int
):
    assert chunks_of(tags.split(), scheme) == (chunks, repaired)


@st.composite
def sentences(draw: st.DrawFn) -> tuple[list[Chunk], int]:
    chunks, at = list[Chunk](), 0
    for _ in range(draw(st.integers(0, 5))):
        first = at + draw(st.integers(0, 2))
        at = first + draw(st.integers(1, 3))
        chunks.append(Chunk(first, at, draw(st.sampled_from(["PER", "LOC", "I-94"]))))
    return chunks, at + draw(st.integers(0, 2))


@given(sentences(), st.sampled_from([scheme for scheme in SCHEMES if scheme != "IO"]))
def test_chunks_come_back_from_their_tags(sentence: tuple[list[Chunk], int], scheme: Scheme):
    chunks, n = sentence
    assert chunks_of(tags_of(chunks, n, scheme), scheme) == (chunks, 0)
    tokens = [f"t{number}" for number in range(n)]
    places = joined(tokens).places
    spans = spans_at(chunks, places)
    assert tags_at(spans, places, scheme) == tags_of(chunks, n, scheme)


tag = st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])
ends = st.sampled_from(["O", "B-X", "I-X", "E-X", "S-X", "B-Y", "I-Y", "E-Y", "S-Y"])


@given(st.lists(tag, max_size=8))
def test_any_sequence_of_iob_is_read_as_seqeval_reads_it(tags: list[str]):
    entities = pytest.importorskip("seqeval.metrics.sequence_labeling").get_entities
    for scheme in ("IOB2", "IOB1"):
        found = [(label, first, behind - 1) for first, behind, label in chunks_of(tags, scheme).chunks]
        assert found == entities(tags)


@given(st.lists(ends, max_size=8))
def test_what_seqeval_reads_strictly_is_read_and_the_rest_is_repaired(tags: list[str]):
    module = pytest.importorskip("seqeval.scheme")
    strict = [(e.tag, e.start, e.end) for e in module.Entities([tags], module.IOBES).entities[0]]
    chunks, repaired = chunks_of(tags, "BIOES")
    found = [(label, first, behind) for first, behind, label in chunks]
    assert set(strict) <= set(found)
    assert repaired or strict == found


def test_tokens_are_joined_by_a_space_but_not_in_scripts_without_them():
    text, places = joined(["Ann", "is", "in", "北", "京", "。", "京", "Oslo"])
    assert text == "Ann is in 北京 。 京 Oslo"
    assert [text[first:last] for first, last in places] == ["Ann", "is", "in", "北", "京", "。", "京", "Oslo"]
    assert joined([]) == ("", [])


def test_a_span_within_a_token_has_no_tags():
    with pytest.raises(MetaglotError, match="LOC from 1 to 3 does not begin and end with a token"):
        tags_at((Span(1, 3, "LOC"),), joined(["Ann", "Oslo"]).places)


def test_small_letters_are_read_as_capitals_where_all_are_small():
    rows = [["b-per", "i-per", "o"], ["u-loc"]]
    assert in_capitals(rows) == [["B-per", "I-per", "O"], ["U-loc"]]
    for kept in ([["b-per", "O"]], [["o", "PER"]], [["drug", "o"]], [["b-per"]]):
        assert in_capitals(kept) == kept
