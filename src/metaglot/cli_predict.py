"""`metaglot predict`: classify texts with an adapted model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from metaglot.cli_output import tell, tell_json
from metaglot.cli_texts import Columns, Json, cut_note, piped, read_file, texts_of
from metaglot.errors import MetaglotError, printable

if TYPE_CHECKING:
    from metaglot.adaptation import Explanation
    from metaglot.data.labels import Label


def predict(
    folder: Annotated[Path, typer.Argument(help="A folder that metaglot adapt made.")],
    file: Annotated[
        Path | None, typer.Argument(help="A file with texts (csv, jsonl, txt: one a line, …), or - to read lines.")
    ] = None,
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

    The probability of --unknown is that the text is of none of the classes.

    Examples:

      metaglot predict my-model --text "where is my parcel?"

      metaglot predict my-model new.csv --json > predictions.jsonl

      metaglot predict my-model new.csv --unknown other --explain

      cut -f 3 log.tsv | metaglot predict my-model -
    """
    texts, pairs = _asked(file, text, columns)
    from metaglot.data.folders import check_adapted

    check_adapted(folder)
    from metaglot.adaptation import Adapted
    from metaglot.data.labels import label_text

    adapted = Adapted.load(folder)
    if cut := adapted.model.cut(texts, pairs) if texts else 0:
        tell(f"note: {cut_note(cut, len(texts), adapted.model.max_length)}", err=True)
    features = adapted.embed(texts, pairs)
    probabilities = adapted.proba_of_features(features)
    known = None if unknown is None else adapted.in_scope_of_features(features)
    reasons = adapted.explain_features(features) if explain else None
    for i, (one, row) in enumerate(zip(texts, probabilities, strict=True)):
        chance = None if known is None else float(known[i])
        within = chance is None or chance >= 0.5
        label, sure = (adapted.labels[int(row.argmax())], row.max()) if within else (str(unknown), 1 - (chance or 0.0))
        why = None if reasons is None else reasons[i]
        if as_json:
            spread = {label_text(name): round(float(p), 6) for name, p in zip(adapted.labels, row, strict=True)}
            tell_json(_prediction(one, label, spread, chance, why))
            continue
        tell(f"{_on_a_line(label_text(label))}\t{sure:.3f}\t{_on_a_line(one)}")
        for evidence in () if why is None else why.evidence:
            tell(f"\t{evidence.weight:+.2f}\t{_shown(evidence)}")


def _asked(file: Path | None, text: list[str] | None, columns: str | None) -> tuple[list[str], list[str] | None]:
    """Return the texts to classify and, if they have any, their second texts."""
    if (file is None) == (not text):
        raise MetaglotError("give either --text (once or more) or a file of texts")
    if file is None:
        return list(text or []), None
    if str(file) != "-":
        return texts_of(read_file(file, columns))
    if columns is not None:
        raise MetaglotError("--columns has no use beside -, of which each line is a text; drop it, or name a file")
    return piped(), None


def _prediction(
    text: str, label: "Label", spread: dict[str, float], in_scope: float | None, why: "Explanation | None"
) -> dict[str, Any]:
    said: dict[str, Any] = {"text": text, "label": label, "probabilities": spread}
    said |= {} if in_scope is None else {"in_scope": round(in_scope, 6)}
    return said | ({} if why is None else {"why": [evidence._asdict() for evidence in why.evidence]})


def _on_a_line(text: str) -> str:
    """Return a text without line breaks and tabs, which would make more fields or lines of it."""
    return printable(" ".join(text.split()))


def _shown(evidence: Any) -> str:
    of = "name" if evidence.number is None else f"example {evidence.number + 1}"
    text = f": {' '.join(evidence.text.split())}" if evidence.text else ""
    return _on_a_line(f"{evidence.label} ({of}){text}")
