"""What benchmarks have in common: cells are evaluated and shown one by one, and tables are written and shown."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from metaglot.evaluation import Plan, TaskSet, evaluate_into, read_results
from metaglot.evaluation.result import Result


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
