"""Recipes: YAML and `key=value` → checked settings.  Unknown or ill-typed keys are errors that name their neighbour."""

import math
import os
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from string import Template
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from metaglot.data.rawfiles import is_there, read_bytes
from metaglot.data.yamltext import parse_yaml, shown
from metaglot.errors import MetaglotError


class Strict(BaseModel):
    """Settings that refuse unknown keys, strings for numbers, NaN and infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Range = tuple[int, int]
MOST = 1_000_000_000  # of any count: beyond it stands a slip of the finger
SHOWN = 8  # mistakes told at once


def _check_range(key: str, given: Range, *, least: int) -> None:
    low, high = given
    if not least <= low <= high <= MOST:
        limits = f"{least} <= low <= high" + (f" <= {MOST:,}" if high > MOST else "")
        raise ValueError(f"{key}: expected [low, high] with {limits}, got [{shown(low)}, {shown(high)}]")


class ModelSettings(Strict):
    """The backbone."""

    name: str = "builtin:minilm"
    max_length: int = Field(default=96, ge=4, le=8192)  # tokens
    precision: Literal["auto", "bf16", "fp32"] = "auto"
    attention: Literal["auto", "eager", "sdpa"] = "auto"
    checkpointing: bool = False  # recompute layers on the way back: less memory, more time
    device: str = "auto"


class SetSettings(Strict):
    """A labelled set and what of it becomes tasks."""

    path: str  # a file, a folder, hub:ID or builtin:NAME; relative to data.root
    name: str = ""  # the file's name if empty
    columns: dict[str, str] = {}
    group_by: tuple[str, ...] = Field(default=(), strict=False)
    languages: tuple[str, ...] = Field(default=(), strict=False)
    splits: tuple[str, ...] = Field(default=(), strict=False)
    domains: tuple[str, ...] = Field(default=(), strict=False)
    classes: tuple[str, ...] = Field(default=(), strict=False)
    without: tuple[str, ...] = Field(default=(), strict=False)
    min_per_class: int = Field(default=10, ge=2, le=MOST)

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        return {"path": value} if isinstance(value, str) else value


class DataSettings(Strict):
    """Sets to meta-train on, and sets kept aside."""

    root: str = ""  # may hold $METAGLOT_DATA
    train: tuple[SetSettings, ...] = Field(min_length=1, strict=False)
    validation: tuple[SetSettings, ...] = Field(default=(), strict=False)
    mixture: Literal["uniform", "size", "sqrt"] = "sqrt"


class EpisodeSettings(Strict):
    """The size of an episode."""

    ways: Range = Field(default=(2, 8), strict=False)
    shots: Range = Field(default=(1, 8), strict=False)
    queries: int = Field(default=4, ge=1, le=MOST)  # a class
    max_support: int = Field(default=64, ge=2, le=MOST)
    max_query: int = Field(default=64, ge=2, le=MOST)

    @model_validator(mode="after")
    def _ordered(self) -> "EpisodeSettings":
        _check_range("ways", self.ways, least=2)
        _check_range("shots", self.shots, least=1)
        for key, most in (("max_support", self.max_support), ("max_query", self.max_query)):
            if most < self.ways[0]:
                raise ValueError(f"{key}: {most} examples cannot hold one of each of {self.ways[0]} classes (ways)")
        return self


class AlgorithmSettings(Strict):
    """The meta-learner, by name, and its options."""

    name: str = "protonet"
    options: dict[str, Any] = {}

    @model_validator(mode="after")
    def _finite(self) -> "AlgorithmSettings":
        for key, value in self.options.items():
            if isinstance(value, float) and not math.isfinite(value):
                raise ValueError(f"options.{key}: expected a finite number, got {value}")
            if isinstance(value, int) and abs(value) > MOST:
                raise ValueError(f"options.{key}: expected at most {MOST:,}, got {shown(value)}")
        return self


class TrainingSettings(Strict):
    """The outer loop."""

    steps: int = Field(default=1000, ge=1, le=MOST)
    meta_batch: int = Field(default=4, ge=1, le=MOST)
    lr: float = Field(default=5e-5, gt=0)
    head_lr: float = Field(default=1e-3, gt=0)
    algorithm_lr: float = Field(default=1e-2, gt=0)
    warmup: int = Field(default=50, ge=0, le=MOST)
    schedule: Literal["cosine", "constant"] = "cosine"
    weight_decay: float = Field(default=0.01, ge=0)
    clip: float | None = Field(default=1.0, gt=0)
    freeze: tuple[str, ...] = Field(default=(), strict=False)
    combine: Literal["mean", "pcgrad", "gradvac"] = "mean"  # how the gradients of a meta-batch become one
    save_every: int = Field(default=200, ge=1, le=MOST)
    keep: int = Field(default=2, ge=1, le=MOST)
    trackers: tuple[Literal["tensorboard", "trackio", "wandb"], ...] = Field(default=(), strict=False)


class ValidationSettings(Strict):
    """How often and on what the run is tested."""

    every: int = Field(default=200, ge=1, le=MOST)
    episodes: int = Field(default=40, ge=1, le=MOST)
    ways: Range = Field(default=(2, 8), strict=False)
    shots: int = Field(default=5, ge=1, le=MOST)
    queries: int = Field(default=8, ge=1, le=MOST)

    @model_validator(mode="after")
    def _ordered(self) -> "ValidationSettings":
        _check_range("ways", self.ways, least=2)
        return self


class GoalSettings(Strict):
    """Training ends once validation meets it."""

    metric: Literal["accuracy"] = "accuracy"
    at_least: float = Field(gt=0, le=1)
    shots: int = Field(default=5, ge=1, le=MOST)


class BudgetSettings(Strict):
    """Training ends here at the latest, whatever `training.steps` says."""

    cpu_minutes: float | None = Field(default=None, gt=0)


class Recipe(Strict):
    """A whole meta-training run."""

    name: str = "run"
    description: str = ""
    seed: int = Field(default=0, ge=0, lt=2**63)
    threads: int | None = Field(default=None, ge=1, le=1024)  # of torch; its own choice if absent
    model: ModelSettings = ModelSettings()
    data: DataSettings
    episodes: EpisodeSettings = EpisodeSettings()
    algorithm: AlgorithmSettings = AlgorithmSettings()
    training: TrainingSettings = TrainingSettings()
    validation: ValidationSettings = ValidationSettings()
    goal: GoalSettings | None = None
    budget: BudgetSettings = BudgetSettings()

    @field_validator("name")
    @classmethod
    def _a_folder_name(cls, name: str) -> str:
        if not name.strip() or name in {".", ".."} or len(name) > 100 or not name.isprintable() or {*"/\\"} & {*name}:
            raise ValueError("expected a name that a folder can have: no slash, no line break, at most 100 letters")
        return name

    @model_validator(mode="after")
    def _goal_needs_validation(self) -> "Recipe":
        if self.goal is not None and not self.data.validation:
            raise ValueError("goal: it is judged on held-out tasks, so data.validation must name at least one set")
        return self


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
    if settings.path.startswith(("builtin:", "hub:")):
        return settings.path
    if not settings.path.strip():
        raise MetaglotError("data: a set has an empty path; name a file, a folder, hub:ID or builtin:NAME")
    path = Path(expand(settings.path))
    if recipe.data.root and not path.is_absolute():
        path = Path(expand(recipe.data.root)) / path
    parquet = path.with_suffix(".parquet")
    return str(parquet if not path.suffix and not is_there(path) and is_there(parquet) else path)


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
    here = Path(__file__).parent
    folders = [here / "recipes", here.parent.parent / "recipes"]
    return {file.stem: file for folder in folders if folder.is_dir() for file in sorted(folder.glob("*.yaml"))}


def _override(values: dict[str, Any], override: str) -> None:
    key, found, value = override.partition("=")
    if not found or not key:
        raise MetaglotError(f"override {override!r}: expected key=value, e.g. training.steps=100")
    *parents, last = key.split(".")
    at: Any = values
    for parent in parents:
        at = at.setdefault(parent, {}) if isinstance(at, dict) else None
        if not isinstance(at, dict):
            raise MetaglotError(f"override {override!r}: {parent} holds no keys")
    at[last] = parse_yaml(value, f"override {override[:60]!r}")


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
    for part in loc[:-1]:
        if isinstance(part, str) and part in model.model_fields:
            model = _settings_in(model.model_fields[part].annotation) or model
    known = list(model.model_fields)
    near = get_close_matches(str(loc[-1])[:60], known, n=1, cutoff=0.5)
    return f" (did you mean {near[0]!r}?)" if near else f" (known there: {', '.join(known)})"


def _settings_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = [_settings_in(part) for part in getattr(annotation, "__args__", ())]
    return next((one for one in inner if one is not None), None)


def _copy(value: Any) -> Any:
    return {k: _copy(v) for k, v in value.items()} if isinstance(value, Mapping) else value
