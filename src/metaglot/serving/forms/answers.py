"""The bodies of answers."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from metaglot.serving.forms.texts import Example


class Expectation(BaseModel):
    """The accuracy to expect on other texts, with bounds that hold it in about 95 of 100 cases."""

    accuracy: float
    low: float
    high: float


class VersionInfo(BaseModel):
    """An adaptation of a task."""

    number: int
    parent: int | None = Field(description="The version whose examples it has too.")
    labels: list[Any]
    examples: int
    expected: Expectation | None = Field(
        description="Null where examples are too few, and for other kinds than classes."
    )
    seconds: float = Field(description="That adapting took.")
    created: float = Field(description="Seconds since 1970.")


class TaskInfo(BaseModel):
    """A task, and the version of it that answers."""

    id: str
    name: str
    family: str
    effort: str | None
    created: float
    state: Literal["adapting", "ready"]
    version: VersionInfo | None


class TaskPage(BaseModel):
    """Some tasks; `next` is what `after` takes for more."""

    tasks: list[TaskInfo]
    next: str | None


class VersionList(BaseModel):
    """All versions of a task."""

    versions: list[VersionInfo]
    current: int | None


class ExampleList(BaseModel):
    """The examples of a task."""

    examples: list[Example]


class Flaw(BaseModel):
    """What is wrong with one field."""

    field: str
    why: str


class Problem(BaseModel):
    """What is wrong, after RFC 9457."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[Flaw] = []
    request_id: str | None = None


class JobInfo(BaseModel):
    """An adaptation that is asked for."""

    id: str
    task: str
    kind: Literal["create", "add"]
    state: Literal["queued", "running", "done", "failed"]
    version: int | None = Field(description="That it made.")
    reason: str | None = Field(description="Why it failed.")
    created: float
    started: float | None
    finished: float | None


class JobPage(BaseModel):
    """Some jobs; `next` is what `after` takes for more."""

    jobs: list[JobInfo]
    next: str | None


class Chance(BaseModel):
    """A label and its probability."""

    label: Any
    probability: float


class Reason(BaseModel):
    """An example, and the nats that it adds to the label over the runner-up."""

    text: str
    label: Any
    number: int | None
    weight: float


class Prediction(BaseModel):
    """What is predicted of a text; null where it is blank."""

    label: Any
    probability: float | list[float] | None = None
    probabilities: list[Chance] | None = Field(default=None, description="The likeliest first; with `top_k`, so many.")
    in_scope: float | None = Field(default=None, description="That the text is of one of the classes; with `unknown`.")
    because: list[Reason] | None = Field(default=None, description="With `explain`.")


class Predictions(BaseModel):
    """A prediction for each input."""

    task: str
    version: int
    predictions: list[Prediction]


class RowPrediction(Prediction):
    """A prediction, and what made it."""

    task: str
    version: int


class ManyPredictions(BaseModel):
    """A prediction for each row."""

    predictions: list[RowPrediction]


class Embeddings(BaseModel):
    """Features of each input."""

    model: str
    width: int
    embeddings: list[list[float]]


class Health(BaseModel):
    """Whether a server answers."""

    status: Literal["ok", "starting", "unavailable"]
    model: str | None = None
    version: str | None = None
