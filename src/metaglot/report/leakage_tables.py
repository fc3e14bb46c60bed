"""The tables of what a run has seen of an evaluation."""

from metaglot.evaluation.leakage import Counts, Leakage
from metaglot.report.grids import Grid, Text


def leakage_grids(leakage: Leakage) -> list[Grid]:
    """Return the table of what was seen, as the evaluation's other tables; none where it is unknown."""
    rows = tuple(
        (
            Text(task.task),
            Text(_counted(task.queries, leakage), "lost" if task.queries.seen else ""),
            Text(f"{task.excluded:,}" if leakage.excluded else "–"),
            Text(_counted(task.support, leakage)),
            Text(f"{len(task.shared)} of {task.named}" if task.named else "numbers"),
            Text(", ".join(f"{name} {rows:,}" for name, rows in list(task.sets.items())[:3]) or "–"),
        )
        for task in leakage.tasks
    )
    columns = ("task", "queries", "left out", "support rows", "class names", "rows in")
    return [Grid("Leakage", _note(leakage), columns, rows, keys=1)] if rows else []


def _counted(counts: Counts, leakage: Leakage) -> str:
    if not counts.seen:
        return f"0 of {counts.rows:,}"
    near = f", {counts.near} near" if leakage.near else ""
    return f"{counts.exact} exact{near} of {counts.rows:,}"


def _note(leakage: Leakage) -> str:
    kept = (
        "Queries that overlap were left out before the judged ones were drawn."
        if leakage.excluded
        else ("Queries that overlap were kept; --exclude-overlap leaves them out.")
    )
    edited = (
        "near for lightly edited copies"
        if leakage.near
        else "edited copies are not found, the model keeps hashes of whole texts alone"
    )
    return (
        f"Rows that stand among the {leakage.texts:,} texts that {leakage.model} was meta-trained on: exact after "
        f"folding case and punctuation, {edited}. {kept} Class names: those that a training set "
        "has too; bare numbers are no names. Rows in: training sets that hold rows of the task, judged or not."
    )
