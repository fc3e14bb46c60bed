"""A metric: its name, its unit, which direction is better, and how its scores are written.

A family names its metrics; the first one is the primary metric.  Tables, charts, goals and headlines take name, unit
and direction from the metric.  A score is stored as it was computed (a share, not a per cent); it is scaled when it
is written for a reader.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A metric.

    Two metrics are equal if name, unit, direction, scale and bounds are equal, because a mean is never taken over
    different units.  Title, digits and meaning take no part in equality.
    """

    name: str  # in files, options and JSON: "macro_f1"
    title: str = field(default="", compare=False)  # in tables and sentences: "macro F1"; the name if empty
    unit: str = ""  # of a scaled score: "%", "nats", "stars"; empty for a plain number
    better: Better = "higher"
    scale: float = 1.0  # a reader sees scale × score: 100 for a share in per cent
    digits: int = field(default=3, compare=False)  # after the point, of a scaled score
    low: float | None = None  # the lowest possible score, before scaling; None without a bound
    high: float | None = None  # the highest possible score
    meaning: str = field(default="", compare=False)  # the words of a note below a table; title and unit if empty
    of_targets: bool = field(default=False, compare=False)  # whether its unit is the unit of the targets
    span: tuple[float, float] | None = None  # lowest and highest target; tasks of different spans have no common mean

    @property
    def sign(self) -> float:
        """1 if a higher score is better, −1 if a lower score is better."""
        return 1.0 if self.better == "higher" else -1.0

    @property
    def words(self) -> str:
        """Its title within a sentence: "accuracy", "MAE of numbers from 1 to 5"."""
        title = self.title or self.name.replace("_", " ")
        return title if self.span is None else f"{title} of numbers from {self.span[0]:.4g} to {self.span[1]:.4g}"

    @property
    def heading(self) -> str:
        """Its title at the beginning of a sentence: "Accuracy"."""
        return self.words[:1].upper() + self.words[1:]

    @property
    def axis(self) -> str:
        """Title and unit: "accuracy in %"."""
        return f"{self.words} in {self.unit}" if self.unit else self.words

    @property
    def gain_unit(self) -> str:
        """The unit of a difference between two scores: percentage points for per cent; empty for a plain number."""
        return "points" if self.unit == "%" else self.unit

    @property
    def gain_title(self) -> str:
        """Unit and title of a difference: "points of accuracy", "nats of loss", "MAE"."""
        return f"{self.gain_unit} of {self.words}" if self.gain_unit else self.words

    @property
    def direction(self) -> str:
        """The words " (less is better)" for axes and notes if a lower score is better; otherwise empty."""
        return " (less is better)" if self.better == "lower" else ""

    def gain(self, ours: float, theirs: float) -> float:
        """Return how much better our score is than theirs: positive if ours is better, whatever the direction."""
        return self.sign * (ours - theirs)

    def best(self, scores: Iterable[float]) -> float | None:
        """Return the best of the scores; None if there are none."""
        return max(scores, key=lambda score: self.sign * score, default=None)

    def reaches(self, score: float, goal: float) -> bool:
        """Return whether the score is at least as good as the goal; False for NaN."""
        return self.sign * score >= self.sign * goal

    @property
    def worst(self) -> float | None:
        """The worst possible score, which is no goal; None without a bound."""
        return self.low if self.better == "higher" else self.high

    def in_bounds(self, score: float) -> bool:
        """Return whether the score is within the bounds of the metric; False for NaN."""
        low = -float("inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        return low <= score <= high

    def format(self, score: float) -> str:
        """Return the text of a score in a table, without its unit: "71.0"."""
        return f"{self.scale * score:.{self.digits}f}"

    def format_with_unit(self, score: float) -> str:
        """Return the text of a score in a sentence: "71.0 %"."""
        return f"{self.format(score)} {self.unit}".rstrip()

    def format_gain(self, gain: float) -> str:
        """Return the text of a gain in a table, with its sign: "+8.1"."""
        return f"{self.scale * gain:+.{self.digits}f}"

    def format_gain_size(self, gain: float) -> str:
        """Return the text of the size of a gain with its unit, without its sign: "8.1 points"."""
        return f"{self.format(abs(gain))} {self.gain_unit}".rstrip()

    def to_json(self) -> dict[str, Any]:
        """Return its fields as JSON, without the fields that have their default."""
        defaults = asdict(Metric(self.name))
        return {"name": self.name} | {key: value for key, value in asdict(self).items() if value != defaults[key]}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "Metric":
        """Return the metric of `to_json`, after a way through JSON text too, which makes a list of its span."""
        values: dict[str, Any] = dict(fields)
        if values.get("span") is not None:
            values["span"] = tuple(values["span"])
        return cls(**values)


Measures = tuple[Metric, ...]
"""The metrics of a kind of task; the first one is the primary metric."""


def share(name: str, title: str = "", *, better: Better = "higher", meaning: str = "") -> Metric:
    """Return a metric between 0 and 1 that is written in per cent, with one digit after the point."""
    return Metric(name, title, "%", better, 100.0, 1, 0.0, 1.0, meaning)


def error_metric(name: str, title: str = "", unit: str = "nats") -> Metric:
    """Return a metric from 0 up where less is better, written with three digits after the point."""
    return Metric(name, title, unit, "lower", low=0.0)


ACCURACY = share("accuracy")
MACRO_F1 = share("macro_f1", "macro F1")
ECE = share("ece", "ECE", better="lower", meaning="expected calibration error in % (15 bins)")
CLASSIFICATION: Measures = (ACCURACY, MACRO_F1, ECE)  # of results; also of results that do not name their metrics
LOSS = error_metric("loss")
ACCURACY_AND_LOSS: Measures = (ACCURACY, LOSS)  # of a batch of labelled examples; also of runs that name no metrics


def with_span(measures: Measures, span: tuple[float, float] | None) -> Measures:
    """Return the metrics; those in the unit of the targets have the span of these targets."""
    return tuple(replace(metric, span=span) if metric.of_targets else metric for metric in measures)


def metrics_by_name(measures: Measures) -> Mapping[str, Metric]:
    """Return the metrics by their names."""
    return {metric.name: metric for metric in measures}
