"""The groups of tasks of `metaglot bench`: a folder of labelled files each, with the evaluation of each group."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from metaglot.cli.shared.judging import Evaluation, JudgingOptions, LabelledTask, prepare
from metaglot.cli.shared.limits import parse_limits
from metaglot.cli.shared.tasks import read_tasks
from metaglot.errors import MetaglotError

if TYPE_CHECKING:
    from metaglot.evaluation import Plan
    from metaglot.evaluation.job import Job
    from metaglot.evaluation.protocol import Limit

SETFIT_SHOTS, SETFIT_DRAWS = 8, 3
FILES_GROUP = "tasks"  # the group of the files that are named one by one
MANY_CLASSES = 30  # with more classes the pairs of SetFit take hours


def group_files(paths: Sequence[Path]) -> dict[str, list[Path]]:
    """Return the files of each folder, by the name of the folder; files that are named one by one are one more group.

    Raises MetaglotError for a folder without labelled files, and for two folders of one name.
    """
    from metaglot.data.folders import is_dir
    from metaglot.data.readers import data_files, is_labelled

    groups: dict[str, list[Path]] = {}
    folders = [path.resolve().name for path in paths if is_dir(path)]
    doubles = sorted({name for name in folders if folders.count(name) > 1})
    if doubles:
        raise MetaglotError(f"two folders are called {doubles[0]!r}, and groups need distinct names; rename one")
    if FILES_GROUP in folders and len(folders) < len(paths):
        raise MetaglotError(f"a folder is called {FILES_GROUP!r}, the name of the group of single files; rename it")
    for path in paths:
        name = path.resolve().name if is_dir(path) else FILES_GROUP
        files = [file for file in data_files(path, deep=False) if is_labelled(file)] if is_dir(path) else [path]
        if not files:
            raise MetaglotError(f"{path}: no labelled file there (parquet, csv, tsv, json, jsonl)")
        groups.setdefault(name, []).extend(files)
    return groups


def read_groups(
    files: Mapping[str, Sequence[Path]],
    plan: "Plan",
    leave_out: Sequence[str],
    options: JudgingOptions,
    *,
    task: str | None = None,
    by_domain: bool = False,
) -> "dict[str, list[LabelledTask]]":
    """Return the tasks of each group; raise MetaglotError for files that cannot be read, and for impossible draws."""
    from metaglot.cli.shared.checks import check_tasks

    labelled = {
        name: read_tasks(group, None, seed=plan.seed, task=task, by_domain=by_domain) for name, group in files.items()
    }
    all_tasks = [task for group in labelled.values() for task in group]
    options.say(*check_tasks(all_tasks, plan.shots, plan.draws))
    if unknown := sorted(set(leave_out) - {name for name, *_ in all_tasks}):
        raise MetaglotError(f"--leave-out {unknown[0]}: no such task; they are named after their files")
    return labelled


def setfit_limit(labelled: "Mapping[str, Sequence[LabelledTask]]", shots: Sequence[int]) -> "Limit":
    """Return the default limit of SetFit, whose pairs grow with the square of the examples: 8 shots or the nearest."""
    from metaglot.evaluation.protocol import Limit

    large_tasks = [name for group in labelled.values() for name, _, rule, _ in group if len(rule.labels) > MANY_CLASSES]
    return Limit((min(shots, key=lambda shot: abs(shot - SETFIT_SHOTS)),), SETFIT_DRAWS, frozenset(large_tasks))


def prepare_groups(
    job: "Job",
    plan: "Plan",
    files: Mapping[str, Sequence[Path]],
    labelled: "Mapping[str, Sequence[LabelledTask]]",
    limits: Sequence[str] | None,
    options: JudgingOptions,
) -> dict[str, Evaluation]:
    """Return the evaluation of each group; the model is loaded once."""
    model = job.load()
    methods = [method.name for method in job.methods(model)]
    tasks = [name for group in labelled.values() for name, *_ in group]
    defaults = {"setfit": setfit_limit(labelled, plan.shots)}
    plan = plan._replace(limits=parse_limits(limits or (), methods, tasks, defaults=defaults, plan_shots=plan.shots))
    return {
        name: prepare(replace(job, tasks=tuple(files[name])), plan, group, options, model=model)
        for name, group in labelled.items()
    }
