"""What the second house promises, counted: `pytest -s tests/test_house.py tests/test_layers.py` prints the table."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from statistics import median

import pytest
from tests.test_layers import by_file

import metaglot
from metaglot.choices import ALGORITHMS, FAMILIES

CLASSES_ALONE: Mapping[str, str] = {
    "metaglot.adaptation.from_names": "names alone, without an example, tell only classes apart",
    "metaglot.algorithms.check": "`check-gradient` makes up a task of classes",
    "metaglot.assembly.plan": "a recipe that says nothing else is of classes",
    "metaglot.assembly.tasks": "tasks that are made of raw text are of classes",
    "metaglot.data.columns": "a cell is in its one form, that of a label, before anybody knows its kind",
    "metaglot.evaluation.kinds": "results and tasks that say nothing of their kind are of classes",
}
"""Files outside the family of classes that know what a class is, each with its reason."""

OF_CLASSES = {"labels_of", "in_order", "of_kind"}  # of data/labels.py: what makes classes of labels
ROOT = Path(__file__).parents[1]
LINES = 300  # of a file, at most
BODY, MIDDLE = 40, 6  # lines of the body of a function: at most, and in the middle
RUN = 123  # files of which `adapt` calls a function, at most


def knows_classes(tree: ast.AST) -> bool:
    """Whether a file imports what only the family of classes has."""
    return any(
        node.module in ("metaglot.families.classification", "metaglot.families.heads.classes")
        or (node.module == "metaglot.data.labels" and bool(OF_CLASSES & {alias.name for alias in node.names}))
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    )


def test_few_files_know_what_a_class_is():
    files = by_file()
    outside = {name for name, tree in files.items() if knows_classes(tree) and ".families." not in name}
    print(f"files that know what a class is, outside its family: {len(outside)} of {len(files)}")
    assert outside == set(CLASSES_ALONE)
    assert len(outside) <= 6


def test_no_family_knows_another():
    kinds = {place.partition(":")[0] for place in FAMILIES.places.values()}
    files = by_file()
    for kind in kinds:
        others = {
            node.module for node in ast.walk(files[kind]) if isinstance(node, ast.ImportFrom) and node.module
        } & kinds
        assert others == set(), kind


def files_of(*folders: str) -> dict[str, str]:
    """The Python files of folders of the repository, by their path in it."""
    paths = (path for folder in folders for path in sorted((ROOT / folder).rglob("*.py")))
    return {path.relative_to(ROOT).as_posix(): path.read_text("utf-8") for path in paths}


def bodies(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Yield the name of each function, and the lines of its body without the docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            told = ast.get_docstring(node) is not None
            first = node.body[0].end_lineno + 1 if told else node.body[0].lineno
            yield node.name, node.end_lineno - first + 1


def test_a_file_is_read_in_one_go():
    files = files_of("src", "tests", "benchmarks", "examples", "docs/_ext")
    lines = {name: len(text.splitlines()) for name, text in files.items()}
    print(f"files: {len(lines)}; the longest has {max(lines.values())} lines")
    assert len(lines) > 900
    assert [name for name, count in lines.items() if count > LINES] == []


def test_a_function_does_one_thing():
    """Docstrings and signatures do not count: an option of a command is a line of its signature."""
    files = files_of("src", "benchmarks", "examples", "docs/_ext")
    found = [(count, f"{name}: {own}") for name, text in files.items() for own, count in bodies(ast.parse(text))]
    counts = [count for count, _ in found]
    print(f"functions: {len(found)}; lines of a body: {median(counts):.0f} in the middle, {max(counts)} at most")
    assert median(counts) <= MIDDLE
    assert [one for count, one in found if count > BODY] == []


def test_public_names():
    names = [name for name in metaglot.__all__ if not name.startswith("_")]
    print(f"public names: {len(names)}; kinds of tasks: {len(FAMILIES)}; algorithms: {len(ALGORITHMS)}")
    assert 10 <= len(names) <= 20


TRACED = """
import sys, threading
ran = set()
def called(frame, event, arg):
    if frame.f_code.co_flags & 1 and frame.f_code.co_name != "<module>":  # a function, and no body of a class
        ran.add(frame.f_code.co_filename)
sys.setprofile(called); threading.setprofile(called)
from metaglot.cli.app import main
try:
    main()
except SystemExit as left:
    code = left.code
sys.setprofile(None)
assert not code, code
print(sum("/metaglot/" in name and "/src/" in name for name in ran))
"""


@pytest.mark.slow
def test_files_that_adapt_runs(tmp_path: Path):
    examples = tmp_path / "x.csv"
    examples.write_text("text,label\n" + "".join(f"{word} {n},{word}\n" for word in ("red", "blue") for n in range(4)))
    command = [sys.executable, "-c", TRACED, "adapt", "builtin:tiny", str(examples), "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    count = int(done.stdout.split()[-1])
    print(f"files of which `adapt` calls a function: {count}")
    assert 20 < count <= RUN


def listed(text: str) -> Iterator[ast.AST]:
    yield ast.parse(text)


def test_it_can_tell():
    (knowing,) = listed("from metaglot.data.labels import Label, in_order")
    (other,) = listed("from metaglot.data.labels import Label\nfrom metaglot.families.family import Family")
    assert knows_classes(knowing)
    assert not knows_classes(other)
