"""How much an evaluation is asked to do, checked before torch is imported."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from metaglot.cli.shared.judging import numbers_of, words_of
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.cli.shared.judging import Labelled


def checked_shots(shots: str, *, draws: int, queries: int, threads: int | None, jobs: int | None) -> list[int]:
    """Return the numbers of shots; raise MetaglotError for a number that cannot be."""
    from metaglot.cli.shared.checks import check_count

    wanted = numbers_of("--shots", shots)
    check_count("--draws", draws, most=100_000)
    check_count("--queries", queries, most=1_000_000_000)
    check_count("--threads", threads, most=1024)
    check_count("--jobs", jobs, most=1024)
    return wanted


def check_left_out(leave_out: str, labelled: "Sequence[Labelled]") -> tuple[str, ...]:
    """Return the tasks to leave out; raise MetaglotError for one that is not there, and where none would be left."""
    left_out = words_of(leave_out)
    unknown = set(left_out) - {task.name for task in labelled}
    if unknown:
        raise MetaglotError(f"--leave-out {', '.join(sorted(unknown))}: no such task; they are named after their files")
    if len(set(left_out)) == len(labelled):
        raise MetaglotError("--leave-out names every task, so that no mean would be left; leave one in")
    return tuple(left_out)
