"""Checks before torch is imported, so that a mistake is reported at once; notes on examples and tasks."""

from collections import Counter
from collections.abc import Hashable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING

from metaglot.choices import ALGORITHMS, BASELINE_GROUPS, BASELINES, EFFORTS, FAMILIES
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    import pyarrow as pa

    from metaglot.cli.shared.judging import LabelledTask
    from metaglot.config import Recipe

SMALL_FILE = 16 << 20  # bytes; a smaller file is read once more, as a check
UNEVEN_RATIO = 5  # the largest class has so many times the examples of the smallest: a note
LISTED = 5  # names of classes in a note


def check_efforts(names: Sequence[str], model: str) -> None:
    """Raise MetaglotError for an unknown effort, and for as-trained where no algorithm trained the model."""
    from metaglot.data.trained import check_trained

    for name in names:
        if name not in EFFORTS:
            raise MetaglotError(f"unknown effort {name!r}; choose from {', '.join(EFFORTS)}")
    if "as-trained" in names:
        check_trained(model)


def check_baselines(names: Sequence[str], *, multitask: str | None) -> None:
    """Raise MetaglotError for an unknown baseline, and for multitask without its model."""
    choices = (*BASELINES, *BASELINE_GROUPS)
    unknown = ", ".join(repr(name) for name in names if name not in choices)
    if unknown:
        raise MetaglotError(f"--against: unknown baseline {unknown}; choose from {', '.join(choices)}")
    if "multitask" in names and multitask is None:
        raise MetaglotError(
            "--against multitask fine-tunes a model trained on all tasks jointly: name its run directory with "
            "--multitask (train one with the algorithm joint), or leave multitask out"
        )


def check_algorithm(name: str) -> None:
    """Raise MetaglotError for an unknown meta-learner; the message gives the nearest name."""
    if name not in ALGORITHMS:
        matches = get_close_matches(name, ALGORITHMS, n=1, cutoff=0.5)
        near = f" (did you mean {matches[0]!r}?)" if matches else ""
        raise MetaglotError(f"algorithm.name: unknown algorithm {name!r}{near}; there are: {', '.join(ALGORITHMS)}")


def check_count(option: str, count: int | None, *, most: int) -> None:
    """Raise MetaglotError for a number below 1 or beyond `most`."""
    if count is not None and not 1 <= count <= most:
        from metaglot.data.yamltext import shown

        raise MetaglotError(f"{option} {shown(count)}: expected 1 or more, at most {most:,}")


def check_recipe_data(recipe: "Recipe") -> None:
    """Raise MetaglotError for a set or corpus of a recipe that is absent, and for a small one that cannot be read."""
    from metaglot.config import set_path, text_path
    from metaglot.data.builtin import BUILTINS
    from metaglot.data.encodings import encoding_in
    from metaglot.data.rawfiles import is_there
    from metaglot.data.readers import read_table

    for settings in (*recipe.data.train, *recipe.data.validation):
        path = set_path(recipe, settings)
        if path.startswith("builtin:"):
            name = path.removeprefix("builtin:")
            sets = [key for key, entry in BUILTINS.items() if entry.kind == "data"]
            if name not in sets:
                close = get_close_matches(name, sets, n=1, cutoff=0.6)
                near = f" (did you mean builtin:{close[0]}?)" if close else ""
                raise MetaglotError(f"data: no built-in set {name!r}{near}; there are {', '.join(sets)}")
        elif not path.startswith("hub:") and not (Path(path).is_file() and Path(path).stat().st_size > SMALL_FILE):
            with encoding_in(path):
                read_table(path, mapping=settings.columns or None, encoding=settings.encoding, cells=settings.cells)
    text = recipe.text
    for path in (text_path(text, corpus) for corpus in text.corpora) if text is not None else ():
        if not path.startswith("hub:") and not is_there(Path(path)):
            raise MetaglotError(f"{path}: no such file or folder (text.corpora); name one of raw text")


def check_reads(reads: str | None, tasks: "Sequence[LabelledTask]") -> None:
    """Raise MetaglotError for --reads where no task has pairs of texts."""
    tables = [task.table for task in tasks]
    if reads and all(
        "text_pair" not in table.column_names or table["text_pair"].null_count == len(table) for table in tables
    ):
        raise MetaglotError(
            "--reads has no use: no task has second texts; name their column (--columns text_pair=…), or drop it"
        )


