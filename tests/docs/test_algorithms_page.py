"""docs/algorithms.md has a section for every algorithm: a paragraph, a formula, its papers, its picture as drawn."""

import importlib.util
import re
from pathlib import Path

import pytest

from metaglot.algorithms.describe import describe
from metaglot.choices import ALGORITHMS, ESTIMATORS, HEADS, RULES, SCOPES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "algorithms.md").read_text("utf-8")
SECTIONS = {
    found[1]: found[2] for found in re.finditer(r"^### (\S+)\n(.*?)(?=^###? |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL)
}


@pytest.fixture(scope="module")
def pictures():
    spec = importlib.util.spec_from_file_location("algorithm_pictures", DOCS / "_ext" / "algorithm_pictures.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_algorithm_has_its_section_and_nothing_else_has():
    assert sorted(SECTIONS) == sorted(ALGORITHMS)
    assert len(SECTIONS) >= 20


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_section_says_what_it_should(name, pictures):
    section = SECTIONS[name]
    words, formula, rest = section.split("$$")
    assert len(words.split()) >= 25
    assert len(formula.strip()) > 10
    assert all(paper.url in words for paper in describe(name).papers), "every paper that its file names"
    assert rest.count("**How ours differs.** ") == 1, "from the paper: what, or in what way not at all"
    (shown,) = re.findall(r"!\[(.*?)\]\((.*?)\)", rest)
    assert shown[0] == name
    assert DOCS / shown[1] == pictures.file_of(name)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_picture_is_what_its_choices_draw(name, pictures):
    """If not: python docs/_ext/algorithm_pictures.py"""
    facts = pictures.facts_of(name)
    drawn = pictures.picture(facts)
    assert pictures.file_of(name).read_text("utf-8") == drawn
    moved = drawn.count(pictures.MOVED) + drawn.count(pictures.OTHER)
    assert (moved > 0) == (facts.steps > 0)
    assert (pictures.EXACT in drawn) == describe(name).exact


def test_no_picture_is_left_of_an_algorithm_that_is_gone(pictures):
    assert {file.name for file in pictures.FOLDER.iterdir()} == {pictures.file_of(name).name for name in ALGORITHMS}


def test_the_reference_has_them_all():
    page = (DOCS / "reference" / "algorithms.md").read_text("utf-8")
    listed = re.findall(r"autofunction:: (\S+)", page)
    assert listed == [f"{make.__module__}.{make.__qualname__}" for make in ALGORITHMS.values()]


def test_the_four_choices_are_all_told():
    page = (DOCS / "concepts" / "four-choices.md").read_text("utf-8")
    rows = [line for line in page.splitlines() if line.startswith("|")]
    named = {name for row in rows for name in re.findall(r"`([\w+-]+)`", row.split("|")[1])}
    for choices in (SCOPES, HEADS, RULES, ALGORITHMS):
        assert set(choices) <= named
    assert all(f"`{name}`" in page for name in ESTIMATORS)
    for name in ALGORITHMS:
        said = describe(name)
        cells = [f"`{name}`", said.scope, said.head, said.rule, str(said.steps), said.estimator]
        assert f"| {' | '.join(cells)} |" in rows
