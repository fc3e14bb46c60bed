"""The data of a report, which is read from result directories and run directories."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from metaglot.data.environment import ENVIRONMENT, SETTINGS, read_settings, read_versions
from metaglot.data.rawfiles import is_there, read_bytes
from metaglot.data.runfile import RUN, read_described
from metaglot.data.yamltext import parse_yaml
from metaglot.errors import MetaglotError
from metaglot.evaluation.leakage import Leakage, read_leakages
from metaglot.evaluation.protocol import Cell
from metaglot.evaluation.result import Result
from metaglot.evaluation.store import REFERENCE, RESULTS, read_results
from metaglot.metric import ACCURACY, Metric
from metaglot.report.rates import AlgorithmParameter, read_parameters
from metaglot.training.run import read_metrics

METRICS, CHECKPOINTS = "metrics.jsonl", "checkpoints"

Record = Mapping[str, object]


@dataclass(frozen=True)
class ReportData:
    """The data of a report; the page leaves out the parts that are empty."""

    title: str
    results: Sequence[Result] = ()
    curves: Mapping[str, Sequence[Record]] = field(default_factory=dict)  # by run
    parameters: Mapping[str, Sequence[AlgorithmParameter]] = field(default_factory=dict)  # by run
    leakage: Sequence[Leakage] = ()
    facts: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # heading -> facts
    leave_out: Sequence[str] = ()
    primary_metrics: Mapping[str, Metric] = field(default_factory=dict)  # on validation tasks, by run; else accuracy
    reference: str | None = None  # the method that is compared with all others; None: the first of ours

    def curves_by_metric(self) -> dict[Metric, dict[str, Sequence[Record]]]:
        """Return the records of the runs, by the primary metric on their validation tasks."""
        curves: dict[Metric, dict[str, Sequence[Record]]] = {}
        for run, records in self.curves.items():
            curves.setdefault(self.primary_metrics.get(run, ACCURACY), {})[run] = records
        return curves


def gather(folders: Sequence[str | Path], *, title: str = "", leave_out: Sequence[str] = ()) -> ReportData:
    """Return the data of run directories and result directories.

    Several result directories can be merged if the settings that they share are equal (seed, queries, versions of
    tasks, settings of methods) and if a cell that was judged twice has the same score.  Raises MetaglotError if they
    differ, for a folder that is neither, and for files that cannot be read.
    """
    paths = [Path(folder) for folder in folders]
    kinds = {path: (_holds_results(path), _holds_run(path)) for path in paths}
    if not paths:
        raise MetaglotError("A report needs a run directory or a folder of results, and none was given.")
    for path, kind in kinds.items():
        if not any(kind):
            raise MetaglotError(_wrong_folder_message(path))
    result_folders = [path for path in paths if kinds[path][0]]
    runs = {_name(path, paths): path for path in paths if kinds[path][1]}
    settings = _merge_settings(result_folders)
    facts: dict[str, Mapping[str, object]] = {}
    for name, path in runs.items():
        facts[f"Configuration of {name}"] = _read(path / "config.yaml", _read_recipe)
        facts[f"Data and model of {name}"] = _read(path / RUN, _read_description)
        facts[f"Versions of {name}"] = _read(path / ENVIRONMENT, read_versions)
    for path in result_folders:
        if not kinds[path][1]:
            facts[f"Versions of {_name(path, paths)}"] = _read(path / ENVIRONMENT, read_versions)
    facts["Settings of the evaluation, with hashes of its tasks"] = settings
    return ReportData(
        title or _title(result_folders, list(runs)),
        merge_results([read_results(path / RESULTS) for path in result_folders], result_folders),
        {name: read_metrics(path / METRICS) for name, path in runs.items()},
        {name: read_parameters(path) for name, path in runs.items()},
        [leakage for path in result_folders for leakage in read_leakages(path)],
        {name: values for name, values in facts.items() if values},
        leave_out,
        {name: _primary_metric(path / RUN) for name, path in runs.items()},
        str(settings[REFERENCE]) if settings.get(REFERENCE) else None,
    )


def merge_results(parts: Sequence[Sequence[Result]], folders: Sequence[Path]) -> list[Result]:
    """Return the results of several folders in one list; a cell of several folders occurs once.

    Raises MetaglotError if such a cell has different scores.
    """
    results_by_cell: dict[Cell, tuple[Result, Path]] = {}
    for results, folder in zip(parts, folders, strict=True):
        for result in results:
            first_result, first_folder = results_by_cell.setdefault(result.cell, (result, folder))
            if (first_result.metric, first_result.score) != (result.metric, result.score):
                raise MetaglotError(
                    f"{first_folder} and {folder} cannot be reported as one: {result.method} on {result.task}, "
                    f"{result.shot} shots, draw {result.draw}, has {first_result.metric.words} "
                    f"{first_result.score:.4f} in one and {_other_metric(result, first_result)}{result.score:.4f} in "
                    "the other. Make a separate report of each."
                )
    return [result for result, _ in results_by_cell.values()]


def _other_metric(result: Result, first_result: Result) -> str:
    return "" if result.metric == first_result.metric else f"{result.metric.axis} "


def is_run(folder: str | Path) -> bool:
    """Return whether a folder is a run of meta-training."""
    return _holds_run(Path(folder))


def _holds_run(path: Path) -> bool:
    return (path / METRICS).is_file() or (path / CHECKPOINTS).is_dir()


def _holds_results(path: Path) -> bool:
    return (path / RESULTS).is_file()


def _wrong_folder_message(path: Path) -> str:
    if not path.is_dir():
        return f"{path}: no such folder. Name a run directory of `metaglot pretrain`, or one of `metaglot evaluate`."
    result_subfolders = sorted(str(one) for one in path.iterdir() if one.is_dir() and _holds_results(one))
    if result_subfolders:
        names = " ".join(result_subfolders)
        return f"{path}: holds no results itself, but its folders do. Report them: metaglot report {names}"
    return (
        f"{path}: neither a run directory ({METRICS}, {CHECKPOINTS}/) nor a folder of results ({RESULTS}). "
        "`metaglot pretrain` writes the one, `metaglot evaluate` the other."
    )


def _merge_settings(folders: Sequence[Path]) -> dict[str, object]:
    values: dict[str, tuple[object, Path]] = {}
    for folder in folders:
        settings = _read(folder / SETTINGS, read_settings)
        if not settings and len(folders) > 1:
            raise MetaglotError(
                f"{folder}: has no {SETTINGS}, so it is unknown whether its results can be compared with others. "
                "Make a separate report of it, or evaluate again."
            )
        for name, value in settings.items():
            first_value, first_folder = values.setdefault(name, (value, folder))
            if first_value != value:
                raise MetaglotError(
                    f"{first_folder} and {folder} cannot be reported as one: they were made with another {name}: "
                    f"{json.dumps(first_value)} and {json.dumps(value)}. Make a separate report of each, "
                    "or evaluate again."
                )
    return {name: value for name, (value, _) in values.items()}


def _read(file: Path, read: Callable[[Path], dict[str, object]]) -> dict[str, object]:
    """Return the names and values of a file; none if there is no file."""
    return read(file) if is_there(file) else {}


def _read_description(file: Path) -> dict[str, object]:
    return read_described(file)[1]


def _primary_metric(file: Path) -> Metric:
    """Return the primary metric on the validation tasks of a run."""
    return read_described(file)[0].measures[0] if is_there(file) else ACCURACY


def _read_recipe(file: Path) -> dict[str, object]:
    try:
        recipe: object = parse_yaml(read_bytes(file).decode("utf-8"), str(file))
    except (ValueError, MetaglotError) as error:
        raise MetaglotError(f"{file}: cannot be read ({error}). Put the file back, or remove it.") from error
    if not isinstance(recipe, dict):
        raise MetaglotError(f"{file}: expected names with values, and got {type(recipe).__name__}.")
    return cast("dict[str, object]", recipe)


def _name(path: Path, paths: Sequence[Path]) -> str:
    """Return the name of a folder; with the name of its parent if two folders have the same name."""
    names = [other.resolve().name for other in paths]
    own = path.resolve()
    return own.name if names.count(own.name) == 1 else f"{own.parent.name}/{own.name}"


def _title(result_folders: Sequence[Path], runs: Sequence[str]) -> str:
    if not result_folders:
        return f"{', '.join(runs)}: meta-training"
    names = runs or [path.resolve().name for path in result_folders]
    return f"{', '.join(names)}: evaluation"
