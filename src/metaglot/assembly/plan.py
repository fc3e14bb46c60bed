"""The plan of a recipe."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from metaglot.algorithms import build_algorithm
from metaglot.algorithms.build import full_options, has_dropout
from metaglot.algorithms.hybrid import Hybrid
from metaglot.assembly.episode_size import episode_size
from metaglot.assembly.folder import BASE
from metaglot.assembly.judged import check_goal, check_learns, measures_of
from metaglot.assembly.labelled import check_disjoint, check_names, labelled_sources, lowered, parts_of
from metaglot.assembly.progress import Bar, Progress, no_bar, silent
from metaglot.assembly.scratch import made_from_scratch
from metaglot.assembly.tasks import Tasks, has_plain, needs_language, shape_of, tasks_of
from metaglot.assembly.text import RawText, TextSource, read_text
from metaglot.config import Recipe
from metaglot.config.goal import goal_of
from metaglot.data.folders import latest
from metaglot.data.runfile import description_in
from metaglot.data.seen import Part
from metaglot.data.trained import named_in
from metaglot.errors import MetaglotError
from metaglot.families.classification import Classification
from metaglot.metric import LABELLED, Measures
from metaglot.models import Backbone, Runtime, load_backbone
from metaglot.models.limits import check_length
from metaglot.models.trainable import check_trains
from metaglot.tasks import Shape, Source, SupervisedTasks
from metaglot.training import COMBINES, Goal, Optimisation, Plan, Validation
from metaglot.training.estimator import Choice, earlier, settled
from metaglot.types import Algorithm


class Assembled(NamedTuple):
    """A plan, with what it was made of."""

    plan: Plan
    backbone: Backbone
    train: tuple[Source, ...]
    validation: tuple[Source, ...]
    description: dict[str, Any]  # for model.json
    texts: tuple[Part, ...]  # what training reads
    base: Path | None = None  # folder of a model that was made for the run


def assemble(
    recipe: Recipe, say: Callable[[str], None] = silent, *, run: Path | None = None, bar: Bar = no_bar
) -> Assembled:
    """Return the plan of a recipe; raise MetaglotError where data, model or algorithm are not as it says.

    `run` is the folder of a run that may go on, or be done again: what it chose at its start is kept.  `say` is given
    lines, `bar` the progress of what takes long.
    """
    progress = Progress(say, bar)
    check_goal(recipe)
    named = _algorithm(recipe, run)
    algorithm = build_algorithm(**named)
    _check_combine(recipe, together=algorithm.together)
    text = None if recipe.text is None else read_text(recipe.text, progress, measured=has_plain(recipe))
    backbone, base = _backbone(recipe, text, progress, second_order=algorithm.second_order)
    train, hashes, tables = labelled_sources(recipe, recipe.data.train, backbone, progress)
    validation, held_hashes, _ = labelled_sources(recipe, recipe.data.validation, backbone, progress)
    check_names(hashes, held_hashes)
    check_disjoint(train, validation)
    check_learns(algorithm, recipe.algorithm.name, (*train, *validation))
    if text is not None:
        check_names({**hashes, **held_hashes}, text.fingerprints)
    objective = Classification(pad_token_id=int(backbone.tokenizer.pad_token_id or 0))
    shape = shape_of(recipe.episodes)
    supervised = SupervisedTasks(train, objective, shape, recipe.data.mixture) if train else None
    if note := lowered(train, shape):
        say(f"episodes: {note}")
    text_source = None
    if recipe.text is not None and text is not None:
        check_length(backbone, recipe.text.length, "text.length")
        text_source = TextSource(recipe, recipe.text, text, backbone, progress)
    tasks = tasks_of(recipe, supervised, text_source)
    chosen = _settled(recipe, algorithm, backbone, tasks, run)
    if chosen.note:
        say(chosen.note)
    measures = measures_of(validation, train)
    plan = _plan(recipe, backbone, chosen.algorithm, tasks, validation, measures)
    described = _description(recipe, named, chosen, base)
    hashes |= text.fingerprints if text else {}
    described |= {"data": sorted(hashes), "fingerprints": hashes}
    described |= {"validation": sorted(held_hashes), "validation_fingerprints": held_hashes}
    if measures != LABELLED:
        described |= {"measures": [metric.described() for metric in measures]}
    texts = (*parts_of(train, tables), *(text.parts if text else ()))
    return Assembled(plan, backbone, train, validation, described, texts, base)


def _algorithm(recipe: Recipe, run: Path | None) -> dict[str, Any]:
    """Return name and all options of the algorithm; those not given are as `run` began, where it did."""
    name, options = recipe.algorithm.name, recipe.algorithm.options
    recorded = named_in(description_in(run / "model.json")) if run else None
    if recorded and recorded.name == name:
        options = {**recorded.options, **options}
    return {"name": name, "options": full_options(name, options)}


def _description(recipe: Recipe, algorithm: Mapping[str, Any], chosen: Choice, base: Path | None) -> dict[str, Any]:
    """Return what model.json says of the model and the algorithm."""
    return {
        "format": 1,
        "base": recipe.model.name if base is None else BASE,
        "max_length": recipe.model.max_length,
        "algorithm": algorithm,
        **({"average_with_base": recipe.training.average_with_base} if recipe.training.average_with_base else {}),
        **({} if chosen.record is None else {"estimator": dict(chosen.record)}),
    }


def _backbone(
    recipe: Recipe, text: RawText | None, progress: Progress, *, second_order: bool
) -> tuple[Backbone, Path | None]:
    """Return the model, and its folder if it was made for this run."""
    m = recipe.model
    runtime = Runtime(m.precision, m.attention, m.device, second_order, m.checkpointing, needs_language(recipe))
    name, base = m.name, None
    if m.scratch is not None:
        base = made_from_scratch(m.scratch, text.train.table if text else None, seed=recipe.seed, progress=progress)
        name = str(base)
    progress.say("making a model of random weights" if base else f"loading {name}")
    backbone = load_backbone(name, runtime)
    for note in backbone.notes[:1]:
        progress.say(f"running in {note}")
    for note in backbone.notes[1:]:
        progress.say(note)
    check_length(backbone, m.max_length, "model")
    check_trains(backbone.learner, name, dropout=True)
    return backbone, base


def _settled(recipe: Recipe, algorithm: Any, backbone: Backbone, tasks: Tasks, run: Path | None) -> Choice:
    """Return the algorithm, its estimator chosen; with the plain objective beside it where that is among the tasks."""
    chosen = Choice(algorithm)
    if tasks.episodic is not None:
        chosen = settled(
            algorithm,
            backbone.learner,
            tasks.episodic,
            episode_size(recipe),
            record=_earlier(run),
            freeze=recipe.training.freeze,
        )
    beside = Hybrid(chosen.algorithm, dropout=has_dropout(algorithm))
    return chosen._replace(algorithm=beside) if has_plain(recipe) else chosen


def _plan(
    recipe: Recipe,
    backbone: Backbone,
    algorithm: Algorithm,
    tasks: Tasks,
    validation: tuple[Source, ...],
    measures: Measures,
) -> Plan:
    t, v = recipe.training, recipe.validation
    shots = recipe.goal.shots if recipe.goal and recipe.goal.shots else v.shots
    objective = Classification(pad_token_id=int(backbone.tokenizer.pad_token_id or 0))
    held = Shape(v.ways, (shots, shots), v.queries, v.ways[1] * shots, v.ways[1] * v.queries)
    return Plan(
        learner=backbone.learner,
        algorithm=algorithm,
        train=tasks.all,
        validation=SupervisedTasks(validation, objective, held, "uniform") if validation else None,
        optimisation=Optimisation(
            t.steps, t.meta_batch, t.lr, t.head_lr, t.algorithm_lr, t.warmup, t.schedule, t.weight_decay, t.clip
        ),
        validate=Validation(v.every, v.episodes),
        goal=Goal(*goal_of(recipe.goal, measures), shots) if recipe.goal else None,
        metric=measures[0],
        cpu_minutes=recipe.budget.cpu_minutes,
        save_every=t.save_every,
        keep=t.keep,
        seed=recipe.seed,
        freeze=t.freeze,
        combine=COMBINES[t.combine],
        text=tasks.held_out,
        average_with_base=t.average_with_base,
    )


def _earlier(folder: Path | None) -> Mapping[str, Any] | None:
    """Return the estimator that a run began with, if it chose one."""
    return (
        None if folder is None else earlier(description_in(folder / "model.json"), trained=latest(folder) is not None)
    )


def _check_combine(recipe: Recipe, *, together: bool) -> None:
    """Refuse to combine where there is one gradient only."""
    t = recipe.training
    if t.combine != "mean" and (together or t.meta_batch == 1):
        why = f"{recipe.algorithm.name} gives one for all episodes" if together else "meta_batch is 1"
        raise MetaglotError(f"training.combine: {t.combine} needs several gradients a step, and {why}; use mean")
