import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from metaglot.errors import MetaglotError
from metaglot.evaluation import Result, curve_chart, method_chart, write_report
from metaglot.evaluation.svg import Dot, Panel, Series, dot_chart, label, line_chart, ticks

EVIL = "<script>alert('x')</script> & \"quoted\""
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """Checks that tags are balanced; keeps tags, attributes and text."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in {"src", "href", "xlink:href", "action"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_whole_self_contained_and_escaped(results: list[Result], tmp_path: Path) -> None:
    evil = [Result(**{**vars(r), "task": r.task + EVIL}) for r in results]
    curve = [{"step": s, "accuracy": 0.5 + s / 1000, "loss": 1 / (1 + s)} for s in range(0, 200, 20)]
    path = write_report(
        tmp_path / "new" / "report.html",
        title=EVIL,
        summary=EVIL,
        results=evil,
        curve=curve,
        config={"algorithm": {EVIL: EVIL}, "seed": 0},
        environment={"torch": "2"},
        leave_out=["c" + EVIL],
    )
    text = path.read_text("utf-8")
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    assert "script" not in page.tags
    assert page.links == []
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert page.text.count(EVIL) >= 5
    assert page.tags.count("svg") == 3
    assert "prefers-color-scheme" in text
    assert "width=device-width" in text
    assert f"algorithm.{EVIL}" in page.text
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_a_page_without_results_or_curve(tmp_path: Path) -> None:
    path = write_report(tmp_path / "r.html", title="t", summary="s", results=[], config={}, environment={})
    page = Page()
    page.feed(path.read_text())
    assert page.open == []
    assert not {"svg", "table"} & set(page.tags)


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MetaglotError, match="cannot be written"):
        write_report(tmp_path / "file" / "r.html", title="", summary="", results=[], config={}, environment={})


def test_charts_are_well_formed_and_hold_every_method(results: list[Result]) -> None:
    root = ET.fromstring(method_chart(results))
    said = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
    assert said.count("ours-fast") == said.count("tfidf") == 2
    assert {"1 shot", "5 shots"} <= set(said)
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 10
    assert method_chart([]) == ""


def test_curve_takes_the_records_it_understands() -> None:
    curve = [{"step": 0, "loss": 1.0}, {"step": 10, "accuracy": 0.5}, {"step": 20, "accuracy": 0.75}, {"note": "x"}]
    root = ET.fromstring(curve_chart(curve))
    assert len(list(root.iter("{http://www.w3.org/2000/svg}circle"))) == 2
    assert curve_chart([{"step": 1}]) == curve_chart([]) == ""
    kinds = [{**r, "kind": "validation" if "accuracy" in r else "step"} for r in curve]
    assert curve_chart([*kinds, {"kind": "step", "step": 15, "accuracy": 0.1}]) == curve_chart(curve)
    band = [{**r, "ci95": 0.02} for r in curve]
    assert "polygon" in curve_chart(band)
    assert "polygon" not in curve_chart(curve)
    long = ET.fromstring(curve_chart([{"step": s, "loss": 1.0 * s} for s in range(10_000)], "loss"))
    (line,) = long.iter("{http://www.w3.org/2000/svg}polyline")
    assert 100 <= len(line.attrib["points"].split()) <= 150


def test_a_point_stands_where_the_axes_say() -> None:
    root = ET.fromstring(line_chart([Series("a", [0, 10], [0, 100])], title="t", x="x", y="y"))
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
    assert "nan" not in line_chart([Series("a", [0, 1, 2], [0.1, nan, 0.3])], title="t", x="x", y="y")
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
