"""The plan of a recipe."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from metaglot.algorithms import build_algorithm
from metaglot.algorithms.build import full_options, has_dropout
from metaglot.algorithms.hybrid import Hybrid
from metaglot.assembly.detecting import learner_of
from metaglot.assembly.episode_size import episode_size
from metaglot.assembly.folder import BASE
from metaglot.assembly.labelled import check_disjoint, check_names, labelled_sources, parts_of, size_note, weights_of
from metaglot.assembly.measures import check_goal, check_learns, measures_of
from metaglot.assembly.progress import Bar, Progress, no_bar, say_nothing
from metaglot.assembly.scratch import scratch_model
from metaglot.assembly.sharding import check_moves, check_sharding, divided, in_turn
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
from metaglot.metric import ACCURACY_AND_LOSS, Measures
from metaglot.models import Backbone, Runtime, load_backbone
from metaglot.models.limits import check_length
from metaglot.models.releasing import release_large_blocks
from metaglot.models.sharded import Sharded
from metaglot.models.trainable import check_trains
from metaglot.tasks import Shape, Source, SupervisedTasks
from metaglot.training import COMBINES, Goal, Optimisation, Plan, Validation
from metaglot.training.estimator import Choice, earlier, settled, settled_by_first
from metaglot.training.ranks import ALONE, Ranks
from metaglot.types import Algorithm, Learner


class Assembled(NamedTuple):
    """A plan, with its model, its sources and its description."""

    plan: Plan
    backbone: Backbone
    train: tuple[Source, ...]
    validation: tuple[Source, ...]
    description: dict[str, Any]  # for model.json
    texts: tuple[Part, ...]  # the texts of training
    base: Path | None = None  # folder of a model that was made for the run


def assemble(
    recipe: Recipe,
    say: Callable[[str], None] = say_nothing,
    *,
    run: Path | None = None,
    bar: Bar = no_bar,
    ranks: Ranks = ALONE,
) -> Assembled:
    """Return the plan of a recipe; raise MetaglotError where data, model or algorithm do not fit the recipe.

    `run` is the folder of a run that may go on, or be repeated: its first choices are kept.  `say` takes
    messages, `bar` takes the progress of long work.  What memory decides is decided by the first of the `ranks`.
    """
    progress = Progress(say, bar)
    check_goal(recipe)
    algorithm_settings = _algorithm_settings(recipe, run)
    algorithm = build_algorithm(**algorithm_settings)
    _check_combine(recipe, together=algorithm.together)
    check_sharding(recipe, algorithm, ranks)
    text = None if recipe.text is None else read_text(recipe.text, progress, hold_out=has_plain(recipe))
    backbone, base, body = _backbone(recipe, text, progress, ranks, second_order=algorithm.second_order)
    data = _data(recipe, text, backbone, progress)
    train, validation = data.train, data.validation
    check_learns(algorithm, recipe.algorithm.name, (*train, *validation))
    objective = Classification(pad_token_id=int(backbone.tokenizer.pad_token_id or 0))
    shape = shape_of(recipe.episodes)
    weights = weights_of(recipe.data.train)
    supervised = SupervisedTasks(train, objective, shape, recipe.data.mixture, weights) if train else None
    if note := size_note(train, shape):
        say(f"episodes: {note}")
    tasks = tasks_of(recipe, supervised, _text_source(recipe, text, backbone, progress), dropout=has_dropout(algorithm))
    choice = _choice(recipe, algorithm, backbone, tasks, run, ranks)
    if choice.note:
        say(choice.note)
    measures = measures_of(validation, train)
    learner = body or learner_of(recipe, backbone)
    plan = _plan(recipe, backbone, learner, choice.algorithm, tasks, validation, measures)
    check_moves(recipe, plan, algorithm)
    description = _description(recipe, algorithm_settings, choice, base) | data.description()
    if measures != ACCURACY_AND_LOSS:
        description |= {"measures": [metric.to_json() for metric in measures]}
    return Assembled(plan, backbone, train, validation, description, data.texts, base)


class _Data(NamedTuple):
    """The labelled sets of a recipe, with the hashes of all its data by their names."""

    train: tuple[Source, ...]
    validation: tuple[Source, ...]
    hashes: Mapping[str, str]
    validation_hashes: Mapping[str, str]
    texts: tuple[Part, ...]  # of training

    def description(self) -> dict[str, Any]:
        """Return the part of model.json that names the data."""
        names = {"data": sorted(self.hashes), "fingerprints": self.hashes}
        own = self.validation_hashes
        return {**names, "validation": sorted(own), "validation_fingerprints": own}


def _data(recipe: Recipe, text: RawText | None, backbone: Backbone, progress: Progress) -> _Data:
    """Return the labelled sets; raise MetaglotError where two sets have one name, or both sides share something."""
    train, hashes, tables = labelled_sources(recipe, recipe.data.train, backbone, progress)
    validation, validation_hashes, _ = labelled_sources(recipe, recipe.data.validation, backbone, progress)
    check_names(hashes, validation_hashes)
    check_disjoint(train, validation)
    texts = parts_of(train, tables)
    if text is not None:
        check_names({**hashes, **validation_hashes}, text.fingerprints)
        hashes, texts = {**hashes, **text.fingerprints}, (*texts, *text.parts)
    return _Data(train, validation, hashes, validation_hashes, texts)


def _algorithm_settings(recipe: Recipe, run: Path | None) -> dict[str, Any]:
    """Return name and all options of the algorithm; `run` gives those that the recipe leaves out, if it has them."""
    name, options = recipe.algorithm.name, recipe.algorithm.options
    recorded = named_in(description_in(run / "model.json")) if run else None
    if recorded and recorded.name == name:
        options = {**recorded.options, **options}
    return {"name": name, "options": full_options(name, options)}


def _description(recipe: Recipe, algorithm: Mapping[str, Any], choice: Choice, base: Path | None) -> dict[str, Any]:
    """Return the part of model.json that describes the model and the algorithm."""
    return {
        "format": 1,
        "base": recipe.model.name if base is None else BASE,
        "max_length": recipe.model.max_length,
        "algorithm": algorithm,
        **({"average_with_base": recipe.training.average_with_base} if recipe.training.average_with_base else {}),
        **({} if choice.record is None else {"estimator": dict(choice.record)}),
    }


def _backbone(
    recipe: Recipe, text: RawText | None, progress: Progress, ranks: Ranks, *, second_order: bool
) -> tuple[Backbone, Path | None, Sharded | None]:
    """Return the backbone, its folder if it was made for this run, and its learner where ranks divide the body.

    What is to be divided is read whole on the CPU, by one rank of a machine at a time.
    """

    def load(device: str) -> tuple[Backbone, Path | None]:
        return _loaded(recipe, text, progress, device, second_order=second_order)

    def load_and_divide() -> tuple[Backbone, Path | None, Sharded]:
        release_large_blocks()
        backbone, base = load("cpu")
        return backbone, base, divided(backbone, recipe, ranks)

    return in_turn(ranks, load_and_divide) if recipe.training.shard else (*load(recipe.model.device), None)


def _loaded(
    recipe: Recipe, text: RawText | None, progress: Progress, device: str, *, second_order: bool
) -> tuple[Backbone, Path | None]:
    """Return the backbone on a device, and its folder if it was made for this run."""
    m = recipe.model
    runtime = Runtime(m.precision, m.attention, device, second_order, m.checkpointing, needs_language(recipe))
    name, base = m.name, None
    if m.scratch is not None:
        base = scratch_model(m.scratch, text.train.table if text else None, seed=recipe.seed, progress=progress)
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


def _choice(recipe: Recipe, algorithm: Any, backbone: Backbone, tasks: Tasks, run: Path | None, ranks: Ranks) -> Choice:
    """Return the algorithm with its estimator; a hybrid where the plain objective is among the tasks."""
    choice = Choice(algorithm)
    if (episodic := tasks.episodic) is not None:
        size, freeze = episode_size(recipe), recipe.training.freeze

        def settle(record: Mapping[str, Any] | None) -> Choice:
            options: dict[str, Any] = {"freeze": freeze, "processes": ranks.on_machine}
            return settled(algorithm, backbone.learner, episodic, size, record=record, **options)

        choice = settled_by_first(settle, _recorded_estimator(run), ranks)
    hybrid = Hybrid(choice.algorithm, dropout=has_dropout(algorithm))
    return choice._replace(algorithm=hybrid) if has_plain(recipe) else choice


def _plan(
    recipe: Recipe,
    backbone: Backbone,
    learner: Learner,
    algorithm: Algorithm,
    tasks: Tasks,
    validation: tuple[Source, ...],
    measures: Measures,
) -> Plan:
    t, v = recipe.training, recipe.validation
    shots = recipe.goal.shots if recipe.goal and recipe.goal.shots else v.shots
    objective = Classification(pad_token_id=int(backbone.tokenizer.pad_token_id or 0))
    validation_shape = Shape(v.ways, (shots, shots), v.queries, v.ways[1] * shots, v.ways[1] * v.queries)
    return Plan(
        learner=learner,
        algorithm=algorithm,
        train=tasks.all,
        validation=SupervisedTasks(validation, objective, validation_shape, "uniform") if validation else None,
        optimisation=Optimisation(
            *(t.steps, t.meta_batch, t.lr, t.head_lr, t.algorithm_lr, t.warmup, t.schedule, t.weight_decay, t.clip),
            balance=t.balance == "kinds",
        ),
        validate=Validation(v.every, v.episodes),
        goal=Goal(*goal_of(recipe.goal, measures), shots) if recipe.goal else None,
        metric=measures[0],
        cpu_minutes=recipe.budget.cpu_minutes,
        save_every=t.save_every,
        keep=t.keep,
        seed=recipe.seed,
        freeze=t.freeze,
        heads=backbone.heads,
        combine=COMBINES[t.combine],
        text=tasks.held_out,
        average_with_base=t.average_with_base,
    )


def _text_source(recipe: Recipe, text: RawText | None, backbone: Backbone, progress: Progress) -> TextSource | None:
    if recipe.text is None or text is None:
        return None
    check_length(backbone, recipe.text.length, "text.length")
    return TextSource(recipe, recipe.text, text, backbone, progress)


def _recorded_estimator(folder: Path | None) -> Mapping[str, Any] | None:
    """Return the estimator that model.json of a run names, if any."""
    return (
        None if folder is None else earlier(description_in(folder / "model.json"), trained=latest(folder) is not None)
    )


def _check_combine(recipe: Recipe, *, together: bool) -> None:
    """Refuse to combine where there is one gradient only."""
    t = recipe.training
    if t.balance != "none" and together:
        raise MetaglotError(
            f"training.balance: {recipe.algorithm.name} gives one gradient for all episodes, whose kinds cannot be "
            "weighed in it; use none"
        )
    if t.combine != "mean" and (together or t.meta_batch == 1):
        reason = f"{recipe.algorithm.name} gives one for all episodes" if together else "meta_batch is 1"
        raise MetaglotError(f"training.combine: {t.combine} needs several gradients a step, and {reason}; use mean")
