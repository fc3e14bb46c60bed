"""The goal of a recipe: a metric of the validation tasks, and the score at which training ends."""

from pydantic import Field, ValidationInfo, field_validator, model_validator

from metaglot.config.strict import MOST, Strict
from metaglot.errors import MetaglotError
from metaglot.metric import ACCURACY_AND_LOSS, Measures, Metric, metrics_by_name


class GoalSettings(Strict):
    """Training ends once validation meets it."""

    metric: str = "accuracy"
    at_least: float | None = None  # where a higher score is better, as of accuracy
    at_most: float | None = None  # where a lower one is, as of a loss
    shots: int | None = Field(default=None, ge=1, le=MOST)  # those of validation if absent

    @field_validator("at_least", "at_most")
    @classmethod
    def _within_bounds(cls, score: float | None, info: ValidationInfo) -> float | None:
        metric = metrics_by_name(ACCURACY_AND_LOSS).get(str(info.data.get("metric")))
        fault = None if metric is None or score is None else fault_of(metric, str(info.field_name), score)
        if fault:
            raise ValueError(fault)
        return score

    @model_validator(mode="after")
    def _one_score(self) -> "GoalSettings":
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError("give either at_least or, where a lower score is better, at_most")
        return self


def fault_of(metric: Metric, bound: str, score: float) -> str | None:
    """Return what is wrong with a score as a goal, `at_least` or `at_most`; None where it can be one."""
    right = "at_least" if metric.better == "higher" else "at_most"
    if bound != right:
        return f"a {metric.better} {metric.words} is better: give {right}"
    if not metric.in_bounds(score):
        low, high = ("…" if end is None else f"{end:g}" for end in (metric.low, metric.high))
        share = f" (a share, {score / 100:g} for {score:g} %)" if metric.unit == "%" and 1 < score <= 100 else ""
        return f"{metric.words} lies between {low} and {high}{share}"
    if score == metric.worst:
        return f"{score:g} is the worst {metric.words} there is, which every run meets"
    return None


def goal_of(goal: GoalSettings, measures: Measures) -> tuple[Metric, float]:
    """Return the metric of a goal and the score to reach, for tasks with these metrics.

    Raises MetaglotError where the tasks are not judged by that metric, or the score cannot be a goal.
    """
    metric = metrics_by_name(measures).get(goal.metric)
    if metric is None:
        known = ", ".join(metrics_by_name(measures))
        raise MetaglotError(
            f"goal.metric: the validation tasks are judged by {known}, and {goal.metric!r} is none of them"
        )
    bound, score = ("at_least", goal.at_least) if goal.at_least is not None else ("at_most", goal.at_most)
    assert score is not None
    if fault := fault_of(metric, bound, score):
        raise MetaglotError(f"goal.{bound}: {fault}; got {score:g}")
    return metric, score
