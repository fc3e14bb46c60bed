"""docs/data.md lists files with digests; the command that checks a folder against it tells what differs."""

import importlib.util
import os
import re
from pathlib import Path
from posixpath import normpath
from types import ModuleType

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from metaglot.config import load_recipe, packaged_recipes

ROOT = Path(__file__).parent.parent.parent
PAGE = (ROOT / "docs" / "data.md").read_text("utf-8")


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("data_table", ROOT / "benchmarks" / "data_table.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def table(labels: tuple[str, ...] = ("a", "b", None)) -> pa.Table:
    return pa.table({"text": ["one", "zwei – 二", "three"], "label": pa.array(labels, pa.string())})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("train/first", "train/second", "dev/third", "dev/fourth"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        pq.write_table(table(), tmp_path / f"{name}.parquet", compression="zstd")
    return tmp_path


@pytest.fixture
def page(tool: ModuleType, folder: Path) -> str:
    return tool.write(folder, f"before\n{tool.BEGIN}\nold\n{tool.END}\nafter\n")


def test_what_is_written_is_read_again(tool: ModuleType, folder: Path, page: str) -> None:
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "old" not in page
    assert list(tool.published(page).values()) == list(tool.scan(folder))
    assert tool.write(folder, page) == page


def test_it_tells_what_differs(tool: ModuleType, folder: Path, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.check(folder, page) == 0
    assert "4 of 4" in capsys.readouterr().out
    pq.write_table(table(), folder / "train/first.parquet", compression="snappy", row_group_size=1)
    assert tool.check(folder, page) == 0
    assert "same rows    train/first.parquet" in capsys.readouterr().out
    pq.write_table(table(("a", "a", None)), folder / "train/first.parquet")
    pq.write_table(table().slice(0, 2), folder / "train/second.parquet")
    pq.write_table(table().rename_columns(["text", "class"]), folder / "dev/third.parquet")
    (folder / "dev/fourth.parquet").unlink()
    assert tool.check(folder, page) == 1
    said = capsys.readouterr().out
    assert "differs: texts train/first" in said
    assert "differs: 2 rows, 3 published train/second" in said
    assert "differs: columns text, class instead of text, label dev/third" in said
    assert re.search(r"missing +dev/fourth", said)
    assert "0 of 4" in said


def test_an_empty_page_is_no_success(tool: ModuleType, folder: Path) -> None:
    assert tool.check(folder, "") == 1
    assert tool.main(["--check", str(folder / "absent")]) == 2


def test_the_published_page_lists_what_recipes_read(tool: ModuleType) -> None:
    listed = tool.published(PAGE)
    assert len(listed) >= 57
    assert all(re.fullmatch(r"[0-9a-f]{64}", digest) for f in listed.values() for digest in (f.sha256, f.content))
    read = set()
    for file in packaged_recipes().values():
        data = load_recipe(file).data
        if data.root.startswith("$METAGLOT_DATA"):
            folder = data.root.removeprefix("$METAGLOT_DATA").strip("/")
            read |= {
                normpath(f"{folder or '.'}/{one.path.removesuffix('.parquet')}.parquet")
                for one in (*data.train, *data.validation)
            }
    assert len(read) >= 28
    assert read <= set(listed)


def test_every_published_set_has_an_origin_and_a_licence(tool: ModuleType) -> None:
    rows = re.findall(
        r"^\| ([\w/*, -]+) \| (.*\(https?://.*) \| .* \| (.+) \|$", PAGE.partition(tool.BEGIN)[0], flags=re.M
    )
    named = [name.strip() for names, _, _ in rows for name in names.split(",")]
    assert len(named) >= 35
    for path in tool.published(PAGE):
        folder, name = path.removesuffix(".parquet").split("/")
        known = {f"{folder}/{name}", name, f"{folder}/*", f"{name.partition('-')[0]}-*", "debian-sections-*"}
        assert known & set(named), path


@pytest.mark.slow
def test_the_data_here_are_as_published(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    if not os.environ.get("METAGLOT_DATA"):
        pytest.skip("METAGLOT_DATA is not set")
    assert tool.check(Path(os.environ["METAGLOT_DATA"]), PAGE) == 0, capsys.readouterr().out
