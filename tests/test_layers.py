"""Imports point one way, between packages and between files, and functions hide none."""

import ast
import graphlib
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import metaglot

ROOT = Path(metaglot.__file__).parent
ORDER = (
    *("version", "errors", "cluster", "seeds", "choices", "metric", "decoding", "types", "data", "models", "families"),
    *("tasks", "inner", "algorithms", "training", "runs", "adaptation", "evaluation", "report"),
    *("loading", "sklearn", "serving", "config", "assembly", "playground", "cli", "__main__"),
)


LAZY: Mapping[str, str] = {
    "metaglot.loading": "the face of the package, whose import stays free of torch",
    "metaglot.sklearn": "the face for scikit-learn, whose import stays free of torch",
    "metaglot.__main__": "an interrupt while the commands are loading is caught",
    "metaglot.data.locks": "commands take a lock before they need pydantic, which `--help` does without",
}
"""Files outside `cli/` that import metaglot within a function, and why; commands may, so that `--help` is quick."""
COMMANDS = "metaglot.cli."


def layer(module: str) -> int:
    """The place of a dotted name below metaglot."""
    return ORDER.index(module.split(".")[0])


def imported(path: Path) -> set[str]:
    """The names below metaglot that a file imports, at its top or within a function."""
    found: set[str] = set()
    package = ["metaglot", *path.relative_to(ROOT).parts[:-1]]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            stem = ".".join([*base, *([node.module] if node.module else [])])
            found |= {f"{stem}.{alias.name}" for alias in node.names} if stem == "metaglot" else {stem}
    return {name.removeprefix("metaglot.") for name in found if name.startswith("metaglot.")}


def wrong(path: Path) -> list[str]:
    own = path.relative_to(ROOT).with_suffix("").parts
    if own == ("__init__",):
        return []  # the package itself gathers what is public
    mine = layer(own[0])
    return [
        f"{'.'.join(own)} imports {name}"
        for name in sorted(imported(path))
        if not name.startswith("__") and name != "MetaglotError" and layer(name) > mine
    ]


def test_imports_point_one_way(record_property):
    files = sorted(ROOT.rglob("*.py"))
    edges = sum(len(imported(path)) for path in files)
    record_property("files", len(files))
    print(f"{len(files)} files, {edges} imports within the package")
    assert len(files) > 40
    assert edges > 100
    assert [line for path in files for line in wrong(path)] == []


def named(path: Path) -> str:
    """The dotted name of a file; of a package, its own."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(["metaglot", *(parts[:-1] if parts[-1] == "__init__" else parts)])


@cache
def by_file() -> dict[str, ast.Module]:
    """The syntax of each file by its name; read once."""
    return {named(path): ast.parse(path.read_text("utf-8")) for path in sorted(ROOT.rglob("*.py"))}


def files_imported(tree: ast.AST, files: Mapping[str, object]) -> Iterator[str]:
    """Yield the files that a piece of syntax imports, under TYPE_CHECKING and within functions too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in files)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "a relative import"
            whole = (f"{node.module}.{alias.name}" for alias in node.names)
            yield from (name if name in files else str(node.module) for name in whole if node.module in files)


def circle(files: Mapping[str, ast.Module]) -> list[str]:
    """Return the files of a circle of imports; none where there is none."""
    graph = {name: set(files_imported(tree, files)) - {name} for name, tree in files.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def hidden(files: Mapping[str, ast.Module]) -> set[str]:
    """Return the files that import others of the package within a function."""
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {
        name
        for name, tree in files.items()
        for node in ast.walk(tree)
        if isinstance(node, functions) and any(files_imported(node, files))
    }


def test_files_form_no_circle():
    files = by_file()
    edges = sum(len(set(files_imported(tree, files))) for tree in files.values())
    print(f"{len(files)} files, {edges} imports between files")
    assert edges > 500
    assert circle(files) == []


def test_benchmarks_form_no_circle():
    folder = Path(__file__).parents[1] / "benchmarks"
    paths = {".".join(path.relative_to(folder.parent).with_suffix("").parts): path for path in folder.rglob("*.py")}
    files = {name.removesuffix(".__init__"): ast.parse(path.read_text("utf-8")) for name, path in paths.items()}
    assert len(files) > 80
    assert circle(files) == []


def test_only_commands_and_faces_import_within_functions():
    assert {name for name in hidden(by_file()) if not name.startswith(COMMANDS)} == set(LAZY)


def test_the_face_of_adaptation_imports_its_room_and_no_file_of_the_room_imports_it():
    files = by_file()
    room = {name: tree for name, tree in files.items() if name.startswith("metaglot.adaptation.")}
    reached, left = set[str](), ["metaglot.adaptation.face"]
    while left:
        new = set(files_imported(room[left.pop()], files)) & room.keys() - reached
        reached |= new
        left += new
    beside = {"scripts"}  # what a command says of the language of texts
    assert room.keys() - reached == {"metaglot.adaptation.face", *(f"metaglot.adaptation.{one}" for one in beside)}


def test_a_circle_and_a_hidden_import_are_found():
    sources = {
        "metaglot.a": "def f():\n    from metaglot import b",
        "metaglot.b": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from metaglot.a import f",
        "metaglot.c": "import metaglot.a\ndef f():\n    import torch",
        "metaglot": "",
    }
    files = {name: ast.parse(source) for name, source in sources.items()}
    assert set(circle(files)) == {"metaglot.a", "metaglot.b"}
    assert hidden(files) == {"metaglot.a"}
    del files["metaglot.b"]
    assert circle(files) == []


def test_every_package_has_a_place():
    parts = {path.stem if path.suffix == ".py" else path.name for path in ROOT.iterdir()}
    for part in parts - {"__init__", "__pycache__", "py.typed", "recipes", "weights"}:
        layer(part)
    assert {"data", "models", "families", "tasks", "inner", "algorithms"} <= parts


def test_it_can_tell(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "ROOT", tmp_path)
    (tmp_path / "inner").mkdir()
    file = tmp_path / "inner" / "x.py"
    file.write_text(
        "import metaglot.models.heads\n"
        "from metaglot import algorithms\n"
        "from ..training import loop\n"
        "def f():\n    from metaglot.cli.data import main\n"
        "from metaglot.errors import MetaglotError\nimport torch\n"
    )
    assert wrong(file) == [
        "inner.x imports algorithms",
        "inner.x imports cli.data",
        "inner.x imports training",
    ]
