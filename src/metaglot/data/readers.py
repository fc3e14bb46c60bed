"""`read_table`: any file, folder or hub id of texts as one table with canonical columns.

Columns: text, and where present text_pair, label, domain, lang, split, part (strings), shot, draw (int64),
and row (int64), the number of the row in the file, from 0.
"""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import get_args

import pyarrow as pa

from metaglot.choices import Cells
from metaglot.data.arguments import check_all, check_choice, check_columns, check_path, check_text
from metaglot.data.arrowfiles import from_arrow, hub_set, read_parquet, saved_folder
from metaglot.data.catalogues import read_po
from metaglot.data.columns import Pick, Raw, canonical, picker
from metaglot.data.encodings import check_encoding, encoding_notes
from metaglot.data.form import common_form, with_form
from metaglot.data.labels import ANSWERS, CHOICES, LISTS, SPANS, TEXTS, label_kind, table_notes, with_notes
from metaglot.data.memories import read_tmx
from metaglot.data.rawfiles import check_regular, read_bytes, unreadable
from metaglot.data.textfiles import read_conll, read_csv, read_json, read_jsonl, read_tsv, read_txt, read_yaml
from metaglot.errors import MetaglotError

FORMATS: Mapping[str, Callable[[Path, Pick], Raw]] = {
    ".parquet": read_parquet,
    ".jsonl": read_jsonl,
    ".csv": read_csv,
    ".tsv": read_tsv,
    ".json": read_json,
    ".txt": read_txt,
    ".conll": read_conll,
    ".po": read_po,
    ".tmx": read_tmx,
}
ALIASES = {
    ".ndjson": ".jsonl",
    ".tab": ".tsv",
    ".pq": ".parquet",
    ".text": ".txt",
    ".pot": ".po",
    **dict.fromkeys((".iob", ".iob2", ".bio"), ".conll"),
}
SPLITS = ("train", "valid", "validation", "val", "dev", "test")
SECOND_TEXTS = ("text2", "text_2", "text_b", "textb", "sentence2", "second_text", "hypothesis", "pair")
YAML = (".yml", ".yaml")  # not looked for in folders, where they are settings
ENTRIES = 50_000  # of a folder that is looked through
NOT_DATA = ("readme", "license", "licence", "dataset_info", "dataset_infos", "state", "dataset_dict")


def read_table(
    source: str | Path,
    *,
    mapping: Mapping[str, str] | None = None,
    more: Sequence[str] = (),
    encoding: str | None = None,
    cells: Cells = "one",
    asking: bool = False,
) -> pa.Table:
    """Return the rows of a csv, tsv, json, jsonl, parquet or txt file, a folder or `hub:ID[@config][:split]`.

    `mapping` is {canonical name: column of the file}; other columns go by their canonical name.  `more` names
    columns of strings that are read, where they are there, beside the canonical ones.
    A column may be given by its number, from 1: where all are, a csv has no header.  `encoding` is that of text files,
    where it is not UTF-8.  What annotation tools write is recognised by what it holds (`exports/`).
    Numbers and booleans of other columns than text become strings: 1, and 1.0 where all are whole, is "1".
    Labels have one form, whatever wrote them (`metaglot.data.labels`).  `cells` says what a cell of the column label
    is read as (`task_kind.cells_of`): lists are refused where it is one label, and are lists of JSON otherwise.
    Where a file is `asking`, its answers, right candidates and texts that were written are not read, and a chat goes on
    to its end.
    Every row has a text; other values may be null.  Raises a MetaglotError that names the file and line.
    """
    name = source if isinstance(source, str) else str(check_path("source", source, what="a file or a folder"))
    check_columns("mapping", mapping)
    more = check_all("more", more, str, "names of columns")
    check_choice("cells", cells, get_args(Cells))
    if encoding is not None:
        check_encoding(check_text("encoding", encoding))
    picks = partial(picker, mapping=mapping, more=more, encoding=encoding, cells=cells, asking=asking)
    pick = picks(name)
    if name.startswith("hub:"):
        table = hub_set(name)
        tables = [(split, canonical(from_arrow(t, pick(t.schema.names), name), cells)) for split, t in table]
        return _joined(name, tables)
    path = Path(source)
    try:
        return _folder(path, picks) if path.is_dir() else _file(path, pick)
    except OSError as error:  # a name too long, a folder that may not be listed
        raise MetaglotError(unreadable(path, error)) from error


def data_files(folder: Path, *, deep: bool = True) -> list[Path]:
    """Return the data files below a folder (or right in it), sorted; readme, licence and hidden files are left out.

    Raises MetaglotError for a folder of more than ENTRIES files and folders, such as a whole disk.
    """
    entries = list(islice(folder.rglob("*") if deep else folder.iterdir(), ENTRIES + 1))
    if len(entries) > ENTRIES:
        raise MetaglotError(f"{folder}: more than {ENTRIES:,} files and folders. Name the folder that holds the data.")
    files = (p for p in entries if format_of(p) and p.is_file())
    return sorted(
        p
        for p in files
        if p.stem.lower() not in NOT_DATA and not any(part.startswith(".") for part in p.relative_to(folder).parts)
    )


