"""Recipes: YAML and `key=value` → checked settings.  The error for an unknown key names the key nearest to it."""

import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from string import Template
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from metaglot.config.settings import Recipe, SetSettings
from metaglot.config.text import CorpusSettings, TextSettings
from metaglot.data.rawfiles import is_there, read_bytes
from metaglot.data.yamltext import parse_yaml, shown
from metaglot.errors import MetaglotError

SHOWN = 8  # mistakes in one message


def load_recipe(path: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Return the recipe in a YAML file with `key=value` overrides (dotted keys, YAML values).

    Raises MetaglotError that names the file and key, what was expected and what came.
    """
    file = Path(path)
    if not is_there(file):
        raise MetaglotError(f"{file}: no such recipe; recipes of the package: {', '.join(packaged_recipes())}")
    try:
        text = read_bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MetaglotError(f"{file}: cannot be read: not UTF-8 ({error.reason}); save it as UTF-8") from error
    raw = parse_yaml(text, str(file))
    if not isinstance(raw, dict):
        raise MetaglotError(f"{file}: expected keys and values, got {type(raw).__name__}")
    return parse_recipe(raw, overrides, where=str(file))


def parse_recipe(raw: Mapping[str, Any], overrides: Sequence[str] = (), *, where: str = "recipe") -> Recipe:
    """Return the recipe of plain values; see `load_recipe`."""
    values = _copy(raw)
    for override in overrides:
        _override(values, override)
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise MetaglotError(f"{where}: {_explain(error)}") from error


def set_path(recipe: Recipe, settings: SetSettings) -> str:
    """Return where a set is read from: `builtin:…`, `hub:…`, or a path with data.root and $VARIABLES filled in."""
    return _location(settings.path, recipe.data.root, "data: a set")


def text_path(settings: TextSettings, corpus: CorpusSettings) -> str:
    """Return where a corpus is read from: `hub:…`, or a path with text.root and $VARIABLES filled in."""
    return _location(corpus.path, settings.root, "text: a corpus")


def _location(path: str, root: str, what: str) -> str:
    if path.startswith(("builtin:", "hub:")):
        return path
    if not path.strip():
        raise MetaglotError(f"{what} has an empty path; name a file, a folder, hub:ID or builtin:NAME")
    place = Path(expand(path))
    if root and not place.is_absolute():
        place = Path(expand(root)) / place
    parquet = place.with_suffix(".parquet")
    return str(parquet if not place.suffix and not is_there(place) and is_there(parquet) else place)


def dump_recipe(recipe: Recipe) -> str:
    """Return the recipe with every default filled in, as YAML."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False, allow_unicode=True)


def expand(text: str) -> str:
    """Return `text` with $VARIABLES filled in; raise MetaglotError for one that is not set."""
    try:
        return os.path.expanduser(Template(text).substitute(os.environ))
    except KeyError as error:
        name = error.args[0]
        raise MetaglotError(f"{text}: the environment variable {name} is not set; export {name}=/path/to/it") from error
    except ValueError as error:
        raise MetaglotError(f"{text}: a $ must begin a variable's name; write $$ for the sign itself") from error


def packaged_recipes() -> dict[str, Path]:
    """Return the recipes that come with metaglot, by name."""
    here = Path(__file__).parent.parent
    folders = [here / "recipes", here.parent.parent / "recipes"]
    return {file.stem: file for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.yaml"))}


def _override(values: dict[str, Any], override: str) -> None:
    key, sign, value = override.partition("=")
    if not sign or not key:
        raise MetaglotError(f"override {override!r}: expected key=value, e.g. training.steps=100")
    *parents, last = key.split(".")
    level: Any = values
    for parent in parents:
        level = level.setdefault(parent, {}) if isinstance(level, dict) else None
        if not isinstance(level, dict):
            raise MetaglotError(f"override {override!r}: {parent} holds no keys")
    level[last] = parse_yaml(value, f"override {override[:60]!r}")


def _explain(error: ValidationError) -> str:
    problems: list[str] = []
    for problem in error.errors():
        path = ".".join(str(part)[:60] for part in problem["loc"]) or "recipe"
        if problem["type"] == "extra_forbidden":
            problems.append(f"unknown key {path}{_neighbour(problem['loc'])}")
        elif problem["type"] == "missing":
            problems.append(f"{path} is missing")
        else:
            problems.append(f"{path}: {problem['msg'].removeprefix('Value error, ')} (got {shown(problem['input'])})")
    more = f"; and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return "; ".join(problems[:SHOWN]) + more


def _neighbour(loc: Sequence[int | str]) -> str:
    model: Any = Recipe
    annotation: Any = None
    for part in loc[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            annotation = model.model_fields[part].annotation
            model = next(iter(_settings_in(annotation)), model)
        elif isinstance(part, str):  # a kind of settings among several
            model = next((m for m in _settings_in(annotation) if m.model_fields["kind"].default == part), model)
    known = list(model.model_fields)
    near = get_close_matches(str(loc[-1])[:60], known, n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else f" (known there: {', '.join(known)})"


def _settings_in(annotation: Any) -> list[Any]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [one for part in getattr(annotation, "__args__", ()) for one in _settings_in(part)]


def _copy(value: Any) -> Any:
    return {k: _copy(v) for k, v in value.items()} if isinstance(value, Mapping) else value
