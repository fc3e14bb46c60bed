"""`metaglot adapt` and `metaglot predict`: a classifier from a file of examples."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from metaglot.errors import MetaglotError, printable

Columns = Annotated[
    str | None, typer.Option(help="Names of the columns in the file, e.g. text=body,label=topic (text_pair=… too).")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for other programs.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def adapt(
    model: Annotated[str, typer.Argument(help="builtin:mini, a run directory, a Hugging Face folder or hub id.")],
    examples: Annotated[
        Path | None, typer.Argument(help="A csv, tsv, json, jsonl or parquet file with text and label.")
    ] = None,
    *,
    out: Annotated[Path, typer.Option(help="Where the adapted model is saved.")],
    labels: Annotated[
        str | None,
        typer.Option(
            help="In place of examples (and of an effort): names of classes that say what they are, by commas."
        ),
    ] = None,
    effort: Annotated[
        str,
        typer.Option(
            help="instant (closed form), fast or thorough (gradient steps), auto (chosen by trying), as-trained (by "
            "the algorithm that trained the run)."
        ),
    ] = "fast",
    goal: Annotated[float | None, typer.Option(help="Go on until cross-validated accuracy is this, e.g. 0.9.")] = None,
    seconds: Annotated[
        float | None,
        typer.Option(help="CPU seconds that a goal (120 if absent) or auto (about 20) may take.", show_default=False),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same result.")] = 0,
    columns: Columns = None,
    names: Annotated[bool, typer.Option(help="Let the names of the classes help, where all of them are words.")] = True,
    keep_examples: Annotated[bool, typer.Option(help="Save the texts too, to add classes later.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace the adapted model that --out holds.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Learn a text task from a handful of examples, and save the classifier.

    Exit codes: 0 done or goal met, 2 bad input, 3 the goal was not met in the time (the best found is saved).

    Examples:

      metaglot adapt builtin:mini examples.csv --out my-model

      metaglot adapt runs/english tickets.jsonl --columns text=body,label=team --effort thorough --out tickets

      metaglot adapt builtin:mini --labels "billing, delivery, technical problem" --out without-examples
    """
    from metaglot.cli_checks import notes_on
    from metaglot.data.folders import check_model

    if (examples is None) == (labels is None):
        raise MetaglotError("give either a file of examples or --labels")
    if examples is None:
        if not names:
            raise MetaglotError(
                "--labels makes a classifier of names, and --no-names leaves them out; drop one of them"
            )
        _from_names(model, labels or "", out, goal=goal, force=force, quiet=quiet, as_json=as_json)
        return
    table = _read(examples, columns)
    given = _labels(table, examples)
    texts, pairs = _texts(table)
    _check(model, out, effort=effort, goal=goal, seconds=seconds, force=force)
    check_model(model)
    say = (lambda _: None) if quiet else (lambda note: typer.echo(f"note: {printable(note)}", err=True))
    for note in notes_on(texts, given, pairs):
        say(note)
    from metaglot.adaptation import Expected, load_model
    from metaglot.adaptation.goal import GOAL_SECONDS, adapt_until

    loaded = load_model(model)
    if not (quiet or as_json):
        typer.echo(f"{loaded.name}: {loaded.backbone.notes[0]}", err=True)
    if cut := loaded.cut(texts, pairs):
        say(_cut(cut, len(texts), loaded.max_length))
    if goal is None:
        reached = None
        adapted = loaded.adapt(texts, given, pairs=pairs, effort=effort, seed=seed, names=names, seconds=seconds)
    else:
        budget = GOAL_SECONDS if seconds is None else seconds
        adapted, reached = adapt_until(
            loaded, texts, given, pairs, goal=goal, cpu_seconds=budget, seed=seed, names=names
        )
    adapted.save(out, keep_examples=keep_examples, force=force)
    met = goal is None or (reached is not None and reached >= goal)
    outcome: dict[str, Any] = {"out": str(out), "labels": list(adapted.labels), "examples": len(texts)}
    choice = adapted.provenance.get("choice")
    outcome |= {
        "names": adapted.provenance.get("names") or {},
        "reads": adapted.provenance.get("reads"),
        "steps": adapted.effort.steps,
        "cross_validated_accuracy": reached,
        "goal_met": met,
        "choice": choice,
    }
    if as_json:
        typer.echo(json.dumps(outcome, ensure_ascii=False))
    elif not quiet:
        reach = "" if reached is None else f", cross-validated accuracy {100 * reached:.1f} %"
        if choice is not None:
            typer.echo(f"auto: {choice['reason']}")
            if choice["expected"] is not None:
                typer.echo(Expected(**choice["expected"]).said())
        if outcome["reads"] in ("first", "second"):
            typer.echo(f"of two texts it reads the {outcome['reads']} alone, which tells the classes apart better")
        typer.echo(f"{len(texts)} examples of {len(adapted.labels)} classes{reach} → {out}")
        typer.echo(f"try: metaglot predict {out} --text 'a new text'")
    if not met:
        typer.echo(f"metaglot: the goal of {goal} was not met; more examples help most", err=True)
        raise typer.Exit(3)


