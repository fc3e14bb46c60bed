"""What commands check before torch is imported, so that a mistake is answered at once, and what they point out."""

from collections import Counter
from collections.abc import Hashable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from metaglot.choices import ALGORITHMS, BASELINE_GROUPS, BASELINES, EFFORTS, FAMILIES
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    import pyarrow as pa

    from metaglot.cli.shared.judging import Labelled
    from metaglot.config import Recipe

QUICK = 16 << 20  # bytes of a file that is read as a check, before it is read again
UNEVEN = 5  # times as many examples as the smallest class: worth a word
NAMED = 5  # classes named in a note


def check_efforts(names: Sequence[str], model: str) -> None:
    """Raise MetaglotError for an effort that there is not, and for as-trained where no algorithm trained the model."""
    from metaglot.data.trained import check_trained

    for name in names:
        if name not in EFFORTS:
            raise MetaglotError(f"unknown effort {name!r}; choose from {', '.join(EFFORTS)}")
    if "as-trained" in names:
        check_trained(model)


def check_baselines(names: Sequence[str], *, multitask: str | None) -> None:
    """Raise MetaglotError for a baseline that there is not, and for multitask without its model."""
    known = (*BASELINES, *BASELINE_GROUPS)
    unknown = ", ".join(repr(name) for name in names if name not in known)
    if unknown:
        raise MetaglotError(f"--against: unknown baseline {unknown}; choose from {', '.join(known)}")
    if "multitask" in names and multitask is None:
        raise MetaglotError(
            "--against multitask fine-tunes a model trained on all tasks jointly: name its run directory with "
            "--multitask (train one with the algorithm joint), or leave multitask out"
        )


def check_algorithm(name: str) -> None:
    """Raise MetaglotError for a meta-learner that there is not, with the nearest one."""
    if name not in ALGORITHMS:
        close = get_close_matches(name, ALGORITHMS, n=1, cutoff=0.5)
        near = f" (did you mean {close[0]!r}?)" if close else ""
        raise MetaglotError(f"algorithm.name: unknown algorithm {name!r}{near}; there are: {', '.join(ALGORITHMS)}")


def check_count(option: str, count: int | None, *, most: int) -> None:
    """Raise MetaglotError for a number below 1 or beyond `most`."""
    if count is not None and not 1 <= count <= most:
        from metaglot.data.yamltext import shown

        raise MetaglotError(f"{option} {shown(count)}: expected 1 or more, at most {most:,}")


def check_recipe_data(recipe: "Recipe") -> None:
    """Raise MetaglotError for a set or corpus of a recipe that is absent or, where it is small, cannot be read."""
    from metaglot.config import set_path, text_path
    from metaglot.data.builtin import BUILTINS
    from metaglot.data.encodings import encoding_in
    from metaglot.data.rawfiles import is_there
    from metaglot.data.readers import read_table

    for one in (*recipe.data.train, *recipe.data.validation):
        path = set_path(recipe, one)
        if path.startswith("builtin:"):
            name = path.removeprefix("builtin:")
            sets = [n for n, entry in BUILTINS.items() if entry.kind == "data"]
            if name not in sets:
                close = get_close_matches(name, sets, n=1, cutoff=0.6)
                near = f" (did you mean builtin:{close[0]}?)" if close else ""
                raise MetaglotError(f"data: no built-in set {name!r}{near}; there are {', '.join(sets)}")
        elif not path.startswith("hub:") and not (Path(path).is_file() and Path(path).stat().st_size > QUICK):
            with encoding_in(path):
                read_table(path, mapping=one.columns or None, encoding=one.encoding)
    text = recipe.text
    for path in (text_path(text, corpus) for corpus in text.corpora) if text is not None else ():
        if not path.startswith("hub:") and not is_there(Path(path)):
            raise MetaglotError(f"{path}: no such file or folder (text.corpora); name one of raw text")


def check_reads(reads: str | None, tasks: "Sequence[Labelled]") -> None:
    """Raise MetaglotError for a part of pairs to be read where no task has second texts."""
    tables = [task.table for task in tasks]
    if reads and all("text_pair" not in one.column_names or one["text_pair"].null_count == len(one) for one in tables):
        raise MetaglotError(
            "--reads has no use: no task has second texts; name their column (--columns text_pair=…), or drop it"
        )


