"""A recipe becomes a plan: data read and tokenised, tasks made, the model loaded."""

import hashlib
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from metaglot.algorithms import build_algorithm
from metaglot.config import Recipe, SetSettings, dump_recipe, load_recipe, set_path
from metaglot.data.builtin import load_builtin
from metaglot.data.folders import latest
from metaglot.data.readers import read_table
from metaglot.data.seen import Part
from metaglot.data.store import tokenise
from metaglot.errors import MetaglotError
from metaglot.models import Backbone, Runtime, load_backbone
from metaglot.models.load import check_length
from metaglot.tasks import Classification, Selection, Shape, Source, SupervisedTasks, sources_of
from metaglot.training import COMBINES, Goal, Optimisation, Plan, Validation
from metaglot.training.estimator import earlier, settled
from metaglot.training.need import Largest
from metaglot.version import __version__

Say = Callable[[str], None]


class Assembled(NamedTuple):
    """A plan, with what it was made of."""

    plan: Plan
    backbone: Backbone
    train: tuple[Source, ...]
    validation: tuple[Source, ...]
    description: dict[str, Any]  # for model.json
    texts: tuple[Part, ...]  # what `train` is made of


def assemble(recipe: Recipe, say: Say = lambda _: None, *, run: Path | None = None) -> Assembled:
    """Return the plan of a recipe; raise MetaglotError where data, model or algorithm are not as it says.

    `run` is the folder of a run that may go on, or be done again: what it chose at its start is kept.
    """
    algorithm = build_algorithm(recipe.algorithm.name, recipe.algorithm.options)
    _check_combine(recipe, together=algorithm.together)
    m = recipe.model
    runtime = Runtime(m.precision, m.attention, m.device, algorithm.second_order, m.checkpointing)
    say(f"loading {recipe.model.name}")
    backbone = load_backbone(recipe.model.name, runtime)
    say(f"running in {backbone.notes[0]}")
    check_length(backbone, recipe.model.max_length, "model")
    train, hashes, tables = _sources(recipe, recipe.data.train, backbone, say)
    validation, held_hashes, _ = _sources(recipe, recipe.data.validation, backbone, say)
    _check_names(hashes, held_hashes)
    _check_disjoint(train, validation)
    family = Classification(pad_token_id=int(backbone.tokenizer.pad_token_id or 0))
    episodes, settings = recipe.episodes, recipe.validation
    shape = Shape(episodes.ways, episodes.shots, episodes.queries, episodes.max_support, episodes.max_query)
    shots = recipe.goal.shots if recipe.goal else settings.shots
    held_shape = Shape(settings.ways, (shots, shots), settings.queries, 512, 512)
    t = recipe.training
    tasks = SupervisedTasks(train, family, shape, recipe.data.mixture)
    chosen = settled(algorithm, backbone.learner, tasks, _largest(recipe), record=_earlier(run), freeze=t.freeze)
    if chosen.said:
        say(chosen.said)
    plan = Plan(
        learner=backbone.learner,
        algorithm=chosen.algorithm,
        train=tasks,
        validation=SupervisedTasks(validation, family, held_shape, "uniform") if validation else None,
        optimisation=Optimisation(
            t.steps, t.meta_batch, t.lr, t.head_lr, t.algorithm_lr, t.warmup, t.schedule, t.weight_decay, t.clip
        ),
        validate=Validation(settings.every, settings.episodes),
        goal=Goal(recipe.goal.metric, recipe.goal.at_least, recipe.goal.shots) if recipe.goal else None,
        cpu_minutes=recipe.budget.cpu_minutes,
        save_every=t.save_every,
        keep=t.keep,
        seed=recipe.seed,
        freeze=t.freeze,
        combine=COMBINES[t.combine],
    )
    description = {
        "format": 1,
        "base": recipe.model.name,
        "max_length": recipe.model.max_length,
        "algorithm": recipe.algorithm.model_dump(mode="json"),
        "data": sorted({source.info.dataset for source in train}),
        "fingerprints": hashes,
        "validation": sorted({source.info.dataset for source in validation}),
        "validation_fingerprints": held_hashes,
        **({} if chosen.record is None else {"estimator": dict(chosen.record)}),
    }
    return Assembled(plan, backbone, train, validation, description, _parts(train, tables))


