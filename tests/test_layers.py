"""Imports point one way: each module imports only what stands above it in DESIGN.md's layout."""

import ast
from pathlib import Path

import metaglot

ROOT = Path(metaglot.__file__).parent
ORDER = (
    *("version", "errors", "seeds", "choices", "metric", "types", "data", "models", "families", "tasks"),
    *("inner", "algorithms", "training", "runs", "adaptation", "evaluation", "report", "search", "export", "serving"),
    *("sklearn", "config", "assembly", "cli", "__main__"),
)


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
