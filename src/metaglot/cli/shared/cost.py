"""What an evaluation is about to cost, told before it begins."""

from collections.abc import Mapping
from pathlib import Path

from metaglot.cli.shared.judging import Manner, Ready, lacking
from metaglot.cli.shared.printing import tell, tell_json


def cost_of(out: Path, asked: Mapping[str, Ready], manner: Manner) -> dict[str, float]:
    """Return the CPU seconds of each method for what the folder lacks, about."""
    from rich.console import Console
    from rich.progress import track

    from metaglot.evaluation.estimate import estimated, seconds_of
    from metaglot.report.table import escape

    total: dict[str, float] = {}
    for name, one in asked.items():
        left = lacking(out / name, one, manner)
        tasks = [task for task in one.task_sets if any(cell.task == task.name for cell in left)]
        timed = track(
            tasks, escape(f"timing texts of {name}"), console=Console(stderr=True), disable=manner.quiet, transient=True
        )
        seconds = {task.name: seconds_of(one.model.encoder, task) for task in timed}
        for method, spent in estimated(left, one.task_sets, one.methods, one.plan, seconds).items():
            total[method] = total.get(method, 0.0) + spent
    return total


def show_cost(cost: Mapping[str, float], manner: Manner, *, as_json: bool) -> None:
    """Print the estimate: to standard output as JSON, else beside the progress."""
    if as_json:
        tell_json({"cpu_seconds": cost, "jobs": manner.jobs})
    elif cost:
        total = sum(cost.values())
        parts = ", ".join(f"{name} {_minutes(one)}" for name, one in sorted(cost.items(), key=lambda x: -x[1]))
        many = f", {_minutes(total / manner.jobs)} with {manner.jobs} processes" if manner.jobs > 1 else ""
        tell(f"about {_minutes(total)} of CPU{many} ({parts}); a rough estimate", err=True)


def _minutes(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
