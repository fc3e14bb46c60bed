"""`metaglot adapt`: a classifier from a file of examples, or from names of classes."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from metaglot.cli.shared.goals import goal_called
from metaglot.cli.shared.options import Columns, DeviceOption, Encoding, ErrorsOnly, Json, PrecisionOption, ReadsOption
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.texts import (
    check_device,
    cut_note,
    labels_of,
    learnt_from,
    precision_called,
    read_file,
    tell_notes,
    texts_of,
)
from metaglot.data.examples import Examples
from metaglot.data.locks import writing
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY

if TYPE_CHECKING:
    from metaglot.data.labels import Label

    Task = Examples[Label]
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
            help="Go on until cross-validated accuracy is this, e.g. 0.9, or accuracy=0.9.", show_default=False
        ),
    ] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="CPU seconds that a goal (120 if absent) or auto (about 20) may take.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    precision: PrecisionOption = "auto",
    device: DeviceOption = "auto",
    columns: Columns = None,
    encoding: Encoding = None,
    names: Annotated[bool, typer.Option(help="Let the names of the classes help, where all of them are words.")] = True,
    reads: ReadsOption = None,
    keep_examples: Annotated[bool, typer.Option(help="Save the texts too, to add classes later.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the adapted model that --out holds.")] = False,
    quiet: ErrorsOnly = False,
    as_json: Json = False,
) -> None:
    """Learn a text task from a handful of examples, and save the classifier.

    Exit codes: 0 done or goal met, 2 bad input, 3 the goal was not met in the time (the best found is saved).

    Examples:

      metaglot adapt builtin:mini examples.csv --out my-model

      metaglot adapt runs/english tickets.jsonl --columns text=body,label=team --effort thorough --out tickets

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
    wanted = None if goal is None else goal_called(goal, (ACCURACY,))
    _check(model, out, effort=effort, seconds=seconds, force=force)
    context.with_resource(writing(out))
    runs = precision_called(precision), check_device(device)
    loaded, task, notes = _task(model, examples, (columns, encoding), runs, quiet=quiet, as_json=as_json)
    if reads:
        loaded = _reading(loaded, reads, examples, task)
    adapted, reached = _learnt(loaded, task, effort=effort, goal=wanted, seconds=seconds, seed=seed, names=names)
    adapted.save(out, keep_examples=keep_examples, force=force)
    met = wanted is None or (reached is not None and ACCURACY.reaches(reached, wanted))
    if as_json:
        tell_json(_outcome(adapted, out, notes, reached=reached, met=met))
    elif not quiet:
        _tell(adapted, out, reached)
    if not met:
        tell(f"metaglot: the goal of {goal} was not met; more examples help most", err=True)
        raise typer.Exit(3)


def _typed(context: typer.Context, option: str) -> bool:
    source = context.get_parameter_source(option)
    return source is not None and source.name == "COMMANDLINE"


def _task(
    model: str,
    file: Path,
    manner: tuple[str | None, str | None],
    runs: "tuple[Precision, str]",
    *,
    quiet: bool,
    as_json: bool,
) -> tuple["Model", "Task", list[str]]:
    """Return the model, the texts, labels and pairs of a file, and what is odd about them, which is pointed out."""
    from metaglot.data.folders import check_model

    task, notes = _read_task(file, *manner)
    check_model(model)
    tell_notes(notes, quiet=quiet)
    from metaglot.adaptation import load_model
    from metaglot.models import Runtime

    loaded = load_model(model, Runtime(runs[0], device=runs[1]))
    if not (quiet or as_json):
        tell(f"{loaded.name}: {loaded.encoder.backbone.notes[0]}", err=True)
    tell_notes(loaded.encoder.backbone.notes[1:], quiet=quiet)
    from metaglot.adaptation.scripts import language_note

    if note := language_note(loaded.encoder, task.inputs.texts):
        notes.append(note)
        tell_notes(notes[-1:], quiet=quiet)
    if cut := loaded.encoder.cut(task.inputs):
        notes.append(cut_note(cut, len(task), loaded.max_length))
        tell_notes(notes[-1:], quiet=quiet)
    return loaded, task, notes


