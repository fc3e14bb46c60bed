"""`metaglot adapt`: a model of a task from a file of examples, or a classifier from names of classes."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaglot.choices import FAMILIES
from metaglot.cli.shared.goals import parse_goal
from metaglot.cli.shared.labelled import LabelledExamples, check_learnable, note_on_length, read_labelled
from metaglot.cli.shared.options import (
    Columns,
    DeviceOption,
    Encoding,
    ErrorsOnly,
    Json,
    PrecisionOption,
    ReadsOption,
    ReplaceAdapted,
    TaskOption,
)
from metaglot.cli.shared.printing import noted, tell, tell_json
from metaglot.cli.shared.texts import check_device, check_task, parse_precision, summary_of, tell_notes
from metaglot.cli.shared.without_examples import without_examples
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY, Metric

if TYPE_CHECKING:
    from metaglot.adaptation import Adapted, Model
    from metaglot.adaptation.encoder import PairChoice
    from metaglot.models.devices import Precision

UNUSED_OPTIONS = {
    "effort": "a classifier of names alone has no effort",
    "columns": "there is no file to read",
    "encoding": "there is no file to read",
    "keep_examples": "there are no examples to keep",
    "seconds": "a classifier of names takes almost no time",
    "goal": "a score needs examples, and --labels gives none",
    "names": "--labels makes a classifier of names",
    "reads": "names of classes are no pairs",
    "seed": "a classifier of names is not random",
    "task": "names make a classifier",
}  # options without a use beside --labels, each with the reason
UNUSED_WITHOUT_EXAMPLES = {
    option: reason.replace("--labels gives none", "there are none")
    for option, reason in UNUSED_OPTIONS.items()
    if option in ("columns", "encoding", "keep_examples", "goal")
} | dict.fromkeys(("effort", "seconds", "seed", "names", "reads"), "what the model has learnt is taken as it is")
SECONDS_HINT = "an effort with a fixed number of steps has no limit of time; --effort auto and --goal have one"


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
        typer.Option(help="In place of a file of examples: names of classes that are words, with commas."),
    ] = None,
    effort: Annotated[
        str | None,
        typer.Option(
            help="instant (closed form), fast or thorough (gradient steps), auto (chosen by a trial), as-trained (with "
            "the algorithm that trained the run); where texts are written also words (word by word) and prefix (steps "
            "that move a prefix of every text).  By default fast, and instant for numbers, answers, choices, and pairs "
            "that agree or do not.",
            show_default=False,
        ),
    ] = None,
    goal: Annotated[
        str | None,
        typer.Option(
            help="Go on until the cross-validated score is so good, e.g. 0.9, or accuracy=0.9 (macro_f1=… for several "
            "labels, mae=… for numbers).",
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
    force: ReplaceAdapted = False,
    quiet: ErrorsOnly = False,
    as_json: Json = False,
) -> None:
    """Learn a text task from a handful of examples, and save the adapted model.

    A text has one class, several labels (or none), a number, spans with labels, an answer in a passage, candidates
    of which one is right, or a text that is written for it: --task says which.  Without it the labels decide;
    --task choice and --task generation are needed.

    Exit codes: 0 done or goal met, 2 bad input, 3 the goal was not met in the time (the best found is saved).

    Examples:

      metaglot adapt builtin:mini examples.csv --out my-model

      metaglot adapt runs/english tickets.jsonl --columns text=body,label=team --effort thorough --out tickets

      metaglot adapt builtin:mini films.csv --columns text=title,label=stars --task regression --out stars

      metaglot adapt path/to/decoder pairs.jsonl --task generation --out writer

      metaglot adapt builtin:mini --labels "billing, delivery, technical problem" --out without-examples
    """
    if (examples is None and labels is None and task is None) or (examples is not None and labels is not None):
        raise MetaglotError(
            "give either a file of examples or --labels; a model that has learnt to answer questions needs "
            "neither, with --task question-answering"
        )
    if examples is None:
        _check_unused(context, labelled=labels is not None, names=names)
        _check(model, out, effort="instant", seconds=None, force=force)
        runtime = parse_precision(precision), check_device(device)
        without_examples(model, labels, task, out, runtime, force=force, quiet=quiet, as_json=as_json)
        return
    if goal is not None and _is_given(context, "effort"):
        raise MetaglotError("--effort has no use beside --goal, which tries one effort after another; drop one of them")
    if goal is None and seconds is not None and effort != "auto":
        given = f"with --effort {effort}" if effort else "without --effort auto or --goal"
        raise MetaglotError(f"--seconds has no use {given}: {SECONDS_HINT}")
    check_task(task)
    _check(model, out, effort=effort, seconds=seconds, force=force)
    context.with_resource(writing(out))
    runtime = parse_precision(precision), check_device(device)
    labelled = read_labelled(examples, columns, encoding, task)
    metric = _metric(labelled.task)
    goal_score = None if goal is None else parse_goal(goal, (metric,))
    check_learnable(labelled, examples, names_option=_is_given(context, "names"))
    loaded_model = _load_model(model, labelled, runtime, effort, quiet=quiet, as_json=as_json)
    if reads:
        loaded_model = _with_pair_choice(loaded_model, reads, examples, labelled)
    with noted(labelled.notes, quiet=quiet):
        adapted, score = _adapt(loaded_model, labelled, effort, goal_score, seconds=seconds, seed=seed, names=names)
    writes = adapted.fit.family.writes is not None  # then they are a part of what was adapted
    adapted.save(out, keep_examples=keep_examples or (None if writes else False), force=force)
    goal_met = goal_score is None or (score is not None and metric.reaches(score, goal_score))
    if as_json:
        tell_json(_outcome(adapted, out, labelled.notes, metric, score=score, goal_met=goal_met))
    elif not quiet:
        _print_outcome(adapted, out, metric, score)
    if not goal_met:
        tell(f"metaglot: the goal of {goal} was not met; more examples help most", err=True)
        raise typer.Exit(3)


def _is_given(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _check_unused(context: typer.Context, *, labelled: bool, names: bool) -> None:
    """Raise MetaglotError for an option that has no use where there is no file of examples."""
    beside = "beside --labels" if labelled else "without examples"
    for option, reason in (UNUSED_OPTIONS if labelled else UNUSED_WITHOUT_EXAMPLES).items():
        if _is_given(context, option):
            flag = f"--{option.replace('_', '-')}" if option != "names" or names else "--no-names"
            raise MetaglotError(f"{flag} has no use {beside}: {reason}; drop one of them, or give a file")


def _metric(task: str) -> Metric:
    """Return the primary metric of a kind of task; for classes, torch is not imported."""
    return ACCURACY if FAMILIES.exclusive(task) else FAMILIES[task]().measures[0]


def _load_model(
    model: str,
    labelled: LabelledExamples,
    runtime: "tuple[Precision, str]",
    effort: str | None,
    *,
    quiet: bool,
    as_json: bool,
) -> "Model":
    """Return the model; print notes on it and on the examples, and add them to the notes of the examples."""
    from metaglot.data.folders import check_model

    check_model(model)
    tell_notes(labelled.notes, quiet=quiet)
    from metaglot.adaptation import load_model
    from metaglot.models import Runtime

    writes = FAMILIES.kinds[labelled.task].writes if labelled.task in FAMILIES else False
    loaded_model = load_model(model, Runtime(runtime[0], device=runtime[1], writes=writes))
    if not (quiet or as_json):
        tell(f"{loaded_model.name}: {loaded_model.encoder.backbone.notes[0]}", err=True)
    tell_notes(loaded_model.encoder.backbone.notes[1:], quiet=quiet)
    from metaglot.adaptation.effort import WORDS
    from metaglot.adaptation.scripts import language_note

    if effort != WORDS:  # which reads no model
        language = language_note(loaded_model.encoder, labelled.examples.inputs.texts)
        notes = [note for note in (language, note_on_length(loaded_model, labelled)) if note]
        labelled.notes.extend(notes)
        tell_notes(notes, quiet=quiet)
    return loaded_model


def _with_pair_choice(model: "Model", reads: "PairChoice", file: Path, labelled: LabelledExamples) -> "Model":
    """Return the model, which reads only this part of pairs."""
    from metaglot.adaptation import Model

    if labelled.examples.inputs.pairs is None:
        raise MetaglotError(
            f"--reads has no use: {file} has no second texts; name their column (--columns text_pair=…), or drop it"
        )
    return Model(replace(model.encoder, reads=reads))


def _adapt(
    model: "Model",
    labelled: LabelledExamples,
    effort: str | None,
    goal: float | None,
    *,
    seconds: float | None,
    seed: int,
    names: bool,
) -> tuple["Adapted", float | None]:
    """Return the adaptation; with a goal also its cross-validated score, else None."""
    inputs, targets, task = labelled.examples.inputs, labelled.examples.targets, labelled.task
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
    adapted: "Adapted", out: Path, notes: list[str], metric: Metric, *, score: float | None, goal_met: bool
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
        f"cross_validated_{metric.name}": score,
        "goal_met": goal_met,
        "choice": fit.choice and fit.choice.record(),
        "notes": notes,
    }


def _print_outcome(adapted: "Adapted", out: Path, metric: Metric, score: float | None) -> None:
    fit = adapted.fit
    choice, reads = fit.choice, fit.pair_choice
    if choice is not None:
        tell(f"auto: {choice.reason}")
        if choice.expected is not None:
            tell(choice.expected.sentence())
    if reads in ("first", "second"):
        tell(f"of two texts it reads only the {reads}; --reads both reads both")
    if reads == "apart":
        tell(
            "it reads the two texts apart too, and learns from how alike they are; --reads both reads both in one pass"
        )
    score_text = "" if score is None else f", cross-validated {metric.words} {metric.format_with_unit(score)}"
    tell(f"{summary_of(adapted)}{score_text} → {out}")
    columns = {"question-answering": "question and context", "choice": "text and candidates"}.get(fit.family.name)
    if columns is None and reads in ("both", "second", "apart"):
        columns = "text and text_pair"
    input_words = f"FILE  (with the columns {columns})" if columns else "--text 'a new text'"
    tell(f"try: metaglot predict {out} {input_words}")


def _check(model: str, out: Path, *, effort: str | None, seconds: float | None, force: bool) -> None:
    from metaglot.cli.shared.checks import check_efforts
    from metaglot.data.folders import check_target

    check_efforts([] if effort is None else [effort], model)
    if seconds is not None and not seconds >= 0:
        raise MetaglotError(f"--seconds {seconds}: expected 0 or more, e.g. 120")
    check_target(out, force=force)
