"""The numbers of an evaluation's plan, checked before torch is imported."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metaglot.cli.shared.judging import numbers_of, words_of
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.cli.shared.judging import LabelledTask


def parse_shots(shots: str, *, draws: int, queries: int, threads: int | None, jobs: int | None) -> list[int]:
    """Return the numbers of shots; raise MetaglotError for a wrong number."""
    from metaglot.cli.shared.checks import check_count

    counts = numbers_of("--shots", shots)
    check_count("--draws", draws, most=100_000)
    check_count("--queries", queries, most=1_000_000_000)
    check_count("--threads", threads, most=1024)
    check_count("--jobs", jobs, most=1024)
    return counts


def parse_left_out(leave_out: str, labelled: "Sequence[LabelledTask]") -> tuple[str, ...]:
    """Return the tasks to leave out; raise MetaglotError for an unknown task, and where no task would be left."""
    left_out = words_of(leave_out)
    unknown_tasks = set(left_out) - {task.name for task in labelled}
    if unknown_tasks:
        raise MetaglotError(
            f"--leave-out {', '.join(sorted(unknown_tasks))}: no such task; they are named after their files"
        )
    if len(set(left_out)) == len(labelled):
        raise MetaglotError("--leave-out names every task, so that no task is left for the mean; keep one")
    return tuple(left_out)
