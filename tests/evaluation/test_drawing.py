import xml.etree.ElementTree as ET

import pytest

from metaglot.report.drawing import (
    Cells,
    Dot,
    Panel,
    Reliability,
    Series,
    cell_chart,
    dot_chart,
    line_chart,
    rank_chart,
    reliability_chart,
)
from metaglot.report.drawing.axes import label, log_ticks, scale, ticks
from metaglot.report.drawing.svg import colour, marker, shorten, width_of

SVG = "{http://www.w3.org/2000/svg}"


def test_a_point_stands_where_the_axes_say() -> None:
    root = ET.fromstring(line_chart([Series("a", [0, 10], [0, 100])], title="t", x="x"))
    start, end = (
        tuple(map(float, p.split(",")))
        for p in next(root.iter("{http://www.w3.org/2000/svg}polyline")).attrib["points"].split()
    )
    marks = {e.text: e for e in root.iter("{http://www.w3.org/2000/svg}text")}
    assert float(marks["10"].attrib["x"]) == pytest.approx(end[0])
    assert float(marks["100"].attrib["y"]) - 4 == pytest.approx(end[1])
    assert end[0] > start[0]
    assert end[1] < start[1]


def test_values_that_are_not_numbers_are_left_out() -> None:
    nan = float("nan")
    assert "nan" not in line_chart([Series("a", [0, 1, 2], [0.1, nan, 0.3])], title="t", x="x")
    assert "nan" not in dot_chart([Panel("p", [Dot("m", 0.5, nan, nan, "50.0")])], title="t", x="x")


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 400, [0, 100, 200, 300, 400]),
        (0.47, 0.66, [0.45, 0.5, 0.55, 0.6, 0.65, 0.7]),
    ],
)
def test_ticks(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)


def test_ticks_cover_and_are_few() -> None:
    checked = 0
    for low in (-3.7, 0.0, 0.1234, 55.0, 1e6):
        for span in (0.0, 1e-6, 0.013, 0.9, 7.0, 12345.0):
            marks = ticks(low, low + span)
            assert marks[0] <= low + 1e-12
            assert marks[-1] >= low + span - 1e-12 * abs(low)
            assert 2 <= len(marks) <= 8
            assert len({label(mark, marks) for mark in marks}) == len(marks)
            checked += 1
    assert checked == 30


def test_log_ticks_and_scale() -> None:
    assert log_ticks(0.03, 40) == [0.01, 0.1, 1, 10, 100]
    assert log_ticks(1, 1) == [1, 10]
    right = scale([0.1, 10], [0.1, 1, 10], 100, 300, log=True)
    assert [right(v) for v in (0.1, 1, 10)] == pytest.approx([100, 200, 300])
    same = scale([2.0], [2.0], 0, 10)
    assert same(2.0) == 5


def test_a_log_axis_leaves_out_what_has_no_logarithm() -> None:
    root = ET.fromstring(line_chart([Series("a", [0, 0.1, 10], [1, 2, 3])], title="t", x="x", log=True))
    assert len(list(root.iter(SVG + "circle"))) == 2
    assert line_chart([Series("a", [0], [1])], title="t", x="x", log=True) == ""


def test_several_lines_have_bars_beside_each_other_and_one_line_a_band() -> None:
    one = Series("a", [1, 2], [1, 2], [0.5, 1.5], [1.5, 2.5])
    assert "polygon" in line_chart([one], title="t", x="x")
    three = [one._replace(name=name, style=n) for n, name in enumerate("abc")]
    root = ET.fromstring(line_chart(three, title="t", x="x"))
    bars = [e for e in root.iter(SVG + "line") if e.attrib["class"].startswith("thin")]
    assert len(bars) == 6
    assert len({e.attrib["x1"] for e in bars}) == 6
    assert not [e for e in root.iter(SVG + "polygon") if "band" in e.attrib["class"]]


def test_series_differ_by_colour_and_by_marker() -> None:
    looks = {(colour(n), marker(0, 0, n).replace(colour(n), "")) for n in range(30)}
    assert len(looks) == 30
    assert [n for n in range(30) if colour(n) == "s0"] == [0]


def test_a_dot_has_both_intervals_and_zero_is_on_the_axis() -> None:
    root = ET.fromstring(dot_chart([Panel("p", [Dot("m", 5, 4, 6, "5", outer=(2, 9))])], title="t", x="x", zero=True))
    bars = [
        float(e.attrib["x2"]) - float(e.attrib["x1"]) for e in root.iter(SVG + "line") if "other" in e.attrib["class"]
    ]
    assert bars[0] == pytest.approx(bars[1] * 7 / 2, abs=0.5)
    assert "0" in [e.text for e in root.iter(SVG + "text")]
    assert dot_chart([], title="t", x="x") == ""


def test_the_rank_diagram_has_methods_bars_and_the_critical_difference() -> None:
    drawn = rank_chart(["a", "b", "c"], [1.2, 2.0, 2.8], critical=0.9, groups=[(0, 1), (1, 2)], title="t", strong="a")
    root = ET.fromstring(drawn)
    said = [e.text for e in root.iter(SVG + "text")]
    assert {"a  1.20", "b  2.00", "2.80  c", "CD 0.90"} <= set(said)
    bars = [e for e in root.iter(SVG + "line") if e.attrib["class"] == "clique"]
    marks = {e.text: float(e.attrib["x"]) for e in root.iter(SVG + "text") if e.text in {"1", "2", "3"}}
    assert len(bars) == 2
    assert float(bars[0].attrib["x2"]) == pytest.approx(marks["2"] + 4, abs=0.1)
    assert "wider than the axis" in rank_chart(["a", "b"], [1.4, 1.6], critical=9, groups=[], title="t")


def test_cells_are_darker_for_larger_values() -> None:
    root = ET.fromstring(cell_chart(Cells(["a", "b"], [[0.0, 1.0], [0.5, float("nan")]], ["1", "2"]), title="t", x="x"))
    shades = [float(e.attrib["opacity"]) for e in root.iter(SVG + "rect")]
    assert shades == pytest.approx([0.06, 0.56, 0.31])
    assert cell_chart(Cells([], [], []), title="t", x="x") == ""


def test_reliability_squares() -> None:
    method = Reliability("m", [0.25, 0.75], [0.25, 0.5], [10, 30])
    root = ET.fromstring(reliability_chart([method] * 4, title="t"))
    assert len(list(root.iter(SVG + "circle"))) == 8
    diagonal = next(e for e in root.iter(SVG + "line") if e.attrib["class"] == "dash").attrib
    dot = next(root.iter(SVG + "circle")).attrib
    share = (float(dot["cx"]) - float(diagonal["x1"])) / (float(diagonal["x2"]) - float(diagonal["x1"]))
    assert share == pytest.approx(0.25, abs=0.01)  # calibrated: on the diagonal
    up = (float(dot["cy"]) - float(diagonal["y1"])) / (float(diagonal["y2"]) - float(diagonal["y1"]))
    assert up == pytest.approx(0.25, abs=0.01)
    assert reliability_chart([method._replace(size=[])], title="t") == ""


def test_names_that_are_too_long_are_cut_in_the_middle() -> None:
    cut = shorten("better frozen (frozen-proto, frozen-lr)", 100)
    assert width_of(cut) <= 100
    assert cut.startswith("bet")
    assert cut.endswith("lr)")
    assert shorten("short", 100) == "short"
