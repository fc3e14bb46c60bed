"""What stands beside the results of an evaluation: table.md, report.html, leakage.json, environment.json."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaglot.cli.shared.judging import Manner, Ready

if TYPE_CHECKING:
    from metaglot.evaluation import Result
    from metaglot.evaluation.leakage import Leakage


def results_and_leakage(out: Path, asked: Ready, manner: Manner) -> "tuple[list[Result], Leakage]":
    """Write table.md, report.html and leakage.json of a folder of results, and return what they say."""
    leakage = asked.overlap.leakage(asked.model.name, asked.task_sets, asked.plan)
    results, (whole,) = write_tables(
        out, [leakage], [asked.job.model], title=f"{asked.model.name}: evaluation", leave_out=manner.leave_out
    )
    return results, whole


def write_tables(
    out: Path,
    leakages: "Sequence[Leakage]",
    models: Sequence[str],
    *,
    title: str,
    leave_out: Sequence[str],
    reference: str | None = None,
) -> "tuple[list[Result], list[Leakage]]":
    """Write the files, report.html being the page of `metaglot report` on the folder and the runs among the models.

    Return the results of the folder, and what each model has seen of their tasks.
    """
    from metaglot.data.cache import write_whole
    from metaglot.evaluation import read_results
    from metaglot.report import gather, markdown, write_report
    from metaglot.report.leakage_tables import leakage_grids
    from metaglot.report.report_data import is_run
    from metaglot.report.table import markdown_grid

    results = read_results(out / "results.jsonl")
    leakages = keep_leakages(out, leakages, results)
    parts = [markdown(results, leave_out=leave_out, reference=reference)]
    parts += [markdown_grid(grid) for leakage in leakages for grid in leakage_grids(leakage)]
    parts += [f"**Leakage** {unknown(leakage)}.\n" for leakage in leakages if not leakage.known]
    parts += [f"**Not judged.** {reason}.\n" for reason in not_judged(out)]
    write_whole(out / "table.md", "\n".join(parts))
    write_whole(out / "environment.json", json.dumps(environment(), indent=1) + "\n")
    folders = [out, *(Path(model) for model in models if is_run(model))]
    write_report(out / "report.html", gather(folders, title=title, leave_out=leave_out))
    return results, leakages


def not_judged(out: Path) -> list[str]:
    """Return why methods were not judged on some kinds of tasks, as the settings of a folder of results say."""
    from metaglot.data.environment import SETTINGS, read_settings
    from metaglot.evaluation.store import NOT_JUDGED

    settings = read_settings(out / SETTINGS) if (out / SETTINGS).is_file() else {}
    return [str(reason) for name, reason in settings.items() if name.startswith(NOT_JUDGED)]


def unknown(leakage: "Leakage") -> str:
    """Return what is said of a model whose training texts nobody knows."""
    return f"unknown: {leakage.model} names no training text"


def keep_leakages(out: Path, leakages: "Sequence[Leakage]", results: "Sequence[Result]") -> "list[Leakage]":
    """Write leakage.json, and return it with what an earlier call said of other tasks and models in the folder."""
    from metaglot.evaluation.leakage import grown, read_leakages, write_leakage

    before = {leakage.model: leakage for leakage in read_leakages(out)}
    tasks, judged = {result.task for result in results}, {result.model for result in results}
    whole = [grown(leakage, before.pop(leakage.model, None), tasks) for leakage in leakages]
    whole += [leakage for name, leakage in before.items() if name in judged]
    write_leakage(out, *whole)
    return whole


def environment() -> dict[str, object]:
    """Return the versions in use."""
    import platform

    import torch
    import transformers

    from metaglot.version import __version__

    return {
        "metaglot": __version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "threads": torch.get_num_threads(),
    }


def with_metrics(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of results with its scores as fields too, as scripts read them."""
    return row | {name: score for name, score in row.get("metrics", {}).items() if name not in row}