def _from_names(
    model: str, labels: str, out: Path, *, goal: float | None, force: bool, quiet: bool, as_json: bool
) -> None:
    """Save a classifier made of the names of classes alone."""
    from metaglot.adaptation.checks import check_names
    from metaglot.data.folders import check_model

    named = [label.strip() for label in labels.split(",") if label.strip()]
    check_names(named)
    if goal is not None:
        raise MetaglotError("--goal is tested on examples, and --labels gives none; leave it out, or give a file")
    _check(model, out, effort="instant", goal=None, seconds=None, force=force)
    check_model(model)
    from metaglot.adaptation import load_model

    adapted = load_model(model).zero_shot(named)
    adapted.save(out, force=force)
    names = adapted.provenance["names"]
    if as_json:
        typer.echo(json.dumps({"out": str(out), "labels": list(adapted.labels), "examples": 0, "names": names}))
    elif not quiet:
        typer.echo(f"no examples, {len(adapted.labels)} classes by name → {out}")
        typer.echo(f"try: metaglot predict {out} --text 'a new text'")


def predict(
    folder: Annotated[Path, typer.Argument(help="A folder that metaglot adapt made.")],
    file: Annotated[Path | None, typer.Argument(help="A file with texts (csv, jsonl, txt: one a line, …).")] = None,
    *,
    text: Annotated[list[str] | None, typer.Option(help="A text; may be given several times.")] = None,
    unknown: Annotated[
        str | None, typer.Option(help="The label of texts that are likelier of none of the classes, e.g. unknown.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the examples that decided.")] = False,
    columns: Columns = None,
    as_json: Json = False,
) -> None:
    """Classify texts with an adapted model; one line a text: label, probability, text.

    Examples:

      metaglot predict my-model --text "where is my parcel?"

      metaglot predict my-model new.csv --json > predictions.jsonl

      metaglot predict my-model new.csv --unknown other --explain
    """
    if (file is None) == (not text):
        raise MetaglotError("give either --text (once or more) or a file of texts")
    from metaglot.data.folders import check_adapted

    if file is None:
        texts, pairs = list(text or []), None
    else:
        texts, pairs = _texts(_read(file, columns))
    check_adapted(folder)
    from metaglot.adaptation import Adapted

    adapted = Adapted.load(folder)
    if cut := adapted.model.cut(texts, pairs) if texts else 0:
        typer.echo(f"note: {_cut(cut, len(texts), adapted.model.max_length)}", err=True)
    probabilities = adapted.predict_proba(texts, pairs)
    known = None if unknown is None else adapted.in_scope(texts, pairs)
    for i, (one, row) in enumerate(zip(texts, probabilities, strict=True)):
        best = int(row.argmax())
        label = adapted.labels[best] if known is None or known[i] >= 0.5 else str(unknown)
        why = adapted.explain(one, None if pairs is None else pairs[i]) if explain else None
        if as_json:
            spread = {label: round(float(p), 6) for label, p in zip(adapted.labels, row, strict=True)}
            said: dict[str, Any] = {"text": one, "label": label, "probabilities": spread}
            said |= {} if known is None else {"in_scope": round(float(known[i]), 6)}
            said |= {} if why is None else {"why": [evidence._asdict() for evidence in why.evidence]}
            typer.echo(json.dumps(said, ensure_ascii=False))
            continue
        typer.echo(f"{printable(label)}\t{row[best]:.3f}\t{printable(' '.join(one.split()))}")
        for evidence in () if why is None else why.evidence:
            typer.echo(f"\t{evidence.weight:+.2f}\t{_shown(evidence)}")


def _shown(evidence: Any) -> str:
    of = "name" if evidence.number is None else f"example {evidence.number + 1}"
    text = f": {' '.join(evidence.text.split())}" if evidence.text else ""
    return printable(f"{evidence.label} ({of}){text}")


def _check(model: str, out: Path, *, effort: str, goal: float | None, seconds: float | None, force: bool) -> None:
    from metaglot.cli_checks import check_efforts
    from metaglot.data.folders import check_target

    check_efforts([effort], model)
    if goal is not None and not 0 < goal <= 1:
        raise MetaglotError(f"--goal {goal}: expected an accuracy above 0 and at most 1, e.g. 0.9")
    if seconds is not None and not seconds >= 0:
        raise MetaglotError(f"--seconds {seconds}: expected 0 or more, e.g. 120")
    check_target(out, force=force)


def _cut(cut: int, texts: int, length: int) -> str:
    return f"{cut} of {texts} texts are longer than {length} tokens; what comes after is not read"


def _read(file: Path, columns: str | None) -> Any:
    from metaglot.data.columns import parse_columns
    from metaglot.data.readers import read_table

    return read_table(file, mapping=None if columns is None else parse_columns([columns]))


def _texts(table: Any) -> tuple[list[str], list[str] | None]:
    pairs = table.column("text_pair").to_pylist() if "text_pair" in table.column_names else None
    if pairs is not None and all(pair is None for pair in pairs):
        pairs = None
    return table.column("text").to_pylist(), None if pairs is None else [pair or "" for pair in pairs]


def _labels(table: Any, file: Path) -> list[str]:
    if "label" not in table.column_names:
        raise MetaglotError(f"{file}: no column called label; name it: --columns label=COLUMN")
    labels = table.column("label").to_pylist()
    missing = [i for i, label in enumerate(labels) if label is None]
    if missing:
        raise MetaglotError(
            f"{file}: example number {missing[0] + 1} has no label ({len(missing)} such); fill or remove them"
        )
    if len(set(labels)) < 2:
        raise MetaglotError(
            f"{file}: all {len(labels)} examples have the label {labels[0]!r}; give examples of at least two classes"
        )
    return labels
