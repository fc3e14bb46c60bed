"""`metaglot predict`: labels or numbers of texts, by an adapted model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from metaglot.choices import FAMILIES
from metaglot.cli.shared.decoding import check_writes, with_decoding
from metaglot.cli.shared.options import (
    AdaptedPrecision,
    Columns,
    DeviceOption,
    Encoding,
    FuzzyBelow,
    Json,
    ReplaceFile,
    quietly,
)
from metaglot.cli.shared.predicting import Prediction, Question, standard_input_lines, with_language_note
from metaglot.cli.shared.prediction_lines import print_prediction
from metaglot.cli.shared.predictions_file import check_out, is_text, parse_new_columns, with_new_columns, write_out
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.cli.shared.texts import (
    check_device,
    cut_note,
    load_adapted,
    parse_precision,
    read_file,
    reading_task,
    task_of_folder,
    tell_notes,
    texts_of,
)
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.decoding import Decoding
    from metaglot.models.devices import Precision


@with_decoding
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
            help="A file for all columns of FILE and two new ones, label and probability: csv, tsv, jsonl, parquet; or "
            "a .po file, for the entries of the catalogue FILE with translations of those that have none."
        ),
    ] = None,
    new_columns: Annotated[
        str | None, typer.Option(help="Other names for the new columns: label=predicted,probability=chance.")
    ] = None,
    force: ReplaceFile = False,
    unknown: Annotated[
        str | None, typer.Option(help="The label for texts that are probably of none of the classes, e.g. unknown.")
    ] = None,
    explain: Annotated[bool, typer.Option("--explain", help="Show the examples that decided.")] = False,
    decoding: "Decoding | None",
    fuzzy_below: FuzzyBelow = None,
    precision: AdaptedPrecision = "auto",
    device: DeviceOption = "auto",
    columns: Columns = None,
    encoding: Encoding = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", callback=quietly, help="No notes and no progress bar.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Predict with an adapted model; one line a text: label, probability, text.

    Several labels are joined by |, and so are their probabilities; a number has no probability.  That of a text that is
    written is the geometric mean over its tokens; --json has its log-probability, its tokens and the speed too.

    A blank text gets no label: its line is blank, so that line n of the output is for text n. A line from standard
    input is answered when it comes. The probability of --unknown is that the text is of none of the classes.

    Examples:

      metaglot predict my-model --text "where is my parcel?"

      metaglot predict my-model new.csv --out labelled.csv

      metaglot predict my-model new.csv --json > predictions.jsonl

      metaglot predict my-model new.csv --unknown other --explain

      metaglot predict translator django.po --out filled.po

      metaglot predict writer new.txt --sample --temperature 0.7 --seed 1 --stop "\\n"

      tail -f messages.log | metaglot predict my-model -
    """
    if (file is None) == (not text):
        raise MetaglotError("give either --text (once or more) or a file of texts")
    stream = str(file) == "-"
    if columns is not None and stream:
        raise MetaglotError("--columns has no use beside -, where each line is a text; drop it, or name a file")
    if encoding is not None and stream:
        raise MetaglotError("--encoding has no use beside -, which is UTF-8; drop it, or name a file")
    from metaglot.data.folders import check_adapted

    request = Request(folder, parse_precision(precision), check_device(device), unknown, explain, decoding)
    if out is not None and out.suffix.lower() == ".po":
        from metaglot.cli.shared.catalogue import check_catalogue, fill_catalogue

        check_catalogue(folder, file, out, columns=columns, new_columns=new_columns, force=force)
        options = {"quiet": quiet, "as_json": as_json}
        fill_catalogue(_question(request), file or Path(), out, encoding, fuzzy_below=fuzzy_below, **options)
        return
    if fuzzy_below is not None:
        raise MetaglotError("--fuzzy-below has no use: it is for a catalogue, --out FILE.po")
    if out is not None:
        _check_out(out, file, explain=explain, force=force)
        names = parse_new_columns(new_columns)
        _write_file(request, file or Path(), out, names, (columns, encoding), quiet=quiet, as_json=as_json)
        return
    if new_columns is not None:
        raise MetaglotError("--new-columns has no use without --out; add --out, or drop --new-columns")
    if stream:
        check_adapted(folder)
        _stream(_question(request), quiet=quiet, as_json=as_json)
        return
    from metaglot.data.texts import inputs_of

    table = None if file is None else read_file(file, columns, encoding, task=reading_task(folder), asking=True)
    inputs = inputs_of(text or []) if table is None else texts_of(table)
    check_adapted(folder)
    _print_table_notes(table, quiet=quiet)
    question = _question(request)
    predictions = _predictions(question, inputs, quiet=quiet or as_json, no_notes=quiet)
    for row, prediction in zip(inputs.rows(), predictions, strict=True):
        print_prediction(row, prediction, question, as_json=as_json)


class Request(NamedTuple):
    """The folder of an adapted model, its precision and device, and the options of predictions."""

    folder: Path
    precision: "Precision"
    device: str
    unknown: str | None
    explain: bool
    decoding: "Decoding | None" = None


