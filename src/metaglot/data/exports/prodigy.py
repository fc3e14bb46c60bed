"""Prodigy, JSON Lines: a text with `answer` (accept, reject, ignore), and `label` or the chosen `options`.

https://prodi.gy/docs/api-interfaces
"""

from collections.abc import Mapping, Sequence

from metaglot.data.exports.answers import NONE, Answer, Export, agreed, as_list

ANSWERS = ("accept", "reject", "ignore")
MARKS = ("_view_id", "_task_hash", "_input_hash", "_session_id", "_annotator_id", "options")


def prodigy(tasks: Sequence[Mapping[str, object]]) -> Export | None:
    """Return the rows of an export of Prodigy; None for what is none.

    A label that was rejected says what a text is not, so that the text has none.  Where all texts were asked about
    the same one label, the rejected ones are the class "not LABEL".
    """
    if not all(task.get("answer") in ANSWERS for task in tasks) or not any(mark in tasks[0] for mark in MARKS):
        return None
    spans = [_spans(task) for task in tasks] if any("spans" in task for task in tasks) else []
    if not any("label" in task or "accept" in task for task in tasks):
        return Export("Prodigy", tasks, {}, _span_notes(tasks), spans=spans) if spans else None
    asked = {label for task in tasks if isinstance(label := task.get("label"), str)}
    rejected = any(task["answer"] == "reject" for task in tasks)
    only = next(iter(asked)) if len(asked) == 1 and rejected and not any("accept" in task for task in tasks) else None
    notes = (f"all texts were asked about the one label {only!r}: those that were rejected are the class 'not {only}'",)
    answers = {"label": [_answer(task, only) for task in tasks]}
    return Export("Prodigy", tasks, answers, notes if only else (), spans=spans)


def _spans(task: Mapping[str, object]) -> Answer:
    """Return the marked parts of a text; one that was accepted without any has none."""
    if task["answer"] == "accept":
        return Answer(as_list(task.get("spans")))
    return Answer(None, "ignored" if task["answer"] == "ignore" else "rejected")


def _span_notes(tasks: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    if not any(task.get("_view_id") == "ner" for task in tasks):
        return ()
    return ("some answers are about one span of a text each (ner.teach), so that its other spans may be missing",)


def _answer(task: Mapping[str, object], only: str | None) -> Answer:
    if task["answer"] == "ignore":
        return Answer(None, "ignored")
    if task["answer"] == "reject":
        return Answer(None, "rejected") if only is None else Answer(f"not {only}")
    if "accept" in task:
        return agreed([as_list(task["accept"])])
    label = task.get("label")
    return Answer(None, NONE) if label is None else agreed([as_list(label) or [label]])
