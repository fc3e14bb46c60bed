"""Labelled sets of a recipe as sources of tasks; training and validation share neither classes nor texts."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from metaglot.assembly.progress import Progress
from metaglot.choices import FAMILIES
from metaglot.config import Recipe, SetSettings, set_path
from metaglot.data.builtin import load_builtin
from metaglot.data.drawn_candidates import with_candidates
from metaglot.data.encode import Encoder
from metaglot.data.encodings import encoding_in
from metaglot.data.examples import Inputs
from metaglot.data.readers import read_table
from metaglot.data.seen import Part
from metaglot.data.store import CHARS, tokenise
from metaglot.data.task_kind import task_of
from metaglot.data.windows import Window
from metaglot.errors import MetaglotError
from metaglot.families.choose import family_called
from metaglot.families.family import AnyFamily
from metaglot.families.targets import targets_of
from metaglot.families.token_tools import TokenTools
from metaglot.families.write_tools import WriteTools, source_texts
from metaglot.models import Backbone
from metaglot.models.seq2seq import opening_of
from metaglot.tasks import Selection, Shape, Source, Targets, sources_of, targets_by
from metaglot.tasks.sources import with_names
from metaglot.types import Row

CUT = 2000  # rows that are cut into windows at a time


def labelled_sources(
    recipe: Recipe, sets: Sequence[SetSettings], backbone: Backbone, progress: Progress
) -> tuple[tuple[Source, ...], dict[str, str], dict[str, pa.Table]]:
    """Return the tasks of the sets, the hash of each set, and its table."""
    sources: list[Source] = []
    tables: dict[str, pa.Table] = {}
    hashes: dict[str, str] = {}
    for settings in sets:
        name = set_name(settings)
        table = read_set(recipe, settings)
        progress.say(f"reading {name}: {table.num_rows} rows")
        examples = tokenise(
            table, backbone.tokenizer, name=name, max_length=recipe.model.max_length, prompt=backbone.prompt
        )
        check_names(hashes, {name: examples.fingerprint})
        hashes[name], tables[name] = examples.fingerprint, table
        select = Selection(
            group_by=settings.group_by,
            hashed=settings.hashed,
            languages=settings.languages,
            splits=settings.splits,
            domains=settings.domains,
            classes=settings.classes,
            without=settings.without,
            min_per_class=settings.min_per_class,
        )
        set_sources = sources_of(examples, select, _targets(recipe, settings, table, backbone))
        set_sources = with_windows(set_sources, table, backbone, max_length=recipe.model.max_length)
        if recipe.episodes.named and not _has_pairs(table):  # the name of a relation is not a pair that has it
            set_sources = [
                with_names(source, settings.names, partial(_encoded, recipe, backbone)) for source in set_sources
            ]
        sources += set_sources
    return tuple(sources), hashes, tables


def _targets(recipe: Recipe, settings: SetSettings, table: pa.Table, backbone: Backbone) -> Targets | None:
    """Return the targets of a set; None where each example has one class, which is stored beside its tokens."""
    task = settings.task or task_of(table)
    if FAMILIES.exclusive(task):
        return None
    family = family_called(task)
    return targets_for(table, family, backbone, max_length=recipe.model.max_length, source=settings.path)


def targets_for(table: pa.Table, family: AnyFamily, backbone: Backbone, *, max_length: int, source: object) -> Targets:
    """Return the targets of a table by a family; raise MetaglotError, which names the source, as the family does."""
    values = targets_of(table, family, source=source)
    writing = family.writes and _rows_written(table, values.targets, family.writes, backbone, max_length)
    pad_token_id = int(backbone.tokenizer.pad_token_id or 0)
    return targets_by(family, values.targets, pad_token_id=pad_token_id, written=writing)


def _rows_written(
    table: pa.Table, targets: Sequence[Any], tools: WriteTools, backbone: Backbone, max_length: int
) -> Callable[[int], Row]:
    """Return the row of each example by its position: it becomes tokens when an episode has it.

    Raises MetaglotError for an encoder, which writes nothing.
    """
    if not (backbone.learner.decoder or backbone.learner.seq2seq):
        raise MetaglotError(f"{backbone.name} is an encoder, which writes no texts; train a decoder on this task")
    learner, sources = backbone.learner, source_texts(_inputs(table))
    opening = opening_of(learner.module) if learner.seq2seq else ()
    form = tools.format_of(backbone.tokenizer, length=max_length, seq2seq=learner.seq2seq, opening=opening)
    return lambda position: tools.row(form, sources[position], targets[position])


def with_windows(sources: Sequence[Source], table: pa.Table, backbone: Backbone, *, max_length: int) -> list[Source]:
    """Return the sources of a table with the windows that episodes read, where texts have many units.

    Rows of no source are not cut.
    """
    targets = sources[0].targets
    if targets is None or targets.family.tokens is None:
        return list(sources)
    rows = np.unique(np.concatenate([source.positions for source in sources]))
    read: dict[int, Window] = {}
    for some in np.split(rows, range(CUT, len(rows), CUT)):  # what a tokenizer says of a text takes a lot of memory
        read |= _windows_read(table.take(some), some.tolist(), targets, targets.family.tokens, backbone, max_length)
    return [replace(source, targets=replace(targets, windows=read)) for source in sources]


def _windows_read(
    table: pa.Table, rows: Sequence[int], targets: Targets, tools: TokenTools[Any], backbone: Backbone, max_length: int
) -> dict[int, Window]:
    """Return the window that episodes read of each row of a table; `rows` are their numbers among the targets."""
    inputs = _inputs(table)
    cut = tools.windows(backbone.tokenizer, inputs, max_length=max_length, prompt=backbone.prompt, where=backbone.name)
    of_row: list[list[Window]] = [[] for _ in rows]
    for window in cut:
        of_row[window.owner].append(window)
    return {row: tools.chosen(targets.of[row], own) for row, own in zip(rows, of_row, strict=True)}


def _inputs(table: pa.Table) -> Inputs:
    texts, pairs = table["text"].to_pylist(), table["text_pair"].to_pylist() if _has_pairs(table) else None
    return Inputs(tuple(texts), None if pairs is None else tuple(pair or "" for pair in pairs))


def _has_pairs(table: pa.Table) -> bool:
    return "text_pair" in table.column_names and table["text_pair"].null_count < table.num_rows


def _encoded(recipe: Recipe, backbone: Backbone, texts: Sequence[str]) -> list[dict[str, Any]]:
    """Return texts as rows of tokens."""
    if not texts:
        return []
    limit = recipe.model.max_length
    encoder = Encoder(backbone.tokenizer, max_length=limit, max_chars=CHARS * limit, prompt=backbone.prompt)
    ids = encoder.encode(texts, None)["input_ids"]
    return [{"input_ids": np.array(one, dtype=np.int64)} for one in ids.to_pylist()]


def size_note(sources: Sequence[Source], shape: Shape) -> str:
    """Return a note where some tasks have fewer outputs or examples than the least ways or shots; else ""."""
    parts: list[str] = []
    for nouns in dict.fromkeys(map(nouns_of, sources)):
        alike = [source for source in sources if nouns_of(source) == nouns]
        few_outputs = {s.info.name: len(s.members) for s in alike if nouns and len(s.members) < shape.ways[0]}
        few_examples = {s.info.name: least - 1 for s in alike if (least := min(map(len, s.members))) <= shape.shots[0]}
        one = {"classes": "a class", "": "the task"}.get(nouns, f"a {nouns.removesuffix('s')}")
        for short, noun, wanted in (
            (few_outputs, nouns, shape.ways[0]),
            (few_examples, f"examples to learn {one} from", shape.shots[0]),
        ):
            if short:
                name, has = next(iter(short.items()))
                parts.append(f"{len(short)} of {len(sources)} tasks have fewer than {wanted} {noun} (as {name}: {has})")
    return f"{'; '.join(parts)}: their episodes have as many as there are" if parts else ""


def nouns_of(source: Source) -> str:
    """Return the word for the outputs of a task: classes or labels; "" for a task of numbers."""
    if source.targets is None:
        return "classes"
    each = source.targets.family.each
    return f"{each.removeprefix('a ')}s" if each else ""


def parts_of(sources: Sequence[Source], tables: Mapping[str, pa.Table]) -> tuple[Part, ...]:
    """Return for each set the rows that tasks are made of, and the names of their classes."""
    parts: list[Part] = []
    for name, table in tables.items():
        own = [source for source in sources if source.info.dataset == name]
        rows = np.unique(np.concatenate([source.positions for source in own]))
        labels = {label for source in own if nouns_of(source) for label in source.info.labels}
        parts.append(Part(name, table, rows, tuple(sorted(labels))))
    return tuple(parts)


def read_set(recipe: Recipe, settings: SetSettings) -> Any:
    """Return the canonical table of a set in a recipe."""
    path = set_path(recipe, settings)
    if path.startswith("builtin:"):
        return load_builtin(path.removeprefix("builtin:"))
    with encoding_in(path):
        table = read_table(path, mapping=settings.columns or None, encoding=settings.encoding, cells=settings.cells)
        return with_candidates(table, settings.candidates, source=path) if settings.candidates else table


def set_name(settings: SetSettings) -> str:
    """Return the name of a set: its own, or that of its file."""
    return settings.name or settings.path.removeprefix("builtin:").rsplit("/", 1)[-1].split(".")[0]


def weights_of(sets: Sequence[SetSettings]) -> dict[str, float]:
    """Return the weight of each set by its name; raise MetaglotError where parts of one set have unlike weights."""
    weights: dict[str, float] = {}
    for settings in sets:
        name = set_name(settings)
        if weights.setdefault(name, settings.weight) != settings.weight:
            raise MetaglotError(
                f"data.train: the set {name} stands twice, with the weights {weights[name]:g} and {settings.weight:g}; "
                "give both the same weight, or one of them a name of its own"
            )
    return weights


def check_names(known: Mapping[str, str], more: Mapping[str, str]) -> None:
    """Refuse one name for two sets: nothing could tell their heads and their classes apart."""
    for name, fingerprint in more.items():
        if known.get(name, fingerprint) != fingerprint:
            raise MetaglotError(
                f"data: two different sets are called {name}; give one of them a name of its own: {{path: …, name: …}}"
            )


def check_disjoint(train: Sequence[Source], validation: Sequence[Source]) -> None:
    """Refuse a class of a task, or a text of a set, that is both in training and in validation."""
    train_classes = {(s.info.dataset, c, s.info.name) for s in train for c in s.info.classes}
    shared_sets = sorted(
        {
            key[0]
            for s in validation
            for c in s.info.classes
            if (key := (s.info.dataset, c, s.info.name)) in train_classes
        }
    )
    if shared_sets:
        raise MetaglotError(
            f"data: {', '.join(shared_sets)} is in training and in validation with the same classes of the same tasks; "
            "choose other classes, domains or sets"
        )
    train_rows: dict[str, set[int]] = {}
    for source in train:
        train_rows.setdefault(source.info.dataset, set()).update(source.positions.tolist())
    for source in validation:
        validation_rows = set(source.positions.tolist())
        shared_rows = train_rows.get(source.info.dataset, set[int]()) & validation_rows
        if shared_rows:
            raise MetaglotError(
                f"data: {len(shared_rows)} texts of {source.info.name} are in training and in validation; choose other "
                "classes, domains or sets"
            )
