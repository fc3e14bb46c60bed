"""Rows, columns and digests of the labelled sets that recipes read, as docs/data.md prints them.

    python -m benchmarks.data_table --check FOLDER     compare a folder with docs/data.md
    python -m benchmarks.data_table --write FOLDER     write the table in docs/data.md anew

Two digests a file.  `sha256` is that of the file's bytes; `rows` that of its content, whoever wrote the Parquet:

    rows = SHA-256 of the lines json([value, value, …]) of all rows, in order, columns in the order of the table
"""

import argparse
import hashlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq

PAGE = Path(__file__).parent.parent / "docs" / "data.md"
BEGIN, END = "<!-- files: begin -->", "<!-- files: end -->"
HEAD = "| file | rows | columns | bytes | sha256 | rows |\n| --- | ---: | --- | ---: | --- | --- |\n"


class File(NamedTuple):
    """One Parquet file of the layout."""

    path: str  # below the folder, with /
    rows: int
    columns: tuple[str, ...]
    size: int  # bytes
    sha256: str  # of the bytes
    content: str  # of the rows


def scan(root: Path) -> Iterator[File]:
    """Yield every Parquet file below `root`, sorted by path."""
    for path in sorted(root.rglob("*.parquet")):
        yield look(path, path.relative_to(root).as_posix())


def look(path: Path, name: str) -> File:
    """Return what there is to say of one file, called `name`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    meta = pq.read_metadata(path)
    columns = tuple(meta.schema.to_arrow_schema().names)
    return File(name, meta.num_rows, columns, path.stat().st_size, digest, content_digest(path))


def content_digest(path: Path) -> str:
    """Return the SHA-256 of the rows, whatever wrote the file."""
    digest = hashlib.sha256()
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                digest.update(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
    return digest.hexdigest()


def markdown(files: Iterator[File] | list[File]) -> str:
    """Return the table, one line a file."""
    lines = [
        f"| {f.path} | {f.rows:,} | {', '.join(f.columns)} | {f.size:,} | `{f.sha256}` | `{f.content}` |\n"
        for f in files
    ]
    return HEAD + "".join(lines)


def published(page: str) -> dict[str, File]:
    """Return the files that the page lists, by path."""
    table = page.partition(BEGIN)[2].partition(END)[0]
    found: dict[str, File] = {}
    for line in table.splitlines():
        cells = [cell.strip().strip("`") for cell in line.strip().strip("|").split("|")]
        if len(cells) == 6 and cells[0].endswith(".parquet"):
            rows, size = (int(cells[i].replace(",", "")) for i in (1, 3))
            found[cells[0]] = File(cells[0], rows, tuple(cells[2].split(", ")), size, cells[4], cells[5])
    return found


def verdict(expected: File, path: Path) -> str:
    """Return `same file`, `same rows`, or how the file differs."""
    if not path.is_file():
        return "missing"
    got = look(path, expected.path)
    if got.sha256 == expected.sha256:
        return "same file"
    if got.content == expected.content and got.columns == expected.columns:
        return "same rows"
    if got.columns != expected.columns:
        return f"differs: columns {', '.join(got.columns)} instead of {', '.join(expected.columns)}"
    return f"differs: {got.rows:,} rows, {expected.rows:,} published" if got.rows != expected.rows else "differs: texts"


def check(root: Path, page: str) -> int:
    """Print a line for each published file; return 1 if any is missing or differs, else 0."""
    verdicts = {name: verdict(file, root / name) for name, file in published(page).items()}
    for name, said in verdicts.items():
        print(f"{said:12} {name}")
    good = sum(said.startswith("same") for said in verdicts.values())
    print(f"{good} of {len(verdicts)} published files are here as published")
    return int(not verdicts or good < len(verdicts))


def write(root: Path, page: str) -> str:
    """Return the page with the table of the files below `root`."""
    return re.sub(f"{BEGIN}.*?{END}", lambda _: f"{BEGIN}\n\n{markdown(scan(root))}\n{END}", page, count=1, flags=re.S)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--check", type=Path, metavar="FOLDER")
    mode.add_argument("--write", type=Path, metavar="FOLDER")
    given = parser.parse_args(arguments)
    root = given.check or given.write
    if not root.is_dir():
        print(f"{root}: no such folder", file=sys.stderr)
        return 2
    page = PAGE.read_text("utf-8")
    if given.check:
        return check(root, page)
    PAGE.write_text(write(root, page), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
