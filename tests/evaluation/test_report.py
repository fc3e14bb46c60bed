import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from pathlib import Path

import pytest

from metaglot.errors import MetaglotError
from metaglot.evaluation import Result
from metaglot.evaluation.leakage import Counts, Leakage, TaskLeakage
from metaglot.families.scoring import Bin
from metaglot.report import ReportData, curve_chart, method_chart, write_report
from metaglot.report.page import markdown_report, report_of
from metaglot.report.rates import AlgorithmParameter

EVIL = "<script>alert('x')</script> & \"quoted\""
SVG = "{http://www.w3.org/2000/svg}"
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


def report_data(results: list[Result]) -> ReportData:
    """What a whole page is made of, each name and text hostile."""
    bins = (Bin(3, 4, 1.0, 1), Bin(9, 6, 3.8, 4))
    evil = [Result(**{**vars(r), "task": r.task + EVIL, "bins": bins}) for r in results]
    curve = [{"step": s, "accuracy": 0.5 + s / 1000, "loss": 1 / (1 + s)} for s in range(0, 200, 20)]
    learnt = [
        AlgorithmParameter("algorithm.rule.rate." + EVIL, (2, 3), ((0.1, 0.2, 0.3), (0.4, 0.5, 0.6)), logarithm=False)
    ]
    counts = Counts(10, 1, 2)
    seen = TaskLeakage("a" + EVIL, counts, counts, counts, 0, 3, 3, ("x",), {EVIL: 3})
    return ReportData(
        EVIL,
        evil,
        {EVIL: curve, "other": curve},
        {EVIL: learnt},
        [Leakage("m", known=True, texts=5, excluded=False, tasks=(seen,))],
        {"Configuration": {"algorithm": {EVIL: EVIL}, "sets": [{"path": EVIL}], "nothing": []}},
        ["c" + EVIL],
    )


def read(text: str) -> Page:
    page = Page()
    page.feed(text)
    page.close()
    assert page.open == []
    return page


def test_the_page_is_whole_self_contained_and_escaped(results: list[Result], tmp_path: Path) -> None:
    path = write_report(tmp_path / "new" / "report.html", report_data(results))
    text = path.read_text("utf-8")
    page = read(text)
    assert not {"script", "link", "img", "iframe", "object"} & set(page.tags)
    assert page.links == [f"#part-{n}" for n in range(1, 9)]
    assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in text
    assert page.text.count(EVIL) >= 5
    assert page.tags.count("svg") == 9
    assert text.count('role="img" aria-label="') == 9
    assert page.tags.count("th") == text.count('<th scope="')
    assert "prefers-color-scheme" in text
    assert "width=device-width" in text
    assert f"algorithm.{EVIL}" in page.text
    assert "sets.0.path" in page.text
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_the_sections_come_in_the_order_in_which_a_reader_asks(results: list[Result]) -> None:
    made = report_of(report_data(results))
    titles = [section.title for section in made.sections]
    assert titles == [
        *("Accuracy", "Task by task", "Cost", "Against the baselines", "Ranks", "Calibration"),
        *("Meta-training", "Leakage"),
    ]
    assert all(section.charts or section.grids for section in made.sections)
    assert [row[0].text[0] for row in made.sections[1].grids[0].rows] == ["c", "c", "a", "a", "b", "b"]


def test_every_picture_is_well_formed_and_says_what_it_shows(results: list[Result]) -> None:
    pictures = [chart for section in report_of(report_data(results)).sections for chart in section.charts]
    assert len(pictures) == 9
    for chart in pictures:
        root = ET.fromstring(chart)
        assert root.attrib["aria-label"].startswith(str(root[0].text))
        assert root[0].tag.endswith("title")
        assert not re.search(r"[ \"](nan|inf)", chart)
        _, _, width, height = map(float, root.attrib["viewBox"].split())
        places = [(float(e.attrib["x"]), float(e.attrib["y"])) for e in root.iter(SVG + "text")]
        assert places
        assert all(-1 <= x <= width + 1 and 0 <= y <= height for x, y in places)


def test_the_markdown_holds_every_table(results: list[Result]) -> None:
    made = report_of(report_data(results))
    text = markdown_report(made)
    tables = [grid for section in made.sections for grid in (*section.grids, *section.details)]
    assert len(tables) >= 10
    assert all(f"**{grid.title}.**" in text for grid in tables)
    assert text.startswith(f"# {EVIL}\n\n{made.headline}\n")
    assert "`sets.0.path`" in text


def test_a_run_alone(tmp_path: Path) -> None:
    curve = [{"kind": "validation", "step": s, "accuracy": 0.5 + s / 100} for s in (0, 5, 10)]
    made = report_of(ReportData("run", curves={"run": curve}))
    assert made.headline == "run took 10 steps; accuracy on its validation tasks went from 50.0 % to 60.0 %."
    assert [section.title for section in made.sections] == ["Meta-training"]
    assert report_of(ReportData("run", curves={"run": []})).headline == "run took no step."


def test_a_page_without_anything(tmp_path: Path) -> None:
    page = read(write_report(tmp_path / "r.html", ReportData("t")).read_text())
    assert not {"svg", "table"} & set(page.tags)


def test_a_page_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MetaglotError, match="cannot make the folder"):
        write_report(tmp_path / "file" / "r.html", ReportData("t"))


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
