"""`metaglot predict`: labels or numbers of texts, by an adapted model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from metaglot.choices import FAMILIES
from metaglot.cli.shared.options import AdaptedPrecision, Columns, DeviceOption, Encoding, Json
from metaglot.cli.shared.predicting import Prediction, Question, lines_as_they_come, watched
from metaglot.cli.shared.predictions_file import check_out, is_text, joined, new_names, write_out
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.texts import (
    adapted_in,
    check_device,
    cut_note,
    precision_called,
    read_file,
    task_in,
    tell_notes,
    texts_of,
)
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    from metaglot.adaptation.fit import Fit
    from metaglot.models.devices import Precision


def predict(
    folder: Annotated[Path, typer.Argument(help="A folder that metaglot adapt made.")],
    file: Annotated[
        Path | None, typer.Argument(help="A file with texts (csv, jsonl, txt: one a line, …), or - to read lines.")
    ] = None,
    *,
    text: Annotated[list[str] | None, typer.Option(help="A text; may be given several times.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A file for all columns of FILE and two more, label and probability: csv, tsv, jsonl, parquet."
        ),
    ] = None,
    new_columns: Annotated[
        str | None, typer.Option(help="Other names for what --out adds: label=predicted,probability=chance.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file that --out names.")] = False,
    unknown: Annotated[
        str | None, typer.Option(help="The label of texts that are likelier of none of the classes, e.g. unknown.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the examples that decided.")] = False,
    precision: AdaptedPrecision = "auto",
    device: DeviceOption = "auto",
    columns: Columns = None,
    encoding: Encoding = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No notes and no progress bar.")] = False,
    as_json: Json = False,
) -> None:
    """Predict with an adapted model; one line a text: label, probability, text.

    Several labels are joined by |, and so are their probabilities; a number has none.

    A blank text gets no label: its line is blank, so that line n of the answer is of text n. Lines from standard
    input are answered as they come. The probability of --unknown is that the text is of none of the classes.

    Examples:

      metaglot predict my-model --text "where is my parcel?"

      metaglot predict my-model new.csv --out labelled.csv

      metaglot predict my-model new.csv --json > predictions.jsonl

      metaglot predict my-model new.csv --unknown other --explain

      tail -f messages.log | metaglot predict my-model -
    """
    if (file is None) == (not text):
        raise MetaglotError("give either --text (once or more) or a file of texts")
    stream = str(file) == "-"
    if columns is not None and stream:
        raise MetaglotError("--columns has no use beside -, of which each line is a text; drop it, or name a file")
    if encoding is not None and stream:
        raise MetaglotError("--encoding has no use beside -, which is UTF-8; drop it, or name a file")
    from metaglot.data.folders import check_adapted

    asked = Asked(folder, precision_called(precision), check_device(device), unknown, explain)
    if out is not None:
        _check_out(out, file, explain=explain, force=force)
        names = new_names(new_columns)
        _to_file(asked, file or Path(), out, names, (columns, encoding), quiet=quiet, as_json=as_json)
        return
    if new_columns is not None:
        raise MetaglotError("--new-columns has no use without --out, which writes them; add it, or drop this")
    if stream:
        check_adapted(folder)
        _stream(_question(asked), quiet=quiet, as_json=as_json)
        return
    table = None if file is None else read_file(file, columns, encoding, task=None)
    inputs = Inputs.of(text or []) if table is None else texts_of(table)
    check_adapted(folder)
    _note_table(table, quiet=quiet)
    question = _question(asked)
    found = _predictions(question, inputs, quiet=quiet or as_json, silent=quiet)
    for one, prediction in zip(inputs.texts, found, strict=True):
        _tell(one, prediction, as_json=as_json, probable=question.probable)


class Asked(NamedTuple):
    """The adapted model, what it runs in, and what is asked of it."""

    folder: Path
    precision: "Precision"
    device: str
    unknown: str | None
    explain: bool


def _question(asked: Asked) -> Question:
    """Return the question to the model; raise MetaglotError for what only classes have."""
    task = task_in(asked.folder)
    for option, given in (("--unknown", asked.unknown is not None), ("--explain", asked.explain)):
        if given and not FAMILIES.exclusive(task):
            raise MetaglotError(f"{option} has no use: it is about classes, and {asked.folder} is a task of {task}")
    return Question(adapted_in(asked.folder, asked.precision, asked.device), asked.unknown, asked.explain)


def _predictions(question: Question, inputs: Inputs, *, quiet: bool, silent: bool) -> list[Prediction]:
    """Return the predictions; notes and, where it takes more than a moment, a bar go to standard error."""
    from metaglot.cli.shared.progress import bar

    if not silent:
        _note(question.adapted.fit, inputs)
    if quiet:
        return question.predictions(inputs)
    with bar("predict", len(inputs)) as advance:
        return question.predictions(inputs, advance)


def _note_table(table: Any, *, quiet: bool) -> None:
    """Point out what was odd about a file when it was read."""
    from metaglot.data.labels import table_notes

    tell_notes([] if table is None else table_notes(table), quiet=quiet)


def _note(fit: "Fit", inputs: Inputs) -> None:
    from metaglot.adaptation.scripts import language_note

    if cut := fit.cut(inputs):
        tell(f"note: {cut_note(cut, len(inputs), fit.encoder.max_length)}", err=True)
    if note := language_note(fit.encoder, inputs.texts):
        tell(f"note: {note}", err=True)


def _stream(question: Question, *, quiet: bool, as_json: bool) -> None:
    """Answer the lines of standard input as they come."""
    noted = quiet
    encoder = question.adapted.fit.encoder
    lines = watched(encoder, lines_as_they_come(), lambda note: tell_notes([note], quiet=quiet))
    for texts in lines:
        if not noted and question.adapted.fit.cut(Inputs.of(texts)):
            noted = True
            length = f"some texts are longer than {encoder.max_length} tokens"
            tell(f"note: {length}; what comes after is not read", err=True)
        for one, prediction in zip(texts, question.predictions(Inputs.of(texts)), strict=True):
            _tell(one, prediction, as_json=as_json, probable=question.probable)


def _check_out(out: Path, file: Path | None, *, explain: bool, force: bool) -> None:
    if file is None or str(file) == "-":
        raise MetaglotError("--out keeps the columns of a file; name a file of texts, or write the output with > FILE")
    if explain:
        raise MetaglotError("--explain has no use beside --out, which has no place for reasons; drop one of them")
    check_out(out, force=force)


def _to_file(
    asked: Asked,
    file: Path,
    out: Path,
    names: tuple[str, str],
    manner: tuple[str | None, str | None],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the columns of a file and what is predicted of its rows."""
    from metaglot.data.beside import read_whole
    from metaglot.data.columns import parse_columns
    from metaglot.data.folders import check_adapted

    columns, encoding = manner
    mapping = None if columns is None else parse_columns([columns])
    table, own = read_whole(file, mapping=mapping, encoding=encoding)
    joined(own, dict.fromkeys(names, ()), file)
    check_adapted(asked.folder)
    _note_table(table, quiet=quiet)
    question = _question(asked)
    found = _predictions(question, texts_of(table), quiet=quiet or as_json, silent=quiet)
    write_out(out, joined(own, _new_columns(found, names, question, text=is_text(out)), file))
    if as_json:
        tell_json({"out": str(out), "rows": len(found), "blank": sum(one.blank for one in found)})
    elif not quiet:
        tell(f"{len(found)} rows → {out}")


