"""A benchmark over groups of tasks: every method on every group, what ours gains, and what each costs."""

from collections.abc import Mapping, Sequence
from statistics import fmean, median

from metaglot.errors import MetaglotError
from metaglot.evaluation.result import Result
from metaglot.evaluation.statistics import differences, macro_interval
from metaglot.method_names import FROZEN
from metaglot.report.comparison import BETTER
from metaglot.report.grids import Grid, Text, percent, points, tone
from metaglot.report.summary import at_shot, better_frozen, macro, methods_of, scores, shots_of, tasks_of

Groups = Mapping[str, Sequence[Result]]


def benchmark(groups: Groups, ours: str) -> list[Grid]:
    """Return the tables: accuracy, gains of `ours`, cost and calibration."""
    everything = [result for results in groups.values() for result in results]
    return [accuracy(groups), gains(groups, ours), costs(everything)]


def accuracy(groups: Groups) -> Grid:
    """Return the macro mean of each method, in a column for each group and number of shots."""
    places = _places(groups)
    table = {m: [macro(groups[group], shot, m) for group, shot in places] for m in _methods(groups)}
    best = [max((i.mean for i in column if i), default=None) for column in zip(*table.values(), strict=True)]
    rows = tuple(
        (
            Text(method),
            *(Text(percent(i), "best" if i and i.mean == top else "") for i, top in zip(row, best, strict=True)),
        )
        for method, row in table.items()
    )
    sizes = ", ".join(f"{name}: {len(tasks_of(results))} tasks" for name, results in groups.items())
    note = (
        f"Accuracy in %, mean over the tasks of a group ± half of its 95 % interval over draws ({sizes}); the "
        "same draws and queries for every method. – where a method was not judged on every task."
    )
    return Grid("Accuracy", note, ("method", *_columns(places)), rows, keys=1)


def gains(groups: Groups, ours: str) -> Grid:
    """Return `ours` minus each other method on the tasks and draws that both have."""
    places = _places(groups)
    rows: list[tuple[Text, ...]] = []
    others = [method for method in _methods(groups) if method != ours]
    if len([arm for arm in FROZEN if arm in others]) > 1:
        rows.append((Text(BETTER), *(_frozen(groups[group], shot, ours) for group, shot in places)))
    rows += [(Text(m), *(_gain(groups[group], shot, ours, m) for group, shot in places)) for m in others]
    note = (
        f"{ours} minus the other, in points, macro mean over the tasks that both were judged on ± half of its 95 % "
        "interval over draws (paired); in brackets the number of tasks where they are not all. The better frozen arm "
        "is chosen at each number of shots by these results, in its own favour."
    )
    return Grid(f"What {ours} gains", note, ("over", *_columns(places)), tuple(rows), keys=1)


def costs(results: Sequence[Result]) -> Grid:
    """Return CPU seconds, memory, macro F1 and calibration error of each method, by shots."""
    of = len(tasks_of(results))
    rows = [
        (
            Text(method),
            Text(str(shot)),
            *map(Text, _cost([r for r in at_shot(results, shot) if r.method == method], of)),
        )
        for method in methods_of(results)
        for shot in shots_of(results)
        if any(r.method == method for r in at_shot(results, shot))
    ]
    note = (
        "Medians of a fit, of the tasks that a method was judged on (in brackets how many where not all, so that the "
        "row does not compare with others): CPU seconds after the model is loaded; the most memory that the process "
        "held, with Python, libraries and model. Means: macro F1 in %, expected calibration error in % (15 bins)."
    )
    return Grid("Cost, F1, calibration", note, ("method", "shots", "CPU-s", "MB", "macro F1", "ECE"), tuple(rows))


def _cost(results: Sequence[Result], of: int) -> tuple[str, str, str, str]:
    tasks = len(tasks_of(results))
    part = f" ({tasks})" if tasks < of else ""
    seconds = median(r.cpu_seconds for r in results)
    held = [r.peak_mb for r in results if r.peak_mb is not None]
    f1, ece = (100 * fmean(r.metrics[name] for r in results) for name in ("macro_f1", "ece"))
    return (
        f"{seconds:.2f}" if seconds < 10 else f"{seconds:.0f}",
        f"{median(held):.0f}" if held else "–",
        f"{f1:.1f}{part}",
        f"{ece:.1f}{part}",
    )


def _frozen(results: Sequence[Result], shot: int, ours: str) -> Text:
    arm = better_frozen(results, shot)
    return Text("–") if arm is None else _gain(results, shot, ours, arm)


def _gain(results: Sequence[Result], shot: int, ours: str, other: str) -> Text:
    try:
        found = differences(scores(results, ours, shot), scores(results, other, shot))
        interval = macro_interval(found)
    except MetaglotError:
        return Text("–")
    tasks, of = len({task for task, _, _ in found}), len(tasks_of(results))
    return Text(points(interval) + (f" ({tasks})" if tasks < of else ""), tone(interval))


def _places(groups: Groups) -> list[tuple[str, int]]:
    return [(group, shot) for group, results in groups.items() for shot in shots_of(results)]


def _columns(places: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{group}, {shot}" for group, shot in places]


def _methods(groups: Groups) -> list[str]:
    return list(dict.fromkeys(method for results in groups.values() for method in methods_of(results)))