def _read_task(file: Path, columns: str | None, encoding: str | None) -> tuple["Task", list[str]]:
    """Return the texts, labels and pairs of a file, and what is odd about them."""
    from metaglot.cli.shared.checks import notes_on
    from metaglot.data.empty import check_not_all_empty
    from metaglot.data.form import answered
    from metaglot.data.labels import table_notes

    table, left = learnt_from(answered(read_file(file, columns, encoding)))
    task = Examples(texts_of(table), tuple(labels_of(table, file)))
    texts, pairs = task.inputs.texts, task.inputs.pairs
    try:
        check_not_all_empty(texts, pairs)
    except MetaglotError as error:
        raise MetaglotError(f"{file}: {error}") from error
    others = f"{left} rows of other splits than train are left out; a file without that column is learnt from whole"
    odd = notes_on(texts, table["label"].to_pylist(), pairs)
    return task, [*([others] if left else []), *table_notes(table), *odd]


def _reading(model: "Model", reads: Literal["both", "first", "second"], file: Path, task: "Task") -> "Model":
    """Return the model that reads this part of pairs."""
    from metaglot.adaptation import Model

    if task.inputs.pairs is None:
        raise MetaglotError(
            f"--reads has no use: {file} has no second texts; name their column (--columns text_pair=…), or drop it"
        )
    return Model(replace(model.encoder, reads=reads))


def _learnt(
    model: "Model",
    task: "Task",
    *,
    effort: str,
    goal: float | None,
    seconds: float | None,
    seed: int,
    names: bool,
) -> tuple["Adapted", float | None]:
    """Return the adaptation, and the cross-validated score that it has where a goal was set."""
    texts, labels, pairs = task.inputs.texts, task.targets, task.inputs.pairs
    if goal is None:
        return model.adapt(texts, labels, pairs=pairs, effort=effort, seed=seed, names=names, seconds=seconds), None
    from metaglot.adaptation import adapt_until
    from metaglot.adaptation.goal import GOAL_SECONDS

    budget = GOAL_SECONDS if seconds is None else seconds
    return adapt_until(model, texts, labels, pairs, goal=goal, cpu_seconds=budget, seed=seed, names=names)


def _outcome(adapted: "Adapted", out: Path, notes: list[str], *, reached: float | None, met: bool) -> dict[str, Any]:
    fit = adapted.fit
    return {
        "out": str(out),
        "labels": list(adapted.labels),
        "examples": sum(adapted.counts),
        "names": {} if isinstance(fit.class_names, bool) else fit.class_names,
        "reads": fit.pair_choice,
        "steps": adapted.effort.steps,
        f"cross_validated_{ACCURACY.name}": reached,
        "goal_met": met,
        "choice": fit.choice and fit.choice.record(),
        "notes": notes,
    }


def _tell(adapted: "Adapted", out: Path, reached: float | None) -> None:
    choice, reads = adapted.fit.choice, adapted.fit.pair_choice
    if choice is not None:
        tell(f"auto: {choice.reason}")
        if choice.expected is not None:
            tell(choice.expected.said())
    if reads in ("first", "second"):
        tell(f"of two texts it reads the {reads} alone; --reads both has it otherwise")
    reach = "" if reached is None else f", cross-validated {ACCURACY.words} {ACCURACY.with_unit(reached)}"
    tell(f"{sum(adapted.counts)} examples of {len(adapted.labels)} classes{reach} → {out}")
    new = "FILE  (with the columns text and text_pair)" if reads in ("both", "second") else "--text 'a new text'"
    tell(f"try: metaglot predict {out} {new}")


def _from_names(
    model: str, labels: str, out: Path, runs: "tuple[Precision, str]", *, force: bool, quiet: bool, as_json: bool
) -> None:
    """Save a classifier made of the names of classes alone."""
    from metaglot.adaptation.checks import check_names
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
