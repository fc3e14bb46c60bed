"""What a report is made from: result directories and run directories, read and put together."""

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
from metaglot.report.rates import Learnt, read_learnt
from metaglot.training.run import read_metrics

METRICS, CHECKPOINTS = "metrics.jsonl", "checkpoints"

Record = Mapping[str, object]


@dataclass(frozen=True)
class ReportData:
    """The facts of a report; whatever is missing is left out of the page."""

    title: str
    results: Sequence[Result] = ()
    curves: Mapping[str, Sequence[Record]] = field(default_factory=dict)  # by run
    learnt: Mapping[str, Sequence[Learnt]] = field(default_factory=dict)  # by run
    leakage: Sequence[Leakage] = ()
    about: Mapping[str, Mapping[str, object]] = field(default_factory=dict)  # heading -> facts
    leave_out: Sequence[str] = ()
    primary: Mapping[str, Metric] = field(default_factory=dict)  # of the validation tasks, by run; accuracy if absent
    reference: str | None = None  # the method that is compared with all others; the first of ours if absent

    def curves_by_metric(self) -> dict[Metric, dict[str, Sequence[Record]]]:
        """Return the records of the runs by the primary metric of their validation tasks."""
        found: dict[Metric, dict[str, Sequence[Record]]] = {}
        for run, records in self.curves.items():
            found.setdefault(self.primary.get(run, ACCURACY), {})[run] = records
        return found


def gather(folders: Sequence[str | Path], *, title: str = "", leave_out: Sequence[str] = ()) -> ReportData:
    """Return what run directories and result directories hold, in one.

    Several result directories become one if no setting that both record differs (seed, queries, versions of tasks,
    settings of methods) and no cell was judged twice with another outcome.  Raises MetaglotError where they differ,
    for a folder that is neither, and for files that cannot be read.
    """
    paths = [Path(folder) for folder in folders]
    kinds = {path: (_holds_results(path), _holds_run(path)) for path in paths}
    if not paths:
        raise MetaglotError("A report needs a run directory or a folder of results, and none was given.")
    for path, kind in kinds.items():
        if not any(kind):
            raise MetaglotError(_neither(path))
    judged = [path for path in paths if kinds[path][0]]
    runs = {_name(path, paths): path for path in paths if kinds[path][1]}
    settings = _merged_settings(judged)
    about: dict[str, Mapping[str, object]] = {}
    for name, path in runs.items():
        about[f"Configuration of {name}"] = _read(path / "config.yaml", _recipe)
        about[f"Data and model of {name}"] = _read(path / RUN, _described)
        about[f"Versions of {name}"] = _read(path / ENVIRONMENT, read_versions)
    for path in judged:
        if not kinds[path][1]:
            about[f"Versions of {_name(path, paths)}"] = _read(path / ENVIRONMENT, read_versions)
    about["Settings of the evaluation, with hashes of its tasks"] = settings
    return ReportData(
        title or _title(judged, list(runs)),
        merged([read_results(path / RESULTS) for path in judged], judged),
        {name: read_metrics(path / METRICS) for name, path in runs.items()},
        {name: read_learnt(path) for name, path in runs.items()},
        [found for path in judged for found in read_leakages(path)],
        {name: facts for name, facts in about.items() if facts},
        leave_out,
        {name: _primary(path / RUN) for name, path in runs.items()},
        str(settings[REFERENCE]) if settings.get(REFERENCE) else None,
    )


def merged(parts: Sequence[Sequence[Result]], folders: Sequence[Path]) -> list[Result]:
    """Return the results of several folders in one list, a cell that several hold but once.

    Raises MetaglotError when they hold it with another score.
    """
    whole: dict[Cell, tuple[Result, Path]] = {}
    for results, folder in zip(parts, folders, strict=True):
        for result in results:
            before, where = whole.setdefault(result.cell, (result, folder))
            if (before.metric, before.score) != (result.metric, result.score):
                raise MetaglotError(
                    f"{where} and {folder} cannot be reported as one: {result.method} on {result.task}, {result.shot} "
                    f"shots, draw {result.draw}, has {before.metric.words} {before.score:.4f} in one and "
                    f"{_named(result, before)}{result.score:.4f} in the other. Report them apart."
                )
    return [result for result, _ in whole.values()]


def _named(result: Result, before: Result) -> str:
    return "" if result.metric == before.metric else f"{result.metric.axis} "


def is_run(folder: str | Path) -> bool:
    """Return whether a folder holds a run of meta-training."""
    return _holds_run(Path(folder))


def _holds_run(path: Path) -> bool:
    return (path / METRICS).is_file() or (path / CHECKPOINTS).is_dir()


def _holds_results(path: Path) -> bool:
    return (path / RESULTS).is_file()


def _neither(path: Path) -> str:
    if not path.is_dir():
        return f"{path}: no such folder. Name a run directory of `metaglot pretrain`, or one of `metaglot evaluate`."
    inside = sorted(str(one) for one in path.iterdir() if one.is_dir() and _holds_results(one))
    if inside:
        return f"{path}: holds no results itself, but its folders do. Report them: metaglot report {' '.join(inside)}"
    return (
        f"{path}: neither a run directory ({METRICS}, {CHECKPOINTS}/) nor a folder of results ({RESULTS}). "
        "`metaglot pretrain` writes the one, `metaglot evaluate` the other."
    )


def _merged_settings(folders: Sequence[Path]) -> dict[str, object]:
    whole: dict[str, tuple[object, Path]] = {}
    for folder in folders:
        found = _read(folder / SETTINGS, read_settings)
        if not found and len(folders) > 1:
            raise MetaglotError(
                f"{folder}: has no {SETTINGS}, so whether its results may stand beside others is unknown. "
                "Report it alone, or evaluate again."
            )
        for name, value in found.items():
            before, where = whole.setdefault(name, (value, folder))
            if before != value:
                raise MetaglotError(
                    f"{where} and {folder} cannot be reported as one: they were made with another {name}: "
                    f"{json.dumps(before)} and {json.dumps(value)}. Report them apart, or evaluate again alike."
                )
    return {name: value for name, (value, _) in whole.items()}


def _read(file: Path, read: Callable[[Path], dict[str, object]]) -> dict[str, object]:
    """Return the names and values in a file; none without the file."""
    return read(file) if is_there(file) else {}


def _described(file: Path) -> dict[str, object]:
    return read_described(file)[1]


def _primary(file: Path) -> Metric:
    """Return the primary metric of a run's validation tasks."""
    return read_described(file)[0].measures[0] if is_there(file) else ACCURACY


def _recipe(file: Path) -> dict[str, object]:
    try:
        found: object = parse_yaml(read_bytes(file).decode("utf-8"), str(file))
    except (ValueError, MetaglotError) as error:
        raise MetaglotError(f"{file}: cannot be read ({error}). Put the file back, or remove it.") from error
    if not isinstance(found, dict):
        raise MetaglotError(f"{file}: expected names with values, and got {type(found).__name__}.")
    return cast("dict[str, object]", found)


def _name(path: Path, among: Sequence[Path]) -> str:
    """Return a folder's name, with its parent's where two are called the same."""
    names = [other.resolve().name for other in among]
    own = path.resolve()
    return own.name if names.count(own.name) == 1 else f"{own.parent.name}/{own.name}"


def _title(judged: Sequence[Path], runs: Sequence[str]) -> str:
    if not judged:
        return f"{', '.join(runs)}: meta-training"
    named = runs or [path.resolve().name for path in judged]
    return f"{', '.join(named)}: evaluation"
