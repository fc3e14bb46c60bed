"""The files beside the results of an evaluation: table.md, report.html, leakage.json, environment.json."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaglot.cli.shared.judging import Evaluation, JudgingOptions

if TYPE_CHECKING:
    from metaglot.evaluation import Result
    from metaglot.evaluation.leakage import Leakage


def results_and_leakage(out: Path, evaluation: Evaluation, options: JudgingOptions) -> "tuple[list[Result], Leakage]":
    """Write table.md, report.html and leakage.json of a folder of results; return all its results and the leakage."""
    leakage = evaluation.overlap.leakage(evaluation.model.name, evaluation.task_sets, evaluation.plan)
    results, (merged,) = write_tables(
        out,
        [leakage],
        [evaluation.job.model],
        title=f"{evaluation.model.name}: evaluation",
        leave_out=options.leave_out,
    )
    return results, merged


def write_tables(
    out: Path,
    leakages: "Sequence[Leakage]",
    models: Sequence[str],
    *,
    title: str,
    leave_out: Sequence[str],
    reference: str | None = None,
) -> "tuple[list[Result], list[Leakage]]":
    """Write the files; report.html is the page of `metaglot report` on the folder and on the models that are runs.

    Return the results of the folder, and the leakage of each model.
    """
    from metaglot.data.cache import write_whole
    from metaglot.evaluation import read_results
    from metaglot.report import gather, markdown, write_report
    from metaglot.report.leakage_tables import leakage_grids
    from metaglot.report.report_data import is_run
    from metaglot.report.table import markdown_grid

    results = read_results(out / "results.jsonl")
    leakages = merge_leakages(out, leakages, results)
    parts = [markdown(results, leave_out=leave_out, reference=reference)]
    parts += [markdown_grid(grid) for leakage in leakages for grid in leakage_grids(leakage)]
    parts += [f"**Leakage** {unknown_leakage(leakage)}.\n" for leakage in leakages if not leakage.known]
    parts += [f"**Not judged.** {reason}.\n" for reason in refusal_reasons(out)]
    write_whole(out / "table.md", "\n".join(parts))
    write_whole(out / "environment.json", json.dumps(environment(), indent=1) + "\n")
    folders = [out, *(Path(model) for model in models if is_run(model))]
    write_report(out / "report.html", gather(folders, title=title, leave_out=leave_out))
    return results, leakages


def refusal_reasons(out: Path) -> list[str]:
    """Return the reasons why methods were not judged on some kinds of tasks, from the settings of a folder."""
    from metaglot.data.environment import SETTINGS, read_settings
    from metaglot.evaluation.store import NOT_JUDGED

    settings = read_settings(out / SETTINGS) if (out / SETTINGS).is_file() else {}
    return [str(reason) for name, reason in settings.items() if name.startswith(NOT_JUDGED)]


def unknown_leakage(leakage: "Leakage") -> str:
    """Return the sentence on a model whose training texts are not known."""
    return f"unknown: {leakage.model} names no training text"


def merge_leakages(out: Path, leakages: "Sequence[Leakage]", results: "Sequence[Result]") -> "list[Leakage]":
    """Write leakage.json and return its content, which includes earlier calls on other tasks and models."""
    from metaglot.evaluation.leakage import merge_leakage, read_leakages, write_leakage

    earlier = {leakage.model: leakage for leakage in read_leakages(out)}
    tasks, models = {result.task for result in results}, {result.model for result in results}
    merged = [merge_leakage(leakage, earlier.pop(leakage.model, None), tasks) for leakage in leakages]
    merged += [leakage for name, leakage in earlier.items() if name in models]
    write_leakage(out, *merged)
    return merged


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
    """Return a row of results in which each score is also a field of the row, for scripts."""
    return row | {name: score for name, score in row.get("metrics", {}).items() if name not in row}
