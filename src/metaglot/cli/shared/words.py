"""`metaglot compare MODEL MODEL… TASK…`: which words are models, which are tasks; short names of the models."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from metaglot.errors import MetaglotError

ORDER_HINT = "Models come first and files of tasks after them, or each task as --tasks FILE"


class Words(NamedTuple):
    """The words of a command line: names that `load_model` takes, and files or folders of labelled texts."""

    models: list[str]
    tasks: list[Path]
    notes: list[str]


def split_words(words: Sequence[str], tasks: Sequence[Path]) -> Words:
    """Return the models and the tasks: a word is a task if it is a file, ends like one, or begins with `hub:`.

    `tasks` are those of an option; a folder there means its labelled files.  In place of an adaptation, the model
    that it was made from is compared, and a note says so.  Raises MetaglotError for fewer than two models, for a
    repeated model, for no task, and for a folder of data among the models.
    """
    task_words = [word for word in words if _is_task(word)]
    models, notes = [word for word in words if not _is_task(word)], list[str]()
    files = [*map(Path, task_words), *(file for path in tasks for file in _files(path))]
    if len(models) < 2:
        count = f"there is one, {models[0]}" if models else "there is none"
        raise MetaglotError(
            f"compare needs two models or more, and {count}: runs, adaptations, built-in models, Hugging Face folders "
            f"or hub ids. {ORDER_HINT}. `metaglot evaluate` judges one model beside baselines"
        )
    for number, model in enumerate(models):
        models[number], note = _model(model)
        notes += [note] if note else []
    if not files:
        raise MetaglotError(f"no task is named beside the models {', '.join(models)}. {ORDER_HINT}")
    return Words(models, files, notes)


def short_names(models: Sequence[str]) -> list[str]:
    """Return a name for each model: the end of its path, as short as makes it different from the others.

    Raises MetaglotError for a repeated model.
    """
    from metaglot.data.folders import is_dir
    from metaglot.data.rawfiles import expanded

    paths = [expanded(model).resolve().parts if is_dir(expanded(model)) else (model,) for model in models]
    twice = [model for number, model in enumerate(models) if paths[number] in paths[:number]]
    if twice:
        raise MetaglotError(f"{twice[0]} is named twice; name different models")
    return [_short(path, paths) for path in paths]


def _short(path: tuple[str, ...], paths: Sequence[tuple[str, ...]]) -> str:
    sizes = range(1, len(path) + 1)
    unique = (size for size in sizes if sum(other[-size:] == path[-size:] for other in paths) == 1)
    return "/".join(path[-next(unique, len(path)) :])


def _is_task(word: str) -> bool:
    from metaglot.data.folders import is_dir, is_file
    from metaglot.data.readers import format_of

    return (
        word.startswith("hub:") or is_file(Path(word)) or (format_of(Path(word)) is not None and not is_dir(Path(word)))
    )


def _files(path: Path) -> list[Path]:
    """Return the labelled files of a folder of tasks, or the file itself."""
    from metaglot.data.folders import is_dir

    if not is_dir(path):
        return [path]
    files = _labelled_files(path)
    if not files:
        raise MetaglotError(f"--tasks {path}: no labelled file there (parquet, csv, tsv, json, jsonl)")
    return files


def _labelled_files(folder: Path) -> list[Path]:
    from metaglot.data.readers import data_files, is_labelled

    return [file for file in data_files(folder, deep=False) if is_labelled(file)]


def _model(name: str) -> tuple[str, str]:
    """Return the name of a model for `load_model`, and a note where it is not the given one."""
    from metaglot.data.folders import ADAPTED, check_model, folder_of, is_dir, is_file
    from metaglot.data.jsonfile import read_object
    from metaglot.data.naming import name_in_record

    folder = folder_of(name)
    if is_file(folder / ADAPTED):
        saved = read_object(folder / ADAPTED)
        if "model_source" not in saved:
            raise MetaglotError(f"{folder}: damaged (adapted.json names no model); adapt again")
        base = name_in_record("model_source", saved, folder)
        check_model(base)
        return base, f"{name} is an adaptation; the model that it was made from is compared: {base}"
    try:
        check_model(name)
    except MetaglotError as error:
        if is_dir(folder) and _labelled_files(folder):
            raise MetaglotError(
                f"{name}: a folder of data, and no model; name the files in it, or the folder as --tasks {name}"
            ) from error
        raise
    return name, ""
