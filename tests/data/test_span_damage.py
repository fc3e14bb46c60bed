"""Files of spans with any values and signs: a table, or an error that names the file."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.data.test_span_files import write

from metaglot.data.readers import read_table
from metaglot.data.span_marks import with_marks, without_marks
from metaglot.data.spans import Span, spans_in
from metaglot.errors import MetaglotError


def table_or_fault(path: Path) -> pa.Table | None:
    """The table of a file; None where there is an error, which names the file."""
    message = ""
    try:
        return read_table(path, cells="spans")
    except MetaglotError as error:
        message = str(error)
    assert str(path) in message
    return None


NAMES = ["text", "tokens", "tags", "ner_tags", "label", "spans", "entities", "labels", "words"]
LEAF = (
    st.none()
    | st.booleans()
    | st.integers(-1, 9)
    | st.floats()
    | st.sampled_from(["", "a", "B-X", "I-X", "O", "[", "[]"])
)
PART = st.dictionaries(st.sampled_from(["start", "end", "label", "labels", "text"]), LEAF | st.lists(LEAF, max_size=2))
VALUE = LEAF | st.lists(LEAF | PART | st.lists(LEAF, max_size=4), max_size=3)


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), VALUE, max_size=4), min_size=1, max_size=3), st.booleans())
def test_any_values_are_read_or_refused_with_the_name_of_the_file(
    tmp_path: Path, objects: list[dict[str, Any]], lines: bool
):
    path = write(tmp_path / ("a.jsonl" if lines else "a.json"), objects)
    table = table_or_fault(path)
    if table is None:
        return
    cells = table["label"].to_pylist() if "label" in table.column_names else []
    for text, cell in zip(table["text"].to_pylist(), cells, strict=False):
        assert cell is None or spans_in(cell, "row", text) == spans_in(cell, "row")


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.text(st.sampled_from(list('aO B-I\t\n#[]()\\{}"/x')), min_size=1, max_size=60),
    st.sampled_from(["a.conll", "a.txt"]),
)
def test_any_text_is_read_or_refused_with_the_name_of_the_file(tmp_path: Path, text: str, name: str):
    path = write(tmp_path / name, text)
    table = table_or_fault(path)
    assert table is None or table.num_rows > 0


@given(st.text(st.sampled_from(list("ab []()\\{}")), max_size=12), st.data())
def test_marks_give_text_and_spans_back(text: str, data: st.DataObject):
    first = data.draw(st.integers(0, len(text)))
    last = data.draw(st.integers(first, len(text)))
    spans = (Span(first, last, "a(b]"),) if text[first:last].strip() == text[first:last] != "" else ()
    assert without_marks(with_marks(text, spans), "row") == (text, spans)
