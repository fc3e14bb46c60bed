"""The bodies of requests."""

from collections.abc import Callable, Collection
from typing import Annotated

from pydantic import AfterValidator, Field

from metaglot.choices import EFFORTS, FAMILIES
from metaglot.serving.forms.texts import AnyInput, Example, Form, Input, Text, Title

EXAMPLES = [
    {"text": "Refund my order, please.", "label": "billing"},
    {"text": "I was charged twice.", "label": "billing"},
    {"text": "The app crashes at start.", "label": "technical"},
    {"text": "The screen stays black.", "label": "technical"},
]


def _known(names: Collection[str]) -> Callable[[str], str]:
    def check(name: str) -> str:
        if name not in names:
            raise ValueError(f"is unknown; there are {', '.join(names)}")
        return name

    return check


Family = Annotated[str, AfterValidator(_known(FAMILIES)), Field(json_schema_extra={"enum": [*FAMILIES]})]
EffortName = Annotated[str, AfterValidator(_known(EFFORTS)), Field(json_schema_extra={"enum": [*EFFORTS]})]
Wait = Annotated[
    float,
    Field(ge=0, le=60, description="Seconds to wait for the end; the answer is 202 and a job where it takes longer."),
]
TopK = Annotated[int, Field(ge=1, le=1000, description="How many of the likeliest labels come with probabilities.")]
Reasons = Annotated[int, Field(ge=0, le=20, description="How many examples to name that decided.")]
Unknown = Annotated[
    Text,
    Field(min_length=1, max_length=200, description="The label of texts that are likelier of none of the classes."),
]


class NewTask(Form):
    """A task to be learnt from examples."""

    name: Title = Field(examples=["tickets"])
    family: Family | None = Field(default=None, description="The kind of task; if absent, the labels tell.")
    examples: list[Example] = Field(min_length=1, examples=[EXAMPLES])
    effort: EffortName | None = Field(default=None, description="If absent, what suits the kind of task.")
    seed: int = Field(default=0, ge=0, lt=2**31, description="Same examples and seed, same answers.")
    wait: Wait = 20


class MoreExamples(Form):
    """Examples that a task learns too; new labels become new classes."""

    examples: list[Example] = Field(min_length=1, examples=[[{"text": "Where is my parcel?", "label": "delivery"}]])
    wait: Wait = 20


class PredictOptions(Form):
    """What predictions say beside the label."""

    top_k: TopK | None = Field(default=None)
    unknown: Unknown | None = Field(default=None)
    explain: Reasons = 0


class Predict(PredictOptions):
    """Texts to predict by one task."""

    inputs: list[AnyInput] = Field(min_length=1, examples=[["Why is there a fee on my invoice?"]])


class Row(Input):
    """A text for one of many tasks."""

    task: str = Field(max_length=64, examples=["task_0123456789abcdef0123456789abcdef"])


class PredictMany(PredictOptions):
    """Texts to predict, each by a task of its own."""

    rows: list[Row] = Field(min_length=1)


class Rollback(Form):
    """The version that is to answer again."""

    version: int = Field(ge=1, lt=2**31, examples=[1])


class Embed(Form):
    """Texts whose features are asked for."""

    inputs: list[AnyInput] = Field(min_length=1, examples=[["A fee?", "It does not start."]])
