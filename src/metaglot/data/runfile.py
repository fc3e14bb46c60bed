"""What `model.json` of a run directory holds, checked."""

from pathlib import Path
from typing import Any

from pydantic import Field

from metaglot.data.checked import Stored, read_plain
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY_AND_LOSS, Metric

RUN = "model.json"
WAY_OUT = "resume the run to write it anew"
LONGEST = 1 << 20  # tokens of a text


class NamedAlgorithm(Stored):
    """The algorithm that trained a run."""

    name: str
    options: dict[str, Any] = Field(default={})


class NamedEstimator(Stored):
    """The estimator of the gradient that was chosen for a run."""

    name: str
    keep: int | None = Field(default=None, ge=0, le=1 << 30)  # graphs


class RunFile(Stored):
    """What a run says of its model, its algorithm and its data."""

    base: str = Field(min_length=1)
    base_relative: str | None = None
    max_length: int = Field(ge=1, le=LONGEST)  # tokens
    average_with_base: float = Field(default=0.0, ge=0, lt=1)
    algorithm: NamedAlgorithm | None = None
    estimator: NamedEstimator | None = None
    data: list[str] = Field(default=[])
    fingerprints: dict[str, str] = Field(default={})
    validation: list[str] = Field(default=[])
    validation_fingerprints: dict[str, str] = Field(default={})
    average_of: list[str] = Field(default=[])
    measures: tuple[Metric, ...] = Field(default=ACCURACY_AND_LOSS, min_length=1)  # of validation; the first is primary


def read_described(file: Path) -> tuple[RunFile, dict[str, Any]]:
    """Return what a `model.json` says, and its names and values as they stand there.

    Raises MetaglotError that names the file and the key where it is absent or damaged.
    """
    return read_plain(file, RunFile, WAY_OUT)


def description_in(file: Path) -> dict[str, Any]:
    """Return what a `model.json` says; nothing where it is absent or damaged."""
    try:
        return read_described(file)[1]
    except MetaglotError:
        return {}
