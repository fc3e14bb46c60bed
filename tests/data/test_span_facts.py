"""A look at spans: what is counted, what is odd, and that cells of any origin are read."""

import pytest

from metaglot.data.span_facts import span_facts
from metaglot.data.spans import Span, as_cell
from metaglot.errors import MetaglotError

TEXT = "Ann Lee met Bo in New York City"
SPANS = (Span(0, 7, "PER"), Span(12, 14, "PER"), Span(18, 31, "LOC"))


def name(row: int) -> str:
    return f"row {row + 1}"


def test_types_lengths_and_sentences_are_counted():
    facts = span_facts([as_cell(SPANS, TEXT), "[]", None, as_cell((Span(4, 6, "per"),), "Dr. Bo")], name)
    assert facts.targets == [SPANS, (), None, (Span(4, 6, "per"),)]
    assert facts.plain["spans"] == {"n": 4, "mean_words": 1.75, "max_words": 3}
    assert facts.plain["sentences"] == {"n": 3, "without_spans": 1, "unknown": 1}
    assert facts.plain["types"] == [
        {"label": "PER", "spans": 2, "sentences": 1, "words": 1.5, "longest": "Ann Lee"},
        {"label": "LOC", "spans": 1, "sentences": 1, "words": 3, "longest": "New York City"},
        {"label": "per", "spans": 1, "sentences": 1, "words": 1, "longest": "Bo"},
    ]
    assert dict(facts.lines) == {
        "sentences": "3, with 4 spans of 3 types",
        "length of spans": "1.75 words on average, 3 at most",
        "sentences without any": "1 (33.3 %)",
        "not known": "1",
    }
    assert facts.grids[0].rows[0] == ("PER", "2", "1", "1.5", "Ann Lee")
    assert facts.notes == [
        "one sentence only has 'LOC', 'PER', 'per'; a second one helps much",
        "the labels 'PER' and 'per' differ in case only and are two types",
    ]


def test_sets_without_spans_and_cells_without_texts():
    assert span_facts([None], name).plain["sentences"] == {"n": 0, "without_spans": 0, "unknown": 1}
    assert span_facts(["[]"], name).grids[0].rows == ()
    assert span_facts(['[[0, 3, "PER"], [0, 3, "PER"]]'], name).targets == [(Span(0, 3, "PER"),)]
    with pytest.raises(MetaglotError, match=r"row 2 is 'PER', not spans"):
        span_facts([None, "PER"], name)