def _file(path: Path, pick: Pick) -> pa.Table:
    if not path.exists() and not path.is_symlink():
        raise MetaglotError(f"{path}: no such file{_near(path)}.")
    check_regular(path)
    kind = format_of(path)
    if path.suffix.lower() in YAML:
        return canonical(read_yaml(path, pick), pick.cells)
    if kind is None:
        raise MetaglotError(
            f"{path}: unknown format {path.suffix or '(no ending)'!r}. Name it by what it holds: {', '.join(FORMATS)}"
            " (all but Parquet may be packed: .csv.gz)."
        )
    return canonical(read_as(kind, path, pick), pick.cells)


def read_as(kind: str, path: Path, pick: Pick) -> Raw:
    """Return the columns of a file of a format, a key of FORMATS, with a note where its encoding looks wrong.

    Raises MetaglotError for an encoding of Parquet, which has its own.
    """
    if pick.encoding is None:
        raw = FORMATS[kind](path, pick)
        return raw._replace(notes=(*raw.notes, *_second_text_notes(raw, pick)))
    if kind == ".parquet":
        raise MetaglotError(f"{path}: an encoding has no use for Parquet, which is UTF-8 always. Leave it out.")
    raw = FORMATS[kind](path, pick)
    notes = (*encoding_notes(path, read_bytes(path), pick.encoding), *_second_text_notes(raw, pick))
    return raw._replace(notes=(*raw.notes, *notes), form=f"{raw.form}, in {pick.encoding}")


def _second_text_notes(raw: Raw, pick: Pick) -> tuple[str, ...]:
    """Return a note where a column that is not read looks like the second texts of pairs, by its name."""
    name = next((name for name in raw.file_columns if name.casefold() in SECOND_TEXTS), None)
    if name is None or "text" not in raw.columns or "text_pair" in raw.columns:
        return ()
    whole = replace(pick, own="", asking=False)
    if whole.fits(raw.file_columns) and name in whole(raw.file_columns).values():
        return ()
    return (f"the column {name!r} is not read; if it has the second text of each row: --columns text_pair={name}",)


def _folder(path: Path, picks: Callable[[str], Pick]) -> pa.Table:
    if (path / "dataset_dict.json").exists() or (path / "state.json").exists():
        pick = picks(str(path))
        table = saved_folder(path)
        raws = [(split, from_arrow(t, pick(t.schema.names), str(path))) for split, t in table]
        return _joined(path, [(split, canonical(raw, pick.cells)) for split, raw in raws])
    files = data_files(path)
    kinds = sorted({format_of(p) or "" for p in files})
    if not files:
        raise MetaglotError(f"{path}: a folder without data files ({', '.join(FORMATS)}). Give the path of a file.")
    if len(kinds) > 1:
        raise MetaglotError(f"{path}: a folder with several formats ({', '.join(kinds)}). Give the path of one file.")
    return _joined(path, [(_split(path, file), _file(file, picks(str(file)))) for file in files])


def _joined(source: object, parts: Sequence[tuple[str | None, pa.Table]]) -> pa.Table:
    """Return the tables one below the other, with their split where they have none, rows renumbered."""
    tables = [
        table if split is None or "split" in table.column_names else _with_split(table, split) for split, table in parts
    ]
    joined = pa.concat_tables([t.drop_columns(["row"]) for t in tables], promote_options="default")
    if joined.num_rows == 0:
        raise MetaglotError(f"{source}: no rows. Give a set that holds some.")
    joined = joined.append_column("row", pa.array(range(joined.num_rows), pa.int64()))
    kinds = {label_kind(table) for _, table in parts if "label" in table.column_names}
    notes = [note for _, table in parts for note in table_notes(table)]
    kind = next(
        (one for one in (ANSWERS, CHOICES, TEXTS, SPANS, LISTS) if one in kinds),
        kinds.pop() if len(kinds) == 1 else None,
    )
    noted = with_notes(joined, notes, kind)
    return with_form(noted, common_form([table for _, table in parts]))


def _with_split(table: pa.Table, split: str) -> pa.Table:
    return table.append_column("split", pa.array([split] * table.num_rows, pa.string()))


def _split(folder: Path, file: Path) -> str | None:
    """Return the split that a file's name or folder says, as in train-00000-of-00002.parquet."""
    for part in reversed(file.relative_to(folder).with_suffix("").parts):
        for word in part.lower().replace("_", "-").replace(".", "-").split("-"):
            if word in SPLITS:
                return word
    return None


def format_of(path: Path) -> str | None:
    """Return the format that the name of a file says, a key of FORMATS; None for another."""
    packed = path.suffix.lower() == ".gz"
    suffix = (path.with_suffix("") if packed else path).suffix.lower()
    suffix = ALIASES.get(suffix, suffix)
    return suffix if suffix in FORMATS and not (packed and suffix == ".parquet") else None


def is_labelled(path: Path) -> bool:
    """Whether a data file is of a format that has columns, so that it can hold labels."""
    return format_of(path) not in (None, ".txt")


def _near(path: Path) -> str:
    """Return a hint at a name like the first part of a path that is not there."""
    try:
        missing = next(one for one in (*reversed(path.parents), path) if not one.exists())
        hidden = missing.name.startswith(".")  # our locks and half-written files are, and nobody means them
        names = {n.casefold(): n for one in missing.parent.iterdir() if (n := one.name).startswith(".") == hidden}
        near = difflib.get_close_matches(missing.name.casefold(), names, n=1)
    except (OSError, StopIteration):
        return ""
    if not near:
        return "" if missing == path else f": there is no folder {str(missing)!r}"
    return f" (did you mean {str(names[near[0]] if missing == path else missing.parent / names[near[0]])!r}?)"
