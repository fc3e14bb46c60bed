"""Readers of Arrow formats: parquet, folders that `datasets` wrote, and data sets on a hub."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from metaglot.data import bounds
from metaglot.data.bounds import bounded_parquet, check_table
from metaglot.data.checked import Stored, read_stored
from metaglot.data.columns import Pick, Raw, is_list_type
from metaglot.data.exports.argilla import flat_questions
from metaglot.data.exports.recognise import raw_objects
from metaglot.data.rawfiles import check_regular, is_there
from metaglot.data.weightfiles import check_entries
from metaglot.errors import MetaglotError

WAY_OUT = "save the data set again with save_to_disk"


def read_parquet(path: Path, pick: Pick) -> Raw:
    """Return the picked columns of a Parquet file; no other column is read."""
    try:
        schema = cast("pa.Schema", pq.read_schema(path))
        _check_columns(path, schema.names)
        if flat_questions(schema.names):
            records = cast("list[dict[str, object]]", bounded_parquet(path, None).to_pylist())
            return raw_objects(path, pick, records, lambda row: f"{path}, row {row + 1}", form="parquet")
        chosen = pick(schema.names)
        _check_picked(path, schema.names, chosen.values())
        table = bounded_parquet(path, list(dict.fromkeys(chosen.values())))
    except (pa.ArrowException, OSError) as error:
        head = path.read_bytes()[:8] if path.stat().st_size < 1 << 20 else b""
        what = "the file is empty" if path.stat().st_size == 0 else f"not readable as Parquet: {error}"
        raise MetaglotError(f"{path}, line 1: {what} (it begins with {head!r}). Mend the file or its name.") from error
    if table.num_rows == 0:
        raise MetaglotError(f"{path}, line 1: no rows.")
    return from_arrow(table, chosen, str(path))._replace(form="parquet", file_columns=tuple(schema.names))


def _check_columns(path: Path, names: Sequence[str]) -> None:
    if len(names) > bounds.COLUMNS:
        raise MetaglotError(
            f"{path}: {len(names):,} columns, above the limit of {bounds.COLUMNS:,}. Write a file with the columns for "
            "text and label alone."
        )


def _check_picked(path: Path, names: Sequence[str], picked: Iterable[str]) -> None:
    """Refuse columns that go by a name that several have: which of them is meant is not known."""
    for name in picked:
        if (count := names.count(name)) > 1:
            raise MetaglotError(
                f"{path}: {count} columns are called {name!r:.60}, so which of them is meant is not known. Rename or "
                "drop the others and write the file again."
            )


def from_arrow(table: pa.Table, chosen: Mapping[str, str], source: str) -> Raw:
    """Return the chosen columns of a table; the numbers of a `ClassLabel` become its names."""
    names = class_names(table.schema)
    columns = {
        name: _named(table[column], names[column]) if column in names else table[column]
        for name, column in chosen.items()
    }
    return Raw(columns, lambda row: f"{source}, row {row + 1}")


def class_names(schema: pa.Schema) -> dict[str, list[str]]:
    """Return the names that `datasets` noted in a schema for its columns of ClassLabel, or of lists of them."""
    try:
        noted: Any = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features: dict[str, Any] = {name: _inner(feature) for name, feature in noted["info"]["features"].items()}
        return {
            column: list(feature["names"])
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel" and feature.get("names")
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _inner(feature: Any) -> Any:
    """Return what a list is of, as versions of `datasets` write it; any other feature itself."""
    if isinstance(feature, list):
        items = cast("list[Any]", feature)
        return items[0] if len(items) == 1 else None
    fields = cast("dict[str, Any]", feature)
    return fields["feature"] if fields.get("_type") in ("Sequence", "List", "LargeList") else fields


def _named(values: pa.ChunkedArray, names: list[str]) -> pa.ChunkedArray:
    """Return class numbers, or lists of them, as names; -1 (no label) becomes null."""

    def name(number: int | None) -> str | None:
        return names[number] if number is not None and 0 <= number < len(names) else None

    if pa.types.is_integer(values.type):
        labels = [name(number) for number in cast("list[int | None]", values.to_pylist())]
        return pa.chunked_array([pa.array(labels, pa.string())])
    if is_list_type(values.type) and pa.types.is_integer(values.type.value_type):
        lists = cast("list[list[int] | None]", values.to_pylist())
        return pa.chunked_array([pa.array([one and list(map(name, one)) for one in lists], pa.list_(pa.string()))])
    return values


def saved_folder(path: Path) -> list[tuple[str | None, pa.Table]]:
    """Return (split, table) of a folder made with `save_to_disk`, memory-mapped."""
    from datasets import Dataset, DatasetDict, load_from_disk

    size = _check_saved(path)
    try:
        data_set = load_from_disk(str(path))
    except Exception as error:
        raise MetaglotError(f"{path}: not a whole folder of `save_to_disk`: {error}") from error
    sets: Mapping[str | None, Dataset] = (
        cast("Mapping[str | None, Dataset]", data_set) if isinstance(data_set, DatasetDict) else {None: data_set}
    )
    tables = [(split, _table(one)) for split, one in sets.items()]
    for _, table in tables:
        check_table(path, table, size)
    return tables


class _Splits(Stored):
    """What `dataset_dict.json` holds."""

    splits: list[str]


class _File(Stored):
    filename: str


class _State(Stored):
    """What `state.json` holds of the files."""

    data_files: list[_File] = Field(alias="_data_files")


def _check_saved(path: Path) -> int:
    """Return the bytes of the data files that a folder of `save_to_disk` names; refuse names that lead out of it."""
    check_entries(path)
    if is_there(path / "dataset_dict.json"):
        splits = read_stored(path / "dataset_dict.json", _Splits, WAY_OUT).splits
        return sum(_check_saved(_within(path, split)) for split in splits)
    named = read_stored(path / "state.json", _State, WAY_OUT).data_files
    files = [_within(path, one.filename) for one in named]
    for file in files:
        check_regular(file)
    return sum(file.stat().st_size for file in files)


def _within(folder: Path, name: str) -> Path:
    if not name or name in (".", "..") or Path(name).name != name:
        raise MetaglotError(f"{folder}: it names {name!r:.100}, which is not right in the folder; {WAY_OUT}")
    return folder / name


def hub_set(source: str) -> list[tuple[str | None, pa.Table]]:
    """Return (split, table) of `hub:ID[@config][:split]`; no code of the data set runs."""
    from datasets import DatasetDict, load_dataset

    rest, _, split = source.removeprefix("hub:").partition(":")
    name, _, config = rest.partition("@")
    try:
        data_set = load_dataset(name, config or None, split=split or None)
    except Exception as error:
        reason = str(error).strip().split("\n")[0]
        raise MetaglotError(
            f"{source}: cannot be loaded ({type(error).__name__}: {reason}). Check the name"
            " (hub:ID[@config][:split]), the network and HF_HUB_OFFLINE, or give the path of a downloaded file."
        ) from error
    if isinstance(data_set, DatasetDict):
        return [(str(one), _table(part)) for one, part in data_set.items()]
    return [(split, _table(data_set))]


def _table(dataset: Any) -> pa.Table:
    """Return a data set's rows in order, with its features noted in the schema."""
    plain: pa.Table = dataset.with_format("arrow")[:]
    features: pa.Schema = dataset.features.arrow_schema
    return plain.replace_schema_metadata(features.metadata)
