"""One result: a method on one draw of one task, and its line in `results.jsonl`."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pydantic import ConfigDict, TypeAdapter
from pydantic_core import from_json

from metaglot.evaluation.protocol import Cell
from metaglot.families.scoring import Bin
from metaglot.metric import CLASSIFICATION, Measures, Metric


@dataclass(frozen=True)
class Result:
    """One method on one draw of one task."""

    task: str
    shot: int  # support examples of each group that shots count: class, label, or all
    draw: int
    method: str
    metrics: Mapping[str, float]  # score by the name of its metric; the primary one's is always there
    cpu_seconds: float  # to adapt, after the model is loaded
    queries: int  # the number of query examples
    support: int  # the number of support examples
    seed: int
    model: str
    bins: tuple[Bin, ...] = ()  # of the confidence; older rows have none
    peak_mb: float | None = None  # most memory of the process while it adapted; None where that cannot be told
    measures: Measures = CLASSIFICATION  # what the metrics are; the first is the primary one
    kind: str = "classification"  # of the task: the name of its family; rows of earlier versions have none

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    @property
    def cell(self) -> Cell:
        """Its place in the grid."""
        return Cell(self.task, self.shot, self.draw, self.method)

    @property
    def metric(self) -> Metric:
        """The primary metric."""
        return self.measures[0]

    @property
    def score(self) -> float:
        """The score by the primary metric, as it was computed: accuracy as a share."""
        return self.metrics[self.metric.name]


@dataclass(frozen=True)
class _OldRow:
    """A line of the first form: the three metrics of classification are fields."""

    task: str
    shot: int
    draw: int
    method: str
    accuracy: float
    macro_f1: float
    ece: float
    cpu_seconds: float
    queries: int
    support: int
    seed: int
    model: str
    bins: tuple[Bin, ...] = ()
    peak_mb: float | None = None

    __pydantic_config__ = ConfigDict(allow_inf_nan=False)

    def result(self) -> Result:
        """Return the result that it says."""
        others = {name: value for name, value in vars(self).items() if name not in _NAMES}
        return Result(**others, metrics={name: getattr(self, name) for name in _NAMES})


LATER = {one.name: one.default for one in fields(Result) if one.name in ("measures", "kind")}
"""Fields that came later, each with what it is where a row does not have it."""

_NAMES = tuple(metric.name for metric in CLASSIFICATION)
_ROW_TYPE, _OLD_ROW_TYPE = TypeAdapter(Result), TypeAdapter(_OldRow)


def parse_row(line: bytes) -> Result:
    """Return the result in a line of JSON, of this form or the first; raise ValueError for another line."""
    raw = from_json(line)
    if isinstance(raw, dict) and "metrics" not in raw:
        return _OLD_ROW_TYPE.validate_json(line, strict=True).result()
    result = _ROW_TYPE.validate_json(line, strict=True)
    if not result.measures or result.metric.name not in result.metrics:
        raise ValueError("metrics: the score by the primary metric is not among them")
    return result


def row_of(result: Result) -> dict[str, Any]:
    """Return the result as JSON, without what a row that says nothing of it is read with (`LATER`)."""
    row = asdict(result) | {"measures": [metric.to_json() for metric in result.measures]}
    return {name: value for name, value in row.items() if name not in LATER or getattr(result, name) != LATER[name]}
