"""The parameters of the algorithm of a run: learning rates by layer and step, and single numbers.

Parameters under `algorithm.rule.rate.` are rates: one number for a layer, or one for each step [steps].  A rate for
each weight (Meta-SGD), and any tensor with more than 64 rows or columns, is replaced by its mean; the chart shows the
mean over a layer.  If a part of the name begins with `log_`, the parameter is a logarithm.
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
MAX_SIZE = 64  # rows or columns of a parameter; a larger one is replaced by its mean
MAX_ROWS = 40  # of the table


class AlgorithmParameter(NamedTuple):
    """A parameter of the algorithm; rows by steps."""

    name: str
    shape: tuple[int, ...]
    rows: tuple[tuple[float, ...], ...]  # the values, not their logarithms; one mean for a large parameter
    logarithm: bool


def read_parameters(run: Path) -> list[AlgorithmParameter]:
    """Return the parameters of the algorithm in the newest checkpoint; none without a checkpoint.

    Raises MetaglotError when the checkpoint is damaged.
    """
    folder = latest(run)
    if folder is None:
        return []
    check_entries(folder)
    try:
        with safe_open(folder / "params.safetensors", framework="pt") as file:
            keys = set(file.keys())
            names = sorted((name for name in keys if name.startswith(PREFIX)), key=_number_key)
            return [_parameter(n, file.get_tensor(n), is_per_weight=n.removeprefix(RATE) in keys) for n in names]
    except (OSError, SafetensorError) as error:
        raise MetaglotError(
            f"{folder}: the checkpoint is damaged ({error}); remove it to use the one before"
        ) from error


def rates_chart(parameters: Sequence[AlgorithmParameter], *, title: str = "Learnt rates") -> str:
    """Return the rates by layer and step as shaded cells; an empty text if there are none."""
    layers: dict[str, list[Sequence[float]]] = defaultdict(list)
    for parameter in (parameter for parameter in parameters if parameter.name.startswith(RATE)):
        name = parameter.name.removeprefix(RATE)
        layer = layer_of(name) if name.startswith(("body.", "lora.")) else name
        for number, row in enumerate(parameter.rows):
            layers[f"{layer}[{number}]" if len(parameter.rows) > 1 else layer].append(row)
    steps = max((len(row) for rows in layers.values() for row in rows), default=0)
    means = [[_mean_at(rows, step) for step in range(steps)] for rows in layers.values()]
    columns = [str(step + 1) for step in range(steps)] if steps > 1 else ["every step"] * steps
    return cell_chart(Cells(list(layers), means, columns), title=title, x="inner step")


def parameter_grid(runs: Mapping[str, Sequence[AlgorithmParameter]]) -> Grid:
    """Return the table of the parameters of each run; a parameter of several values has a mean and a range."""
    entries = [(run, parameter) for run, parameters in runs.items() for parameter in parameters]
    rows = tuple(
        (Text(run), Text(parameter.name.removeprefix(PREFIX)), *_cells(parameter))
        for run, parameter in entries[:MAX_ROWS]
    )
    rest_note = f" The first {MAX_ROWS} of {len(entries)}." if len(entries) > MAX_ROWS else ""
    note = (
        "The parameters of the algorithm, which are learnt beside the weights, at the newest checkpoint. The values "
        f"are not logarithms.{rest_note}"
    )
    return Grid("Learnt numbers", note, ("run", "name", "shape", "mean", "range"), rows)


def _mean_at(rows: Sequence[Sequence[float]], step: int) -> float:
    """Return the mean of the rows that have this step; NaN if no row has it."""
    values = [row[step] for row in rows if step < len(row)]
    return sum(values) / len(values) if values else float("nan")


def _number_key(name: str) -> list[tuple[int, str]]:
    """Return a sort key that puts layer 2 before layer 10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def _parameter(name: str, tensor: object, *, is_per_weight: bool) -> AlgorithmParameter:
    """Return a parameter; with `is_per_weight` it has a number for each weight, and only the mean is kept."""
    import torch

    assert isinstance(tensor, torch.Tensor)
    logarithm = any(part.startswith("log_") for part in name.split("."))
    values = tensor.double().exp() if logarithm else tensor.double()
    flat = values.reshape(1, -1) if values.ndim < 2 else values.reshape(len(values), -1)
    if is_per_weight or max(flat.shape) > MAX_SIZE:
        flat = flat.mean().reshape(1, 1)
    rows = tuple(tuple(float(v) for v in row) for row in flat)
    return AlgorithmParameter(name, tuple(tensor.shape), rows, logarithm)


def _cells(parameter: AlgorithmParameter) -> tuple[Text, ...]:
    values = [value for row in parameter.rows for value in row]
    shape = " × ".join(map(str, parameter.shape)) or "one number"
    span = f"{min(values):.4g} … {max(values):.4g}" if len(values) > 1 else "–"
    return Text(shape), Text(f"{sum(values) / len(values):.4g}"), Text(span)
