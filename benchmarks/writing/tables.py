"""Tables and pictures of rows {domain, draw, method, steps, a number for each metric}."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from benchmarks.writing.crossed import crossed_interval
from metaglot.evaluation.statistics import t_interval
from metaglot.report.drawing import Series, line_chart

Row = Mapping[str, Any]
Cell = tuple[str, int]  # method and steps
Text = tuple[str, int, int]  # domain, draw and number of the text
LOWER = ("loss",)
EACH = "rouge1"  # the metric that rows may have for each text, as `each`


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Return the rows of a file, none if it is not there."""
    if not file.exists():
        return []
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()]


def append(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write more rows of results."""
    text = "".join(json.dumps(row) + "\n" for row in rows)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("a", encoding="utf-8") as out:
        out.write(text)
    print(f"{len(rows)} rows more in {file}", flush=True)


def by_place(rows: Sequence[Row], cell: Cell, metric: str) -> dict[tuple[str, int], float]:
    """Return the metric of a method by domain and draw, where it has one."""
    own = [row for row in rows if (row["method"], row["steps"]) == cell and metric in row]
    return {(row["domain"], row["draw"]): float(row[metric]) for row in own}


def cells_of(rows: Sequence[Row]) -> list[Cell]:
    """Return methods with their steps, in the order in which they first come."""
    return list(dict.fromkeys((row["method"], row["steps"]) for row in rows))


def by_text(rows: Sequence[Row], cell: Cell, metric: str) -> dict[Text, float]:
    """Return the metric by domain, draw and number of the text, or of all texts where rows have none of each."""
    own = [row for row in rows if (row["method"], row["steps"]) == cell and metric in row]
    found: dict[Text, float] = {}
    for row in own:
        each = row["each"] if metric == EACH and "each" in row else [row[metric]]
        found |= {(row["domain"], row["draw"], n): float(value) for n, value in enumerate(each)}
    return found


def gain(rows: Sequence[Row], cell: Cell, other: Cell, metric: str) -> tuple[float, float] | None:
    """Return the mean gain over another cell in the same places and half of its 95 % interval; None without both.

    The interval is over texts and draws where rows have the metric of each text, and else over the means of domains.
    """
    tables = _differences(by_text(rows, cell, metric), by_text(rows, other, metric))
    if sum(map(len, tables)) < 2:
        return None
    if all(len(one) > 1 for one in tables):
        return crossed_interval(tables)
    interval = t_interval([float(one.mean()) for one in tables])
    return interval.mean, (interval.high - interval.low) / 2


def _differences(own: Mapping[Text, float], its: Mapping[Text, float]) -> list[np.ndarray]:  # [texts, draws] each
    """Return the differences of each domain, of the draws that both have in all their domains."""
    both = own.keys() & its.keys()
    domains = {domain: {(k, n) for other, k, n in both if other == domain} for domain, _, _ in sorted(both)}
    draws = [{k for k, _ in places} for places in domains.values()]
    common = sorted(set[int].intersection(*draws)) if draws else []
    return [
        np.array([[own[domain, k, n] - its[domain, k, n] for k in common] for n in sorted({n for _, n in places})])
        for domain, places in domains.items()
        if common
    ]


def table_of(rows: Sequence[Row], metrics: Sequence[str], *, beside: Cell, over: Sequence[str]) -> Iterator[str]:
    """Yield a table: the mean of each metric, and the gains of those in `over` over the cell `beside`."""
    gains = " | ".join(f"{metric} over {beside[0]}" for metric in over)
    yield f"| method | steps | CPU-s | {' | '.join(metrics)} | {gains} |"
    yield f"|---|---:|---:|{'---:|' * (len(metrics) + len(over))}"
    for cell in cells_of(rows):
        means = [list(by_place(rows, cell, metric).values()) for metric in metrics]
        if not any(means):
            continue
        seconds = list(by_place(rows, cell, "cpu").values())
        shown = [_shown(fmean(one), metric) if one else "" for one, metric in zip(means, metrics, strict=True)]
        shown += ["" if cell == beside else _gain(gain(rows, cell, beside, metric), metric) for metric in over]
        cost = f"{fmean(seconds):.1f}" if seconds else ""
        yield f"| {cell[0]} | {cell[1]} | {cost} | {' | '.join(shown)} |"


def pictures(out: Path, rows: Sequence[Row], metrics: Sequence[str], *, title: str, stem: str) -> None:
    """Write a picture for each metric: its mean over the steps of an adaptation, a line for each start.

    Plain LoRA begins as the model without examples; metrics that no method has over steps have no picture.
    """
    rows = [*rows, *({**row, "method": "lora"} for row in rows if row["method"] == "zero-shot")]
    methods = [name for name in dict.fromkeys(row["method"] for row in rows) if _steps(rows, name, metrics[0])]
    for metric in metrics:
        lines: list[Series] = []
        for style, name in enumerate(methods):
            if not (at := _steps(rows, name, metric)):
                continue
            means = [fmean(by_place(rows, (name, steps), metric).values()) for steps in at]
            lines.append(Series(name, [float(steps) for steps in at], means, style=style))
        picture = line_chart(lines, title=f"{title}: {metric}", x="steps of the adaptation")
        if picture:
            (out / f"{stem}-{metric}.svg").write_text(picture, "utf-8")


def _steps(rows: Sequence[Row], method: str, metric: str) -> list[int]:
    found = sorted({row["steps"] for row in rows if row["method"] == method and metric in row})
    return found if len(found) > 1 else []


def _gain(found: tuple[float, float] | None, metric: str) -> str:
    return "" if found is None else f"{_shown(found[0], metric, sign='+')} ± {_shown(found[1], metric)}"


def _shown(value: float, metric: str, *, sign: str = "") -> str:
    scaled = value if metric in LOWER else 100 * value
    return f"{scaled:{sign}.{2 if metric in LOWER else 1}f}"
