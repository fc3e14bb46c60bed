"""What a score measures: its name, its unit, which way is better, and how it is written.

A family names its metrics, the first of which is the primary one; tables, charts, goals and headlines take name, unit
and direction from there.  A score is kept as it was computed (a share, not a per cent), and scaled where it is shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """A metric.  Two are the same where name, unit, direction, scale and bounds are: a mean is never taken over unlike
    units, while a title, digits and a meaning in other words leave it what it was.
    """

    name: str  # in files, options and JSON: "macro_f1"
    title: str = field(default="", compare=False)  # in tables and sentences: "macro F1"; the name if absent
    unit: str = ""  # of what is shown: "%", "nats", "stars"; empty for a plain number
    better: Better = "higher"
    scale: float = 1.0  # scale × score is shown: 100 for a share in per cent
    digits: int = field(default=3, compare=False)  # after the point, of what is shown
    low: float | None = None  # the least score there can be, before scaling; None without a bound
    high: float | None = None
    meaning: str = field(default="", compare=False)  # what a note below a table says of it; title and unit if absent
    of_targets: bool = field(default=False, compare=False)  # whether its unit is that of the targets, whatever it is
    span: tuple[float, float] | None = None  # such targets lie from … to …: tasks of unlike spans have no common mean

    @property
    def sign(self) -> float:
        """1 where a higher score is better, −1 where a lower one is."""
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
    def points(self) -> str:
        """The unit of a difference between two scores: percentage points for per cent; empty for a plain number."""
        return "points" if self.unit == "%" else self.unit

    @property
    def gains(self) -> str:
        """Unit and title of a difference: "points of accuracy", "nats of loss", "MAE"."""
        return f"{self.points} of {self.words}" if self.points else self.words

    @property
    def direction(self) -> str:
        """The words " (less is better)" where it is so, for axes and notes; else none."""
        return " (less is better)" if self.better == "lower" else ""

    def gain(self, ours: float, theirs: float) -> float:
        """Return how much better ours is than theirs: positive where ours is better, whichever way that is."""
        return self.sign * (ours - theirs)

    def best(self, scores: Iterable[float]) -> float | None:
        """Return the best of the scores; None without any."""
        return max(scores, key=lambda score: self.sign * score, default=None)

    def reaches(self, score: float, goal: float) -> bool:
        """Return whether the score is as good as the goal; NaN never is."""
        return self.sign * score >= self.sign * goal

    @property
    def worst(self) -> float | None:
        """The worst score there can be, which is no goal; None without a bound."""
        return self.low if self.better == "higher" else self.high

    def can_be(self, score: float) -> bool:
        """Return whether the score lies within the bounds of the metric; NaN never does."""
        low = -float("inf") if self.low is None else self.low
        high = float("inf") if self.high is None else self.high
        return low <= score <= high

    def shown(self, score: float) -> str:
        """Return the score as a table shows it, without its unit: "71.0"."""
        return f"{self.scale * score:.{self.digits}f}"

    def with_unit(self, score: float) -> str:
        """Return the score as a sentence shows it: "71.0 %"."""
        return f"{self.shown(score)} {self.unit}".rstrip()

    def shown_gain(self, gain: float) -> str:
        """Return a gain as a table shows it, with its sign: "+8.1"."""
        return f"{self.scale * gain:+.{self.digits}f}"

    def gap(self, gain: float) -> str:
        """Return the size of a gain with its unit, without its sign: "8.1 points"."""
        return f"{self.shown(abs(gain))} {self.points}".rstrip()

    def described(self) -> dict[str, Any]:
        """Return its fields as JSON, those that are as usual left out."""
        usual = asdict(Metric(self.name))
        return {"name": self.name} | {key: value for key, value in asdict(self).items() if value != usual[key]}


Measures = tuple[Metric, ...]
"""The metrics of a kind of task; the first is the primary one."""


def share(name: str, title: str = "", *, better: Better = "higher", meaning: str = "") -> Metric:
    """Return a metric between 0 and 1 that is shown in per cent with one digit after the point."""
    return Metric(name, title, "%", better, 100.0, 1, 0.0, 1.0, meaning)


def least_loss(name: str, title: str = "", unit: str = "nats") -> Metric:
    """Return a metric from 0 up of which less is better, shown with three digits after the point."""
    return Metric(name, title, unit, "lower", low=0.0)


ACCURACY = share("accuracy")
MACRO_F1 = share("macro_f1", "macro F1")
ECE = share("ece", "ECE", better="lower", meaning="expected calibration error in % (15 bins)")
CLASSIFICATION: Measures = (ACCURACY, MACRO_F1, ECE)  # of results; also of results that do not name their metrics
LOSS = least_loss("loss")
LABELLED: Measures = (ACCURACY, LOSS)  # of a batch of labelled examples; also of runs that say nothing of them


def with_span(measures: Measures, span: tuple[float, float] | None) -> Measures:
    """Return the metrics, those in the unit of the targets with the span of these."""
    return tuple(replace(metric, span=span) if metric.of_targets else metric for metric in measures)


def by_name(measures: Measures) -> Mapping[str, Metric]:
    """Return the metrics by their names."""
    return {metric.name: metric for metric in measures}
