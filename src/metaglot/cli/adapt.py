"""`metaglot adapt`: a model of a task from a file of examples, or a classifier from names of classes."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metaglot.choices import FAMILIES
from metaglot.cli.shared.goals import goal_called
from metaglot.cli.shared.labelled import Labelled, check_learnable, read_labelled
from metaglot.cli.shared.options import (
    Columns,
    DeviceOption,
    Encoding,
    ErrorsOnly,
    Json,
    PrecisionOption,
    ReadsOption,
    TaskOption,
)
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.texts import check_device, check_task, cut_note, precision_called, summary_of, tell_notes
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY, Metric

if TYPE_CHECKING:
    from metaglot.adaptation import Adapted, Model
    from metaglot.models.devices import Precision

UNREAD = {
    "effort": "a classifier of names alone has no effort",
    "columns": "there is no file to read",
    "encoding": "there is no file to read",
    "keep_examples": "there are no examples to keep",
    "seconds": "names take no time that could be bounded",
    "goal": "it is tested on examples, and --labels gives none",
    "names": "--labels makes a classifier of names",
    "reads": "names of classes are no pairs",
    "seed": "nothing is drawn at random",
    "task": "names make a classifier",
}  # what --labels leaves no use for, and why
TIMELESS = "an effort of a fixed number of steps takes its own time; --effort auto or --goal can be bounded"


def adapt(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="builtin:mini, a run directory, a Hugging Face folder or hub id.")],
    examples: Annotated[
        Path | None, typer.Argument(help="A csv, tsv, json, jsonl or parquet file with text and label.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="Where the adapted model is saved.")],
    labels: Annotated[
        str | None,
        typer.Option(help="In place of a file of examples: names of classes that say what they are, by commas."),
    ] = None,
    effort: Annotated[
        str,
        typer.Option(
            help="instant (closed form), fast or thorough (gradient steps), auto (chosen by trying), as-trained (by "
            "the algorithm that trained the run)."
        ),
    ] = "fast",
    goal: Annotated[
        str | None,
        typer.Option(
            help="Go on until the cross-validated score is this, e.g. 0.9, or accuracy=0.9 (macro_f1=… of several "
            "labels, mae=… of numbers).",
            show_default=False,
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="CPU seconds that a goal (120 if absent) or auto (about 20) may take.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    task: TaskOption = None,
    columns: Columns = None,
    encoding: Encoding = None,
    names: Annotated[bool, typer.Option(help="Let the names of the classes help, where all of them are words.")] = True,
    reads: ReadsOption = None,
    keep_examples: Annotated[bool, typer.Option(help="Save the texts too, to add classes later.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the adapted model that --out holds.")] = False,
    quiet: ErrorsOnly = False,
    as_json: Json = False,
) -> None:
    """Learn a text task from a handful of examples, and save the adapted model.

    A text has one class, several labels (or none), or a number: --task says which, or what the labels look like.

    Exit codes: 0 done or goal met, 2 bad input, 3 the goal was not met in the time (the best found is saved).

    Examples:

      metaglot adapt builtin:mini examples.csv --out my-model

      metaglot adapt runs/english tickets.jsonl --columns text=body,label=team --effort thorough --out tickets

      metaglot adapt builtin:mini films.csv --columns text=title,label=stars --task regression --out stars

      metaglot adapt builtin:mini --labels "billing, delivery, technical problem" --out without-examples
    """
    if (examples is None) == (labels is None):
        raise MetaglotError("give either a file of examples or --labels")
    if examples is None:
        for option, why in UNREAD.items():
            if _typed(context, option):
                given = f"--{option.replace('_', '-')}" if option != "names" or names else "--no-names"
                raise MetaglotError(f"{given} has no use beside --labels: {why}; drop one of them, or give a file")
        runs = precision_called(precision), check_device(device)
        _from_names(model, labels or "", out, runs, force=force, quiet=quiet, as_json=as_json)
        return
    if goal is not None and _typed(context, "effort"):
        raise MetaglotError("--effort has no use beside --goal, which goes from one to the next; drop one of them")
    if goal is None and seconds is not None and effort != "auto":
        raise MetaglotError(f"--seconds has no use with --effort {effort}: {TIMELESS}")
    check_task(task)
    _check(model, out, effort=effort, seconds=seconds, force=force)
    context.with_resource(writing(out))
    runs = precision_called(precision), check_device(device)
    found = read_labelled(examples, columns, encoding, task)
    metric = _metric(found.task)
    wanted = None if goal is None else goal_called(goal, (metric,))
    check_learnable(found, examples, named=_typed(context, "names"))
    loaded = _loaded(model, found, runs, quiet=quiet, as_json=as_json)
    if reads:
        loaded = _reading(loaded, reads, examples, found)
    adapted, reached = _learnt(loaded, found, effort=effort, goal=wanted, seconds=seconds, seed=seed, names=names)
    adapted.save(out, keep_examples=keep_examples, force=force)
    met = wanted is None or (reached is not None and metric.reaches(reached, wanted))
    if as_json:
        tell_json(_outcome(adapted, out, found.notes, metric, reached=reached, met=met))
    elif not quiet:
        _tell(adapted, out, metric, reached)
    if not met:
        tell(f"metaglot: the goal of {goal} was not met; more examples help most", err=True)
        raise typer.Exit(3)


def _typed(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _metric(task: str) -> Metric:
    """Return the primary metric of a kind of task; that of classes without torch."""
    return ACCURACY if FAMILIES.exclusive(task) else FAMILIES[task]().measures[0]


def _loaded(model: str, found: Labelled, runs: "tuple[Precision, str]", *, quiet: bool, as_json: bool) -> "Model":
    """Return the model; what is odd about it and the examples is pointed out, and joins their notes."""
    from metaglot.data.folders import check_model

    check_model(model)
    tell_notes(found.notes, quiet=quiet)
    from metaglot.adaptation import load_model
    from metaglot.models import Runtime

    loaded = load_model(model, Runtime(runs[0], device=runs[1]))
    if not (quiet or as_json):
        tell(f"{loaded.name}: {loaded.encoder.backbone.notes[0]}", err=True)
    tell_notes(loaded.encoder.backbone.notes[1:], quiet=quiet)
    from metaglot.adaptation.scripts import language_note

    inputs = found.examples.inputs
    if note := language_note(loaded.encoder, inputs.texts):
        found.notes.append(note)
        tell_notes(found.notes[-1:], quiet=quiet)
    whole = FAMILIES[found.task]().tokens is None  # others read a text in windows, to its end
    if whole and (cut := loaded.encoder.cut(inputs)):
        found.notes.append(cut_note(cut, len(inputs), loaded.max_length))
        tell_notes(found.notes[-1:], quiet=quiet)
    return loaded


def _reading(model: "Model", reads: Literal["both", "first", "second"], file: Path, found: Labelled) -> "Model":
    """Return the model that reads this part of pairs."""
    from metaglot.adaptation import Model

    if found.examples.inputs.pairs is None:
        raise MetaglotError(
            f"--reads has no use: {file} has no second texts; name their column (--columns text_pair=…), or drop it"
        )
    return Model(replace(model.encoder, reads=reads))


def _learnt(
    model: "Model",
    found: Labelled,
    *,
    effort: str,
    goal: float | None,
    seconds: float | None,
    seed: int,
    names: bool,
) -> tuple["Adapted", float | None]:
    """Return the adaptation, and the cross-validated score that it has where a goal was set."""
    inputs, targets, task = found.examples.inputs, found.examples.targets, found.task
    texts, pairs = inputs.texts, inputs.pairs
    if goal is None:
        adapted = model.adapt(
            texts, targets, task=task, pairs=pairs, effort=effort, seed=seed, names=names, seconds=seconds
        )
        return adapted, None
    from metaglot.adaptation import adapt_until
    from metaglot.adaptation.goal import GOAL_SECONDS

    budget = GOAL_SECONDS if seconds is None else seconds
    return adapt_until(model, texts, targets, pairs, goal=goal, task=task, cpu_seconds=budget, seed=seed, names=names)


def _outcome(
    adapted: "Adapted", out: Path, notes: list[str], metric: Metric, *, reached: float | None, met: bool
) -> dict[str, Any]:
    fit = adapted.fit
    labels = {"labels": list(adapted.labels)} if fit.family.probable else {}
    return {
        "out": str(out),
        **({} if fit.family.exclusive else {"task": fit.family.name}),
        **labels,
        "examples": fit.count,
        "names": {} if isinstance(fit.class_names, bool) else fit.class_names,
        "reads": fit.pair_choice,
        "steps": adapted.effort.steps,
        f"cross_validated_{metric.name}": reached,
        "goal_met": met,
        "choice": fit.choice and fit.choice.record(),
        "notes": notes,
    }


def _tell(adapted: "Adapted", out: Path, metric: Metric, reached: float | None) -> None:
    fit = adapted.fit
    choice, reads = fit.choice, fit.pair_choice
    if choice is not None:
        tell(f"auto: {choice.reason}")
        if choice.expected is not None:
            tell(choice.expected.sentence())
    if reads in ("first", "second"):
        tell(f"of two texts it reads the {reads} alone; --reads both has it otherwise")
    reach = "" if reached is None else f", cross-validated {metric.words} {metric.with_unit(reached)}"
    tell(f"{summary_of(adapted)}{reach} → {out}")
    new = "FILE  (with the columns text and text_pair)" if reads in ("both", "second") else "--text 'a new text'"
    tell(f"try: metaglot predict {out} {new}")


def _from_names(
    model: str, labels: str, out: Path, runs: "tuple[Precision, str]", *, force: bool, quiet: bool, as_json: bool
) -> None:
    """Save a classifier made of the names of classes alone."""
    from metaglot.adaptation.from_names import check_names
    from metaglot.data.folders import check_model

    named = [label.strip() for label in labels.split(",") if label.strip()]
    check_names(named)
    _check(model, out, effort="instant", seconds=None, force=force)
    check_model(model)
    from metaglot.adaptation import load_model
    from metaglot.models import Runtime

    adapted = load_model(model, Runtime(runs[0], device=runs[1])).zero_shot(named)
    adapted.save(out, force=force)
    names = adapted.fit.class_names
    if as_json:
        tell_json({"out": str(out), "labels": list(adapted.labels), "examples": 0, "names": names})
    elif not quiet:
        tell(f"no examples, {len(adapted.labels)} classes by name → {out}")
        tell(f"try: metaglot predict {out} --text 'a new text'")


def _check(model: str, out: Path, *, effort: str, seconds: float | None, force: bool) -> None:
    from metaglot.cli.shared.checks import check_efforts
    from metaglot.data.folders import check_target

    check_efforts([effort], model)
    if seconds is not None and not seconds >= 0:
        raise MetaglotError(f"--seconds {seconds}: expected 0 or more, e.g. 120")
    check_target(out, force=force)
