"""The tables of the overlap of an evaluation with the training data of a run."""

from metaglot.evaluation.leakage import Counts, Leakage
from metaglot.report.grids import Grid, Text


def leakage_grids(leakage: Leakage) -> list[Grid]:
    """Return the table of the overlap; no table if it is unknown."""
    rows = tuple(
        (
            Text(task.task),
            Text(_count_text(task.queries, leakage), "lost" if task.queries.seen else ""),
            Text(f"{task.excluded:,}" if leakage.excluded else "–"),
            Text(_count_text(task.support, leakage)),
            Text(f"{len(task.shared)} of {task.named}" if task.named else "numbers"),
            Text(", ".join(f"{name} {rows:,}" for name, rows in list(task.sets.items())[:3]) or "–"),
        )
        for task in leakage.tasks
    )
    columns = ("task", "queries", "left out", "support rows", "class names", "rows in")
    return [Grid("Leakage", _note(leakage), columns, rows, keys=1)] if rows else []


def _count_text(counts: Counts, leakage: Leakage) -> str:
    if not counts.seen:
        return f"0 of {counts.rows:,}"
    near = f", {counts.near} near" if leakage.near else ""
    return f"{counts.exact} exact{near} of {counts.rows:,}"


def _note(leakage: Leakage) -> str:
    exclusion_note = (
        "Queries that overlap were left out before the queries of the evaluation were drawn."
        if leakage.excluded
        else "Queries that overlap were kept; --exclude-overlap leaves them out."
    )
    near_note = (
        "near for lightly edited copies"
        if leakage.near
        else "edited copies are not found, because the model keeps hashes of whole texts only"
    )
    return (
        f"Rows of the task that are among the {leakage.texts:,} training texts of {leakage.model}: exact means equal "
        f"without case and punctuation, {near_note}. {exclusion_note} Class names: names that a training set has too; "
        "numbers are no names. Rows in: the training sets that have rows of the task, also rows that are no queries."
    )
