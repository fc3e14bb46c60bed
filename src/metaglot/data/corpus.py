"""Raw text as a corpus: texts (paragraphs, as a rule) with their document, domain and language, filtered."""

import difflib
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple, cast, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from metaglot.data.duplicates import near_repeats, repeats
from metaglot.data.paragraphs import paragraphs
from metaglot.data.parquetpieces import parquet_files, texts_of_parquet
from metaglot.data.readers import SPLITS, data_files, read_table
from metaglot.data.spool import kept, spooled
from metaglot.errors import MetaglotError
from metaglot.seeds import generator

Duplicates = Literal["keep", "exact", "near"]
PAIR = "text_pair"
RUN = 32  # texts of one domain that count as a document where nothing says which it is
FILTERS = ("short", "long", "language", "domain", "duplicate", "near-duplicate")
STRINGS = ("text", "domain", "lang", "document", PAIR)
PIECE = 1 << 22  # characters of texts that are taken at a time, or a little more


class Corpus(NamedTuple):
    """Texts in the order of their source."""

    name: str
    # text, domain, lang (strings, the last two may be null), document int32, row int64, text_pair if the source has it
    table: pa.Table
    removed: Mapping[str, int]  # how many texts each of FILTERS took away


class Cleaning(NamedTuple):
    """Which texts of a source make the corpus."""

    languages: tuple[str, ...] = ()  # keep these only (texts without a language stay); all if empty
    domains: tuple[str, ...] = ()  # keep these only; all if empty
    without_domains: tuple[str, ...] = ()
    min_chars: int = 40
    max_chars: int = 20_000
    duplicates: Duplicates = "exact"  # of a text and its (near) copies only the first is kept


def read_corpus(
    path: str | Path,
    cleaning: Cleaning = Cleaning(),
    *,
    name: str = "",
    columns: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
    encoding: str | None = None,
) -> Corpus:
    """Return the texts of any source that `read_table` reads, stripped of white space at their ends and filtered.

    `document` numbers the documents from 0 by the order they begin in: the values of a column `document` (within a
    domain) where there is one, else runs of RUN texts of one domain.  A .txt file of a folder is a document, its
    paragraphs parted by blank lines (where it has none, each line is one), its domain the folder it lies in; a
    single .txt file is cut to runs.  Text files and Parquet are read in pieces, other formats whole, and a large
    corpus lies in a file (`data.spool`), so that it may be larger than memory.  `columns` and `encoding` are as in
    `read_table`.  `progress(done, total)` counts texts compared.

    Raises MetaglotError where no text is left, and for a language or domain that the source does not have.
    """
    _check(cleaning)
    name = name or (str(path) if str(path).startswith("hub:") else Path(path).stem)
    table = _read(path, columns, encoding)
    removed: dict[str, int] = dict.fromkeys(FILTERS, 0)
    left = np.ones(len(table), bool)
    for kind, keep in _filters(table, cleaning, name).items():
        removed[kind] = int((left & ~keep).sum())
        left &= keep
    table, copies = _without_copies(kept(table, left), cleaning.duplicates, progress)
    removed |= copies
    if not len(table):
        raise MetaglotError(f"{name}: no text is left: {_sentence(removed)}. Loosen the filters, or mend the source.")
    numbers = _renumbered(table["document"].to_numpy())
    return Corpus(name, table.set_column(3, "document", pa.array(numbers)), removed)


def _read(path: str | Path, columns: Mapping[str, str] | None, encoding: str | None) -> pa.Table:
    """Return the texts of a source before any is filtered, in the columns of a corpus."""
    files = _text_files(str(path))
    if files:
        pieces = _paragraphs(Path(path), files, encoding)
    else:
        pieces = None if encoding else texts_of_parquet(parquet_files(str(path)), columns)
        pieces = (
            iter([read_table(path, mapping=columns, more=("document",), encoding=encoding)])
            if pieces is None
            else pieces
        )
    return _numbered(spooled(map(_plain, pieces)))