def check_tasks(tasks: "Sequence[Labelled]", shots: Sequence[int], draws: int) -> list[str]:
    """Return notes on tasks whose draws tell less than they seem; raise MetaglotError for what cannot be drawn."""
    names = [task.name for task in tasks]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise MetaglotError(
            f"two files are called {', '.join(twice)}, and tasks need distinct names: a task is named after its file; "
            "rename one of them, or name each file once"
        )
    from metaglot.data.draw_notes import draw_notes

    notes: list[str] = []
    for name, table, rule, kind in tasks:
        fixed = rule.draws
        if fixed and draws > len(fixed):
            raise MetaglotError(f"{name}: {draws} draws asked for, and its file fixes {len(fixed)}; ask for no more")
        most = max(shots)
        try:
            lacking = [(shot, [d for d in fixed[:draws] if d not in rule.draws_at(shot)]) for shot in shots]
            first = next(iter(rule.draws_at(most)), 0)
            found = rule.strata.counts(rule.support(most, first))
        except MetaglotError as error:
            raise MetaglotError(f"{name}: {error}") from error
        short = [f"{label!r} ({found[label]})" for label in rule.labels if found[label] < most]
        if short:
            notes.append(
                f"{name}: {most} shots are more than there are to learn from, half being kept for the test, in "
                f"{_listed(short)}; all of these are used, and `support` in the results says how many"
            )
        notes += [
            f"{name}: its file lacks draw {', '.join(map(str, gone))} of {shot} shots; the others are judged"
            for shot, gone in lacking
            if gone
        ]
        notes += draw_notes(name, rule, 0 if short else most)
        notes += [f"{name}: {note}" for note in file_notes(table, kind)]
    return notes


def file_notes(table: "pa.Table", kind: str = "classification") -> list[str]:
    """Return what is odd about a labelled table that is judged on: as it was read, its classes, its texts."""
    from metaglot.cli.shared.texts import texts_of
    from metaglot.data.folding import folded_texts
    from metaglot.data.label_shape import shape_notes
    from metaglot.data.labels import alike_notes, table_notes

    labels, inputs = table["label"].to_pylist(), texts_of(table)
    texts, pairs = inputs.texts, inputs.pairs
    if not FAMILIES.exclusive(kind):
        alike = [""] * len(texts)  # which clash nowhere: two numbers, or sets of labels, are no contradiction
        return [*table_notes(table), *text_notes(texts, alike, pairs, folded_texts(texts, pairs))]
    found = text_notes(texts, labels, pairs, folded_texts(texts, pairs))
    return [*table_notes(table), *shape_notes(labels), *alike_notes({label for label in labels if label}), *found]


def notes_on(texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str] | None) -> list[str]:
    """Return what is odd about labelled examples.

    It may be labels that look like no classes, classes of one or of unlike size, classes whose names look alike,
    clashing labels, or empty texts.
    """
    from metaglot.data.folding import folded_texts
    from metaglot.data.label_shape import shape_notes
    from metaglot.data.labels import alike_notes
    from metaglot.data.repeats import again

    counts = Counter(labels)
    notes = shape_notes(labels)
    single = sorted(repr(label) for label, count in counts.items() if count == 1)
    if single and len(texts) > len(counts):
        notes.append(f"one example only of {_listed(single)}; a second one helps much")
    most, least = max(counts.values()), min(counts.values())
    if most >= UNEVEN * least:
        large, small = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        notes.append(f"classes of unlike size: {most} examples of {large!r}, {least} of {small!r}")
    notes += alike_notes(counts)
    keys = folded_texts(texts, pairs)
    repeats = again(keys, labels).repeats
    if repeats:
        notes.append(f"{len(repeats)} examples repeat an earlier text; where some are set aside, repeats stay together")
    return notes + text_notes(texts, labels, pairs, keys)


def text_notes(
    texts: Sequence[str],
    labels: Sequence[str | None],
    pairs: Sequence[str] | None,
    keys: Sequence[str],
    *,
    targets: Sequence[Hashable | None] | None = None,
    conflict: str = "under several labels",
) -> list[str]:
    """Return notes on texts under several labels, which are alike if their keys are, and on empty texts.

    `targets` are what labels stand for, where two of these may be written otherwise and be the same.
    """
    from metaglot.data.empty import empty_rows
    from metaglot.data.repeats import again

    notes: list[str] = []
    if clashes := again(keys, labels if targets is None else targets).clashes:
        second, first = clashes[0]
        notes.append(
            f"{len({keys[i] for i, _ in clashes})} texts stand {conflict}, such as examples "
            f"{first + 1} ({labels[first]!r}) and {second + 1} ({labels[second]!r})"
        )
    empty = empty_rows(texts, pairs)
    if empty:
        notes.append(f"{len(empty)} texts are empty, such as example {empty[0] + 1}; they say nothing")
    return notes


def _listed(items: Sequence[str]) -> str:
    more = f" and {len(items) - NAMED} more" if len(items) > NAMED else ""
    return ", ".join(items[:NAMED]) + more
