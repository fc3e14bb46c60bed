"""What is pasted, uploaded and edited is read as a file of examples would be."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metaglot.data.spans import Span
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.playground.forms import ASKED, cell_of, filled, header_of, row_of, target_of
from metaglot.playground.samples import ORDER, SAMPLES
from metaglot.playground.table import ROWS, Table, examples_of, pasted, uploaded

KINDS = ("classification", "classification", "tagging", "question-answering")
HEADER = ("text", "label")


@pytest.mark.parametrize("language", SAMPLES)
def test_the_sets_are_of_four_kinds(language):
    found = [examples_of(SAMPLES[language][name].table) for name in ORDER]
    assert [one.task for one in found] == list(KINDS)
    assert [len(one.examples) for one in found] == [len(SAMPLES[language][name].table.rows) for name in ORDER]


@pytest.mark.parametrize(
    ("text", "header", "rows"),
    [
        ("a b\tx\nc d\ty", HEADER, [("a b", "x"), ("c d", "y")]),
        ("late, again, delivery\nwrong sum, billing", HEADER, [("late, again", "delivery"), ("wrong sum", "billing")]),
        ("text,label\na,x\nb,y\n", HEADER, [("a", "x"), ("b", "y")]),
        ('{"text": "a", "label": "x"}\n{"text": "b", "label": "y"}', HEADER, [("a", "x"), ("b", "y")]),
        ("[Ann](P) is, in [Rome](L)\nNo.\n[Tom](P) saw [Oslo](L)", ("text",), [("[Ann](P) is, in [Rome](L)",)]),
        ("Who?\tAnn sings.\tAnn\nWhy?\tTom is out.\t", ASKED, [("Who?", "Ann sings.", "Ann")]),
        ("a\t1.5\nb\t2\nc\t3.25", HEADER, [("a", "1.5")]),
        ('text,label\na,"[""x"", ""y""]"\nb,[]\n', HEADER, [("a", '["x", "y"]')]),
    ],
)  # fmt: skip
def test_what_is_pasted_is_read(text, header, rows):
    table = pasted(text)
    assert table.headers == header
    assert table.rows[: len(rows)] == tuple(rows)
    assert examples_of(table).task == examples_of(table).task


def test_a_file_is_read_and_its_spans_become_marks(tmp_path):
    file = tmp_path / "names.jsonl"
    spans = [{"start": 0, "end": 3, "label": "PER"}]
    file.write_text("".join(json.dumps({"text": "Ann (x) [y]", "spans": spans}) + "\n" for _ in range(2)))
    table = uploaded(file)
    assert table == Table(("text",), (("[Ann](PER) \\(x\\) \\[y\\]",),) * 2)
    assert examples_of(table).examples.targets == ((Span(0, 3, "PER"),),) * 2


@pytest.mark.parametrize(
    ("table", "part"),
    [
        (Table(HEADER, (("", " "),)), "no examples yet"),
        (Table(HEADER, (("a", "x"), ("b", ""))), "row 2 has no label"),
        (Table(("text",), (("a",), ("b",))), "no labels"),
        (Table(HEADER, (("a", "x"),) * (ROWS + 1)), "at most"),
        (Table(HEADER, (("a" * 20_000, "x"), ("b", "y"))), "row 1 has more than"),
        (Table(("title", "label"), (("a", "x"),)), "no column 'text'"),
    ],
)
def test_a_table_that_nothing_is_learnt_from_is_refused_in_our_words(table, part):
    with pytest.raises(MetaglotError, match=part) as error:
        examples_of(table)
    assert "/tmp" not in str(error.value)


@pytest.mark.parametrize(
    "text", ["x" * 200_000, '"' + "a\n" * 100_000 + '", b', '{"text": "' + "x" * 200_000 + '", "label": "a"}']
)
def test_a_paste_that_is_one_huge_text_is_refused_in_our_words(text):
    with pytest.raises(MetaglotError, match="10,000 characters"):
        pasted(text)


def test_an_answer_that_stands_later_keeps_its_place():
    header = header_of("answers", ("text", "text_pair", "label"))
    row = {"text": "Who?", "text_pair": "Ann saw Ann", "label": json.dumps({"text": "Ann", "start": 8, "end": 11})}
    cells = row_of(header, row)
    assert examples_of(Table(header, (cells, cells))).examples.targets[0].start == 8
    assert row_of(header, {**row, "label": json.dumps({"text": "Ann", "start": 0})})[2] == "Ann"


@settings(max_examples=30)
@given(st.text(st.characters(blacklist_categories=("Cs", "Cc")), min_size=1, max_size=30), st.integers(0, 29))
def test_a_prediction_is_corrected_in_the_form_of_the_table(text, at):
    family, header = family_called("tagging"), ("text",)
    start = min(at, len(text) - 1)
    spans = (Span(start, start + 1, "X"),) if text[start].strip() else ()
    cell = cell_of(header, spans, text, family)
    assert target_of(header, filled(header, (text, ""), cell), family) == (text, None, spans)


def test_labels_are_corrected_by_their_cells():
    several = target_of(HEADER, filled(HEADER, ("a", ""), '["x", "y"]'), family_called("multilabel"))
    assert set(several[2]) == {"x", "y"}
    assert target_of(HEADER, filled(HEADER, ("a", ""), "2.5"), family_called("regression"))[2] == 2.5
    with pytest.raises(MetaglotError, match="no label"):
        target_of(HEADER, filled(HEADER, ("a", ""), " "), family_called("classification"))