def _without_copies(
    table: pa.Table, duplicates: Duplicates, progress: Callable[[int, int], None] | None
) -> tuple[pa.Table, dict[str, int]]:
    """Return the table with the first of each text and its copies alone, and how many copies were of each kind."""
    if duplicates == "keep" or not len(table):
        return table, {}
    texts = _whole(table)
    if duplicates == "exact":
        same = repeats(texts, progress=progress)
        return kept(table, ~same), {"duplicate": int(same.sum())}
    copies, near = near_repeats(texts, progress=progress)
    return kept(table, ~(copies | near)), {"duplicate": int(copies.sum()), "near-duplicate": int(near.sum())}


def _whole(table: pa.Table) -> pa.ChunkedArray:
    """Return each text, with its partner if it has one."""
    if PAIR not in table.column_names:
        return table["text"]
    return spooled(pa.table({"text": _joined(batch)}) for batch in table.select(["text", PAIR]).to_batches())["text"]


def _joined(batch: pa.RecordBatch) -> pa.Array:
    options = pc.JoinOptions(null_handling="replace", null_replacement="")
    joined = pc.call_function("binary_join_element_wise", [batch["text"], batch[PAIR], pa.scalar("\0")], options)
    return cast("pa.Array", joined)


def split_corpus(corpus: Corpus, share: float, *, seed: int) -> tuple[Corpus, Corpus]:
    """Return the corpus without, and with only, about `share` of its documents, drawn by `seed`; at least one each.

    Documents keep their numbers.  Raises MetaglotError for a corpus of one document.
    """
    if not 0 < share < 1:
        raise MetaglotError(f"the share to hold out is {share}; it lies between 0 and 1.")
    documents = corpus.table["document"].to_numpy()
    numbers = np.unique(documents)
    if len(numbers) < 2:
        raise MetaglotError(
            f"{corpus.name}: all of it is one document, and documents are held out whole. Give several files or a "
            "column `document`, or measure no perplexity: text.held_out: 0."
        )
    size = min(max(round(share * len(numbers)), 1), len(numbers) - 1)
    held = np.isin(documents, generator(seed, "held-out documents").permutation(numbers)[:size])
    first, second = (corpus._replace(table=kept(corpus.table, part)) for part in (~held, held))
    return first, second