def _question(request: Request) -> Question:
    """Return the question to the model; raise MetaglotError for an option that only classes have."""
    task = task_of_folder(request.folder)
    for option, is_given in (("--unknown", request.unknown is not None), ("--explain", request.explain)):
        if is_given and not FAMILIES.exclusive(task):
            raise MetaglotError(f"{option} has no use: it needs classes, and {request.folder} is a task of {task}")
    check_writes(request.folder, task, request.decoding)
    adapted = load_adapted(request.folder, request.precision, request.device)
    return Question(adapted, request.unknown, request.explain, request.decoding)


def _predictions(question: Question, inputs: Inputs, *, quiet: bool, no_notes: bool) -> list[Prediction]:
    """Return the predictions; notes and, where it takes more than a moment, a bar go to standard error."""
    from metaglot.cli.shared.progress import bar

    if not no_notes:
        _print_notes(question, inputs)
    if quiet:
        return question.predictions(inputs)
    with bar("predict", len(inputs)) as advance:
        return question.predictions(inputs, advance)


def _print_table_notes(table: Any, *, quiet: bool) -> None:
    from metaglot.data.labels import table_notes

    tell_notes([] if table is None else table_notes(table), quiet=quiet)


def _print_notes(question: Question, inputs: Inputs) -> None:
    from metaglot.adaptation.scripts import language_note

    fit, decoding = question.adapted.fit, question.decoding
    if cut := fit.cut(inputs, decoding):
        tell(f"note: {cut_note(cut, len(inputs), fit.read_length(decoding))}", err=True)
    if not _by_words(question) and (note := language_note(fit.encoder, inputs.texts)):
        tell(f"note: {note}", err=True)


def _by_words(question: Question) -> bool:
    """Return whether a lexicon writes, so that no model reads a text."""
    fit = question.adapted.fit
    return fit.family.writes is not None and fit.reading() is None


def _stream(question: Question, *, quiet: bool, as_json: bool) -> None:
    """Answer each line of standard input when it comes."""
    has_note = quiet
    encoder = question.adapted.fit.encoder
    silent = quiet or _by_words(question)
    lines = with_language_note(encoder, standard_input_lines(), lambda note: tell_notes([note], quiet=silent))
    for texts in lines:
        fit, decoding = question.adapted.fit, question.decoding
        if not has_note and fit.cut(Inputs.of(texts), decoding):
            has_note = True
            length = f"some texts are longer than {fit.read_length(decoding)} tokens"
            tell(f"note: {length}; the rest of them is not read", err=True)
        for text, prediction in zip(texts, question.predictions(Inputs.of(texts)), strict=True):
            print_prediction((text, None), prediction, question, as_json=as_json)


def _check_out(out: Path, file: Path | None, *, explain: bool, force: bool) -> None:
    if file is None or str(file) == "-":
        raise MetaglotError("--out keeps the columns of a file; name a file of texts, or write the output with > FILE")
    if explain:
        raise MetaglotError("--explain has no use beside --out, which has no column for reasons; drop one of them")
    check_out(out, force=force)


def _write_file(
    request: Request,
    file: Path,
    out: Path,
    names: tuple[str, str],
    reading_options: tuple[str | None, str | None],
    *,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write the columns of a file and the predictions for its rows."""
    from metaglot.data.beside import read_whole
    from metaglot.data.columns import parse_columns
    from metaglot.data.folders import check_adapted
    from metaglot.data.task_kind import cells_of

    columns, encoding = reading_options
    mapping = None if columns is None else parse_columns([columns])
    cells = cells_of(reading_task(request.folder))
    table, file_columns = read_whole(file, mapping=mapping, encoding=encoding, cells=cells)
    with_new_columns(file_columns, dict.fromkeys(names, ()), file)
    check_adapted(request.folder)
    _print_table_notes(table, quiet=quiet)
    question = _question(request)
    predictions = _predictions(question, texts_of(table), quiet=quiet or as_json, no_notes=quiet)
    write_out(out, with_new_columns(file_columns, _new_columns(predictions, names, question, text=is_text(out)), file))
    if as_json:
        blank = sum(prediction.blank for prediction in predictions)
        tell_json({"out": str(out), "rows": len(predictions), "blank": blank})
    elif not quiet:
        tell(f"{len(predictions)} rows → {out}")


def _new_columns(
    predictions: list[Prediction], names: tuple[str, str], question: Question, *, text: bool
) -> dict[str, list[Any]]:
    """Return the new columns; with `text`, labels are one text each.  Numbers have no probability."""
    family = question.adapted.fit.family
    as_shown = text and not family.exclusive and family.tokens is None
    labels = [one.text if as_shown and not one.blank else one.label for one in predictions]
    if not question.probable:
        return {names[0]: labels}
    return {
        names[0]: labels,
        names[1]: [_probability_cell(prediction.probability, text=text) for prediction in predictions],
    }


def _probability_cell(probability: float | list[float] | None, *, text: bool) -> Any:
    from metaglot.data.label_lists import SEPARATOR

    if isinstance(probability, list):
        return SEPARATOR.join(f"{value:.6g}" for value in probability) if text else probability
    return None if probability is None else round(probability, 6)