def check_tasks(tasks: "Sequence[LabelledTask]", shots: Sequence[int], draws: int) -> list[str]:
    """Return notes on tasks whose draws are smaller or fewer than planned; raise MetaglotError for impossible draws."""
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
            raise MetaglotError(f"{name}: the file fixes {len(fixed)} draws, and --draws is {draws}; ask for fewer")
        most = max(shots)
        try:
            missing_draws = [
                (shot, [draw for draw in fixed[:draws] if draw not in rule.draws_at(shot)]) for shot in shots
            ]
            first = next(iter(rule.draws_at(most)), 0)
            counts = rule.strata.counts(rule.support(most, first))
        except MetaglotError as error:
            raise MetaglotError(f"{name}: {error}") from error
        small_classes = [f"{label!r} ({counts[label]})" for label in rule.labels if counts[label] < most]
        if small_classes:
            notes.append(
                f"{name}: fewer than {most} examples are left for {most} shots, since half are kept for the test, in "
                f"{_listing(small_classes)}; all of these are used, and `support` in the results is their number"
            )
        notes += [
            f"{name}: its file lacks draw {', '.join(map(str, draw_numbers))} of {shot} shots; the others are judged"
            for shot, draw_numbers in missing_draws
            if draw_numbers
        ]
        notes += draw_notes(name, rule, 0 if small_classes else most)
        notes += [f"{name}: {note}" for note in file_notes(table, kind)]
    return notes


def file_notes(table: "pa.Table", kind: str = "classification") -> list[str]:
    """Return notes on a table for judging: problems of its file, its classes and its texts."""
    from metaglot.cli.shared.texts import texts_of
    from metaglot.data.folding import folded_texts
    from metaglot.data.label_shape import shape_notes
    from metaglot.data.labels import alike_notes, table_notes

    labels, inputs = table["label"].to_pylist(), texts_of(table)
    texts, pairs = inputs.texts, inputs.pairs
    if not FAMILIES.exclusive(kind):
        same_labels = [""] * len(texts)  # no conflicts: two numbers, or two sets of labels, contradict nothing
        return [*table_notes(table), *text_notes(texts, same_labels, pairs, folded_texts(texts, pairs))]
    notes = text_notes(texts, labels, pairs, folded_texts(texts, pairs))
    return [*table_notes(table), *shape_notes(labels), *alike_notes({label for label in labels if label}), *notes]


def example_notes(texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str] | None) -> list[str]:
    """Return notes on labelled examples.

    Notes are on labels that do not look like classes, classes with one example, classes of very different sizes,
    similar names of classes, texts with several labels, and empty texts.
    """
    from metaglot.data.folding import again, folded_texts
    from metaglot.data.label_shape import shape_notes
    from metaglot.data.labels import alike_notes

    counts = Counter(labels)
    notes = shape_notes(labels)
    single = sorted(repr(label) for label, count in counts.items() if count == 1)
    if single and len(texts) > len(counts):
        notes.append(f"only one example of {_listing(single)}; a second one helps much")
    most, least = max(counts.values()), min(counts.values())
    if most >= UNEVEN_RATIO * least:
        large, small = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
        notes.append(f"classes of unlike size: {most} examples of {large!r}, {least} of {small!r}")
    notes += alike_notes(counts)
    keys = folded_texts(texts, pairs)
    repeats = again(keys, labels).repeats
    if repeats:
        notes.append(f"{len(repeats)} examples repeat an earlier text; cross-validation keeps repeats together")
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
    """Return notes on texts with several labels, and on empty texts; texts are equal if their keys are.

    `targets` are compared in place of labels where different labels can mean the same target.
    """
    from metaglot.data.folding import again

    notes: list[str] = []
    if clashes := again(keys, labels if targets is None else targets).clashes:
        second, first = clashes[0]
        notes.append(
            f"{len({keys[number] for number, _ in clashes})} texts appear {conflict}, such as examples "
            f"{first + 1} ({labels[first]!r}) and {second + 1} ({labels[second]!r})"
        )
    return [*notes, *empty_notes(texts, pairs)]


def empty_notes(texts: Sequence[str], pairs: Sequence[str] | None) -> list[str]:
    """Return a note on texts that are empty, with the number of the first of them; none where there are none."""
    from metaglot.data.texts import empty_rows

    empty = empty_rows(texts, pairs)
    if not empty:
        return []
    return [
        f"{len(empty)} texts are empty, such as example {empty[0] + 1}; they count, and say nothing: leave them out"
    ]


def _listing(items: Sequence[str]) -> str:
    more = f" and {len(items) - LISTED} more" if len(items) > LISTED else ""
    return ", ".join(items[:LISTED]) + more
