"""How a prediction is printed: one line of fields, or one object of JSON."""

from typing import Any

from metaglot.cli.shared.predicting import Prediction, Question, Writing
from metaglot.cli.shared.printing import tell, tell_json
from metaglot.errors import printable


def print_prediction(row: tuple[str, str | None], prediction: Prediction, question: Question, *, as_json: bool) -> None:
    """Print a prediction beside its text, and with --explain the examples that decided."""
    from metaglot.data.label_lists import SEPARATOR

    if as_json:
        tell_json(_json(row, prediction, probable=question.probable, writes=question.writes))
    elif prediction.blank:
        tell("")
    else:
        probability = prediction.probability
        values = probability if isinstance(probability, list) else [] if probability is None else [probability]
        column = [] if probability is None else [SEPARATOR.join(f"{value:.3f}" for value in values)]
        tell("\t".join([_on_one_line(prediction.text), *column, _on_one_line(question.shown_text(*row))]))
        for evidence in () if prediction.explanation is None else prediction.explanation.evidence:
            tell(f"\t{evidence.weight:+.2f}\t{_evidence_text(evidence)}")


def _json(row: tuple[str, str | None], prediction: Prediction, *, probable: bool, writes: bool) -> dict[str, Any]:
    text, second = row
    second_text = {} if second is None else {"text_pair": second}
    record: dict[str, Any] = {"text": text, **second_text, "label": prediction.label}
    if writes:
        record["probability"] = prediction.probability
        record |= writing_record(prediction.writing)
    elif probable:
        record["probabilities"] = prediction.probabilities
    record |= {} if prediction.in_scope is None else {"in_scope": round(prediction.in_scope, 6)}
    if prediction.explanation is not None:
        record["why"] = [evidence._asdict() for evidence in prediction.explanation.evidence]
    return record


def writing_record(writing: Writing | None) -> dict[str, float]:
    """Return what is known of a text that a model wrote, as JSON."""
    if writing is None:
        return {}
    likelihood, speed = round(writing.likelihood, 4), round(writing.speed, 1)
    return {"log_probability": likelihood, "tokens": writing.tokens, "tokens_per_second": speed}


def _on_one_line(text: str) -> str:
    """Return a text without line breaks and tabs, so that it stays one field of one line."""
    return printable(" ".join(text.split()))


def _evidence_text(evidence: Any) -> str:
    source = "name" if evidence.number is None else f"example {evidence.number + 1}"
    text = f": {' '.join(evidence.text.split())}" if evidence.text else ""
    return _on_one_line(f"{evidence.label} ({source}){text}")