def codes_of(column: pa.ChunkedArray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Return each value of a column of strings as its number [N] int32 among the distinct ones, and these, sorted.

    A null is -1.
    """
    names = sorted(cast("list[str]", column.unique().drop_null().to_pylist()))
    codes = cast(
        "pa.ChunkedArray", pc.call_function("index_in", [column], pc.SetLookupOptions(pa.array(names, "string")))
    )
    return codes.fill_null(-1).to_numpy().astype(np.int32), tuple(names)


def _check(cleaning: Cleaning) -> None:
    if not 0 < cleaning.min_chars <= cleaning.max_chars:
        low, high = cleaning.min_chars, cleaning.max_chars
        raise MetaglotError(f"min_chars is {low} and max_chars is {high}; needed is 0 < min_chars <= max_chars.")
    if cleaning.duplicates not in get_args(Duplicates):
        choices = ", ".join(get_args(Duplicates))
        raise MetaglotError(f"duplicates is {cleaning.duplicates!r}; choose from {choices}.")


def _text_files(path: str) -> list[Path]:
    """Return the .txt files that a path means; none where it means anything else."""
    folder = Path(path)
    if path.startswith("hub:") or not folder.exists():
        return []  # the readers say what is wrong
    files = data_files(folder) if folder.is_dir() else [folder]
    plain = [f for f in files if f.name.lower().removesuffix(".gz").endswith((".txt", ".text"))]
    return plain if len(plain) == len(files) else []


def _paragraphs(path: Path, files: Sequence[Path], encoding: str | None) -> Iterator[pa.Table]:
    row = 0
    for file in files:
        folder = file.relative_to(path).parts[0] if path.is_dir() and file.parent != path else None
        domain = None if folder is None or folder.lower() in SPLITS else folder
        document = str(file) if len(files) > 1 else None
        texts = paragraphs(file, encoding)
        for first in texts:
            some = _some(chain([first], texts))
            same = {"document": [document] * len(some), "domain": [domain] * len(some)}
            arrays = {n: pa.array(values, pa.string()) for n, values in {"text": some, **same}.items()}
            yield pa.table({**arrays, "row": pa.array(np.arange(row, row + len(some)))})
            row += len(some)


def _some(texts: Iterator[str]) -> list[str]:
    """Return texts until they have PIECE characters."""
    some, size = list[str](), 0
    while size < PIECE and (text := next(texts, None)) is not None:
        some.append(text)
        size += len(text)
    return some


def _plain(table: pa.Table) -> pa.Table:
    """Return the columns of a corpus, null where a source has none; documents are still named."""
    text = pc.call_function("utf8_trim_whitespace", [table["text"]])
    none = pa.chunked_array([pa.nulls(len(table), pa.string())])
    strings = {name: table[name] if name in table.column_names else none for name in STRINGS}
    return pa.table({**strings, "text": text, "row": table["row"]})


def _numbered(table: pa.Table) -> pa.Table:
    """Return the columns of a corpus in their order, documents numbered; partners where any text has one."""
    numbers = _documents(codes_of(table["document"])[0], codes_of(table["domain"])[0])
    pair = {PAIR: table[PAIR]} if table[PAIR].null_count < len(table) else {}
    rest = {name: table[name] for name in ("text", "domain", "lang")}
    return pa.table({**rest, "document": pa.array(numbers), "row": table["row"], **pair})


def _documents(named: np.ndarray, domain: np.ndarray) -> np.ndarray:  # [N] int32
    """Return the number of each text's document; `named` is -1 where the source does not say."""
    where = np.arange(len(named))
    begins = np.ones(len(named), bool)
    begins[1:] = (domain[1:] != domain[:-1]) | (named[1:] != named[:-1])
    run = np.maximum.accumulate(np.where(begins, where, 0))  # where the run of a text begins
    pieces = np.cumsum((where - run) % RUN == 0)
    keys = np.where(named >= 0, named.astype(np.int64) * (domain.max(initial=0) + 2) + domain + 1, -pieces)
    return _renumbered(keys)


def _renumbered(keys: np.ndarray) -> np.ndarray:  # [N] int32
    """Return the numbers of equal keys, from 0 by the order they are met in."""
    _, first, number = np.unique(keys, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int32)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number]


def _filters(table: pa.Table, cleaning: Cleaning, name: str) -> dict[str, np.ndarray]:
    """Return for each of the first FILTERS the texts [N] bool that it keeps."""
    _check_known(table["lang"], cleaning.languages, f"{name}: no text in the language")
    _check_known(table["domain"], (*cleaning.domains, *cleaning.without_domains), f"{name}: no text of the domain")
    chars, everything = pc.call_function("utf8_length", [table["text"]]).to_numpy(), np.ones(len(table), bool)
    speaks = _among(table["lang"], cleaning.languages) | table["lang"].is_null().to_numpy()
    wanted = _among(table["domain"], cleaning.domains) if cleaning.domains else everything
    return {
        "short": chars >= cleaning.min_chars,
        "long": chars <= cleaning.max_chars,
        "language": speaks if cleaning.languages else everything,
        "domain": wanted & ~_among(table["domain"], cleaning.without_domains),
    }


def _among(column: pa.ChunkedArray, values: Sequence[str]) -> np.ndarray:
    chosen = pc.SetLookupOptions(pa.array(values, pa.string()))
    return pc.call_function("is_in", [column], chosen).to_numpy()


def _check_known(column: pa.ChunkedArray, asked_names: Sequence[str], what: str) -> None:
    names = sorted(cast("list[str]", column.unique().drop_null().to_pylist()))
    for one in asked_names:
        if one not in names:
            near = difflib.get_close_matches(one, names, n=1)
            hint = f" (did you mean {near[0]!r}?)" if near else ""
            there = f"it has {', '.join(names[:40])}{' …' if len(names) > 40 else ''}" if names else "none is stated"
            raise MetaglotError(f"{what} {one!r}{hint}; {there}.")


def _sentence(removed: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {kind}" for kind, count in removed.items() if count) or "the source is empty"
