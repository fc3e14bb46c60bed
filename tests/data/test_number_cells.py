"""Numbers with a comma: what to write in their place does not change what they are."""

import pytest

from metaglot.data.label_shape import shape_notes
from metaglot.data.number_cells import number_of
from metaglot.errors import MetaglotError


@pytest.mark.parametrize(
    ("cell", "way"),
    [
        ("2,5", "write 2.5$"),
        ("-0,125", "write -0.125$"),
        ("1,000", "write 1000, or 1.000 for a fraction$"),
        ("-12,345", "write -12345, or -12.345 for a fraction$"),
        ("1234,567", "write 1234.567$"),
        ("1,000,000", "mend it"),
    ],
)
def test_a_comma_is_told_with_what_it_may_mean(cell, way):
    with pytest.raises(MetaglotError, match=way):
        number_of(cell, "line 2")


@pytest.mark.parametrize(
    ("labels", "way"),
    [
        (["1,000", "2,500", "900"], "write 1000, or 1.000"),
        (["1,5", "3", "4,25"], "write 4.25"),
        (["1,2", "3,4", "5"], ""),
    ],
)
def test_labels_with_commas_are_noted_where_they_are_no_lists(labels, way):
    assert way in "".join(shape_notes(labels))
    assert bool(shape_notes(labels)) == bool(way)
