"""What a run has learnt besides weights: learning rates by layer and step, and single numbers.

Parameters under `algorithm.rates.` are rates: one number for a layer, one for each step [steps], or one for each
layer and step [layers, steps].  A name with a part that begins with `log_` holds a logarithm.  A tensor with more
than 64 rows or columns, such as a rate for each weight, is shown by its mean.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from safetensors import SafetensorError, safe_open

from metaglot.errors import MetaglotError
from metaglot.evaluation.drawing import Cells, cell_chart
from metaglot.evaluation.grids import Grid, Text
from metaglot.training.checkpoint import latest

PREFIX, RATES = "algorithm.", "algorithm.rates."
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
    try:
        with safe_open(folder / "params.safetensors", framework="pt") as file:
            names = sorted((name for name in file.keys() if name.startswith(PREFIX)), key=_natural)  # noqa: SIM118
            return [_learnt(name, file.get_tensor(name)) for name in names]
    except (OSError, SafetensorError) as error:
        raise MetaglotError(
            f"{folder}: the checkpoint is damaged ({error}); remove it to use the one before"
        ) from error


def rates_chart(learnt: Sequence[Learnt], *, title: str = "Learnt rates") -> str:
    """Return the rates by layer and step as shaded cells; an empty text when there are none."""
    rows: list[tuple[str, tuple[float, ...]]] = []
    for one in (one for one in learnt if one.name.startswith(RATES)):
        name = one.name.removeprefix(RATES)
        rows += [(f"{name}[{n}]" if len(one.rows) > 1 else name, row) for n, row in enumerate(one.rows)]
    steps = max((len(row) for _, row in rows), default=0)
    whole = [(*row, *[float("nan")] * (steps - len(row))) for _, row in rows]
    columns = [str(step + 1) for step in range(steps)] if steps > 1 else ["every step"] * steps
    return cell_chart(Cells([name for name, _ in rows], whole, columns), title=title, x="inner step")


def learnt_grid(runs: Mapping[str, Sequence[Learnt]]) -> Grid:
    """Return the learnt numbers of each run as a table; those of more than one value by mean and range."""
    found = [(run, one) for run, learnt in runs.items() for one in learnt]
    rows = tuple((Text(run), Text(one.name.removeprefix(PREFIX)), *_said(one)) for run, one in found[:LISTED])
    more = f" The first {LISTED} of {len(found)}." if len(found) > LISTED else ""
    note = f"What the algorithm has learnt beside the weights, at the newest checkpoint; logarithms are undone.{more}"
    return Grid("Learnt numbers", note, ("run", "name", "shape", "mean", "range"), rows)


def _natural(name: str) -> list[tuple[int, str]]:
    """Return a key that puts layer 2 before layer 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _learnt(name: str, tensor: object) -> Learnt:
    import torch

    assert isinstance(tensor, torch.Tensor)
    logarithm = any(part.startswith("log_") for part in name.split("."))
    values = tensor.double().exp() if logarithm else tensor.double()
    flat = values.reshape(1, -1) if values.ndim < 2 else values.reshape(len(values), -1)
    if max(flat.shape) > MOST:
        flat = flat.mean().reshape(1, 1)
    rows = tuple(tuple(float(v) for v in row) for row in flat)
    return Learnt(name, tuple(tensor.shape), rows, logarithm)


def _said(one: Learnt) -> tuple[Text, ...]:
    values = [value for row in one.rows for value in row]
    shape = " × ".join(map(str, one.shape)) or "one number"
    span = f"{min(values):.4g} … {max(values):.4g}" if len(values) > 1 else "–"
    return Text(shape), Text(f"{sum(values) / len(values):.4g}"), Text(span)
