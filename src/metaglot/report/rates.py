"""What a run has learnt besides weights: learning rates by layer and step, and single numbers.

Parameters under `algorithm.rule.rate.` are rates: one number for a layer, or one for each step [steps].  A rate for
each weight (Meta-SGD), and any tensor with more than 64 rows or columns, is shown by its mean; those of one layer by
the mean of these.  A name with a part that begins with `log_` holds a logarithm.
"""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from metaglot.data.weightfiles import check_entries
from metaglot.errors import MetaglotError
from metaglot.inner.layer_rates import layer_of
from metaglot.inner.rule import RATE
from metaglot.report.drawing import Cells, cell_chart
from metaglot.report.grids import Grid, Text
from metaglot.training.checkpoint import latest

PREFIX = "algorithm."
MOST = 64  # rows or columns that are shown one by one
LISTED = 40  # single numbers in the table


class Learnt(NamedTuple):
    """A parameter of the algorithm, as rows by steps."""

    name: str
    shape: tuple[int, ...]
    rows: tuple[tuple[float, ...], ...]  # logarithms undone; one mean for what is too large to show
    logarithm: bool


def read_learnt(run: Path) -> list[Learnt]:
    """Return the algorithm's parameters of the newest checkpoint; none without a checkpoint.

    Raises MetaglotError when the checkpoint is damaged.
    """
    folder = latest(run)
    if folder is None:
        return []
    check_entries(folder)
    try:
        with safe_open(folder / "params.safetensors", framework="pt") as file:
            every = set(file.keys())
            names = sorted((name for name in every if name.startswith(PREFIX)), key=_natural)
            return [_learnt(n, file.get_tensor(n), each=n.removeprefix(RATE) in every) for n in names]
    except (OSError, SafetensorError) as error:
        raise MetaglotError(
            f"{folder}: the checkpoint is damaged ({error}); remove it to use the one before"
        ) from error


def rates_chart(learnt: Sequence[Learnt], *, title: str = "Learnt rates") -> str:
    """Return the rates by layer and step as shaded cells; an empty text when there are none."""
    layers: dict[str, list[Sequence[float]]] = defaultdict(list)
    for one in (one for one in learnt if one.name.startswith(RATE)):
        name = one.name.removeprefix(RATE)
        layer = layer_of(name) if name.startswith(("body.", "lora.")) else name
        for number, row in enumerate(one.rows):
            layers[f"{layer}[{number}]" if len(one.rows) > 1 else layer].append(row)
    steps = max((len(row) for rows in layers.values() for row in rows), default=0)
    whole = [[_mean_at(rows, step) for step in range(steps)] for rows in layers.values()]
    columns = [str(step + 1) for step in range(steps)] if steps > 1 else ["every step"] * steps
    return cell_chart(Cells(list(layers), whole, columns), title=title, x="inner step")


def learnt_grid(runs: Mapping[str, Sequence[Learnt]]) -> Grid:
    """Return the learnt numbers of each run as a table; those of more than one value by mean and range."""
    found = [(run, one) for run, learnt in runs.items() for one in learnt]
    rows = tuple((Text(run), Text(one.name.removeprefix(PREFIX)), *_said(one)) for run, one in found[:LISTED])
    more = f" The first {LISTED} of {len(found)}." if len(found) > LISTED else ""
    note = f"What the algorithm has learnt beside the weights, at the newest checkpoint; logarithms are undone.{more}"
    return Grid("Learnt numbers", note, ("run", "name", "shape", "mean", "range"), rows)


def _mean_at(rows: Sequence[Sequence[float]], step: int) -> float:
    """Return the mean of the rows that have this step; NaN where none has."""
    known = [row[step] for row in rows if step < len(row)]
    return sum(known) / len(known) if known else float("nan")


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that puts layer 2 before layer 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _learnt(name: str, tensor: object, *, each: bool) -> Learnt:
    """Return a parameter; with `each` it has a number for each weight, and only their mean is kept."""
    import torch

    assert isinstance(tensor, torch.Tensor)
    logarithm = any(part.startswith("log_") for part in name.split("."))
    values = tensor.double().exp() if logarithm else tensor.double()
    flat = values.reshape(1, -1) if values.ndim < 2 else values.reshape(len(values), -1)
    if each or max(flat.shape) > MOST:
        flat = flat.mean().reshape(1, 1)
    rows = tuple(tuple(float(v) for v in row) for row in flat)
    return Learnt(name, tuple(tensor.shape), rows, logarithm)


def _said(one: Learnt) -> tuple[Text, ...]:
    values = [value for row in one.rows for value in row]
    shape = " × ".join(map(str, one.shape)) or "one number"
    span = f"{min(values):.4g} … {max(values):.4g}" if len(values) > 1 else "–"
    return Text(shape), Text(f"{sum(values) / len(values):.4g}"), Text(span)