def write_run_files(folder: Path, recipe_text: str, description: dict[str, Any]) -> None:
    """Write config.yaml, environment.json and model.json, or check that they say the same as this run.

    Raises MetaglotError if the folder holds another run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "config.yaml"
    if config.is_file() and dump_recipe(load_recipe(config)) != recipe_text:  # keys of later versions have defaults
        raise MetaglotError(f"{folder} holds a run of another recipe; use another --out, or --force to start over")
    described = _description(folder / "model.json")
    changed = [key for key in ("fingerprints", "validation_fingerprints") if described.get(key) != description.get(key)]
    if described and changed and (folder / "checkpoints").is_dir():
        raise MetaglotError(
            f"{folder}: the data are not what the run began with ({', '.join(changed)} in model.json differ); put them "
            "back, use another --out, or --force to start over"
        )
    environment = {"metaglot": __version__, "python": platform.python_version(), "machine": platform.machine()}
    environment |= _versions()
    for name, text in (
        ("model.json", json.dumps(description, indent=1, ensure_ascii=False) + "\n"),
        ("environment.json", json.dumps(environment, indent=1) + "\n"),
        ("config.yaml", recipe_text),
    ):
        part = folder / f".{name}.part"
        part.write_text(text, "utf-8")
        part.replace(folder / name)


def _sources(
    recipe: Recipe, sets: Sequence[SetSettings], backbone: Backbone, say: Say
) -> tuple[tuple[Source, ...], dict[str, str], dict[str, pa.Table]]:
    sources: list[Source] = []
    tables: dict[str, pa.Table] = {}
    hashes: dict[str, str] = {}
    for settings in sets:
        name = settings.name or settings.path.removeprefix("builtin:").rsplit("/", 1)[-1].split(".")[0]
        table = read_set(recipe, settings)
        say(f"reading {name}: {table.num_rows} rows")
        examples = tokenise(table, backbone.tokenizer, name=name, max_length=recipe.model.max_length)
        _check_names(hashes, {name: examples.fingerprint})
        hashes[name], tables[name] = examples.fingerprint, table
        select = Selection(
            group_by=settings.group_by,
            languages=settings.languages,
            splits=settings.splits,
            domains=settings.domains,
            classes=settings.classes,
            without=settings.without,
            min_per_class=settings.min_per_class,
        )
        sources += sources_of(examples, select)
    return tuple(sources), hashes, tables


def _largest(recipe: Recipe) -> Largest:
    """Return the size of the largest episode that a recipe allows."""
    e = recipe.episodes
    support, query = min(e.max_support, e.ways[1] * e.shots[1]), min(e.max_query, e.ways[1] * e.queries)
    return Largest(support, query, recipe.model.max_length)


def _earlier(folder: Path | None) -> Mapping[str, Any] | None:
    """Return the estimator that a run began with, if it chose one."""
    return None if folder is None else earlier(_description(folder / "model.json"), trained=latest(folder) is not None)


def _parts(sources: Sequence[Source], tables: Mapping[str, pa.Table]) -> tuple[Part, ...]:
    """Return the rows and class names of each set that became tasks."""
    parts: list[Part] = []
    for name, table in tables.items():
        mine = [source for source in sources if source.info.dataset == name]
        rows = np.unique(np.concatenate([members for source in mine for members in source.members]))
        parts.append(Part(name, table, rows, tuple(sorted({label for source in mine for label in source.info.labels}))))
    return tuple(parts)


def read_set(recipe: Recipe, settings: SetSettings) -> Any:
    """Return the canonical table of a set in a recipe."""
    path = set_path(recipe, settings)
    if path.startswith("builtin:"):
        return load_builtin(path.removeprefix("builtin:"))
    return read_table(path, mapping=settings.columns or None)


def _check_combine(recipe: Recipe, *, together: bool) -> None:
    """Refuse to combine where there is one gradient only."""
    t = recipe.training
    if t.combine != "mean" and (together or t.meta_batch == 1):
        why = f"{recipe.algorithm.name} gives one for all episodes" if together else "meta_batch is 1"
        raise MetaglotError(f"training.combine: {t.combine} needs several gradients a step, and {why}; use mean")


def _check_names(known: Mapping[str, str], more: Mapping[str, str]) -> None:
    """Refuse one name for two sets: their heads and their classes would be taken for the same."""
    for name, fingerprint in more.items():
        if known.get(name, fingerprint) != fingerprint:
            raise MetaglotError(
                f"data: two different sets are called {name}; give one of them a name of its own: {{path: …, name: …}}"
            )


def _check_disjoint(train: Sequence[Source], validation: Sequence[Source]) -> None:
    """Refuse a class of one task on both sides, and a text of one set on both sides."""
    taught = {(s.info.dataset, c, s.info.name) for s in train for c in s.info.classes}
    both = sorted(
        {key[0] for s in validation for c in s.info.classes if (key := (s.info.dataset, c, s.info.name)) in taught}
    )
    if both:
        raise MetaglotError(
            f"data: {', '.join(both)} stands in training and in validation with the same classes of the same tasks; "
            "choose other classes, domains or sets"
        )
    rows: dict[str, set[int]] = {}
    for source in train:
        rows.setdefault(source.info.dataset, set()).update(int(i) for members in source.members for i in members)
    for source in validation:
        held = {int(i) for members in source.members for i in members}
        shared = rows.get(source.info.dataset, set[int]()) & held
        if shared:
            raise MetaglotError(
                f"data: {len(shared)} texts of {source.info.name} stand in training and in validation; choose other "
                "classes, domains or sets"
            )


def _description(file: Path) -> dict[str, Any]:
    """Return what a model.json says; nothing where it is absent or was cut short."""
    try:
        return dict(json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return {}


def _versions() -> dict[str, str]:
    import torch
    import transformers

    digest = hashlib.sha256(torch.__config__.show().encode()).hexdigest()[:16]
    return {
        "torch": torch.__version__,
        "torch_build": digest,
        "transformers": transformers.__version__,
        "threads": str(torch.get_num_threads()),
    }