def _new_columns(
    found: list[Prediction], names: tuple[str, str], question: Question, *, text: bool
) -> dict[str, list[Any]]:
    """Return the columns to add, the labels as text where a file has nothing else; numbers have no probability."""
    family = question.adapted.fit.family
    as_shown = text and not family.exclusive and family.tokens is None
    labels = [one.shown if as_shown and not one.blank else one.label for one in found]
    if not question.probable:
        return {names[0]: labels}
    return {names[0]: labels, names[1]: [_chances(one.probability, text=text) for one in found]}


def _chances(probability: float | list[float] | None, *, text: bool) -> Any:
    from metaglot.data.label_lists import SEPARATOR

    if isinstance(probability, list):
        return SEPARATOR.join(f"{one:.6g}" for one in probability) if text else probability
    return None if probability is None else round(probability, 6)


def _tell(text: str, prediction: Prediction, *, as_json: bool, probable: bool) -> None:
    from metaglot.data.label_lists import SEPARATOR

    if as_json:
        tell_json(_json(text, prediction, probable=probable))
    elif prediction.blank:
        tell("")
    else:
        chances = prediction.probability
        every = chances if isinstance(chances, list) else [] if chances is None else [chances]
        column = [] if chances is None else [SEPARATOR.join(f"{one:.3f}" for one in every)]
        tell("\t".join([_on_a_line(prediction.shown), *column, _on_a_line(text)]))
        for evidence in () if prediction.why is None else prediction.why.evidence:
            tell(f"\t{evidence.weight:+.2f}\t{_shown(evidence)}")


def _json(text: str, one: Prediction, *, probable: bool) -> dict[str, Any]:
    plain: dict[str, Any] = {"text": text, "label": one.label}
    plain |= {"probabilities": one.spread} if probable else {}
    plain |= {} if one.in_scope is None else {"in_scope": round(one.in_scope, 6)}
    return plain | ({} if one.why is None else {"why": [evidence._asdict() for evidence in one.why.evidence]})


def _on_a_line(text: str) -> str:
    """Return a text without line breaks and tabs, which would make more fields or lines of it."""
    return printable(" ".join(text.split()))


def _shown(evidence: Any) -> str:
    of = "name" if evidence.number is None else f"example {evidence.number + 1}"
    text = f": {' '.join(evidence.text.split())}" if evidence.text else ""
    return _on_a_line(f"{evidence.label} ({of}){text}")
