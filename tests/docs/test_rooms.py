"""The picture of the rooms is what the imports draw, and a circle is noticed."""

import importlib.util
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def rooms():
    spec = importlib.util.spec_from_file_location("rooms_picture", DOCS / "_ext" / "rooms_picture.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_is_of_these_imports(rooms):
    """If not: python docs/_ext/rooms_picture.py"""
    assert rooms.FILE.read_text("utf-8") == rooms.picture(rooms.rooms())
    assert "img/rooms.svg" in (DOCS / "architecture.md").read_text("utf-8")


def test_it_reads_imports(rooms, tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "ROOT", tmp_path)
    for name, text in {
        "errors.py": "",
        "data/table.py": "from metaglot.errors import MetaglotError\n",
        "models/net.py": "def f():\n    from metaglot.data import table\n",
        "cli/app.py": "import metaglot.models.net\nfrom metaglot import errors, data\nimport torch\n",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    edges = rooms.rooms(tmp_path)
    assert edges == {"nouns": set(), "data": {"nouns"}, "models": {"data"}, "cli": {"models", "nouns", "data"}}
    assert rooms.reduced(edges)["cli"] == {"models"}
    assert [rooms.level(edges, name) for name in ("nouns", "data", "models", "cli")] == [0, 1, 2, 3]


def test_a_circle_has_no_level(rooms):
    with pytest.raises(ValueError, match="a imports itself through"):
        rooms.level({"a": {"b"}, "b": {"c"}, "c": {"a"}}, "a")
