"""What benchmarks have in common: cells are evaluated and shown one by one, and tables are written and shown."""

import argparse
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from metaglot.evaluation import Plan, TaskSet, evaluate_into, read_results
from metaglot.evaluation.result import Result
from metaglot.evaluation.workers import Workers


def add_on(parser: argparse.ArgumentParser) -> None:
    """Add the option of the cluster that cells are spread over."""
    parser.add_argument("--on", help="a Ray cluster: ray, ray:local, ray:HOST:PORT")


def workers_on(on: str | None, make: Callable[..., Any], *given: Any) -> Workers | None:
    """Return the processes of a Ray cluster that judge what `make(*given)`, of a module, returns; None without one."""
    return Workers(0, partial(make, *given), on=on) if on else None


def evaluated(out: Path, tasks: Sequence[TaskSet], methods: Sequence[Any], plan: Plan) -> list[Result]:
    """Run what is left of an evaluation, print each cell as it is done, and return all results of the folder."""
    for result in evaluate_into(out, tasks, methods, plan):
        print(json.dumps([*result.cell, round(result.score, 4), result.cpu_seconds]), flush=True)
    return read_results(out)


def write_table(out: Path, lines: Iterable[str]) -> None:
    """Write the lines to `table.md` of the folder, and print them."""
    text = "\n".join(lines)
    (out / "table.md").write_text(text + "\n", "utf-8")
    print(text)
