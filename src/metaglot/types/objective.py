"""A kind of task as an algorithm sees it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from torch import Tensor

from metaglot.metric import Measures
from metaglot.types.values import Batch, HeadSpec, Outputs, Params, Row, TaskInfo, Units


class Objective(Protocol):
    """The tensor half of a kind of task: batches, the head, the loss, the prediction and the metrics.

    It is all that algorithms know of a kind.
    """

    @property
    def name(self) -> str:
        """Its name in recipes."""
        ...

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return the rows as one padded batch."""
        ...

    def head_spec(self, task: TaskInfo, hidden_size: int) -> HeadSpec:
        """Return the shape of the output layer that the task needs."""
        ...

    def units(self, outputs: Outputs, batch: Batch, spec: HeadSpec) -> Units:
        """Return what a head of this shape is made of: the judged units of the batch.

        Targets that are numbers are what logits should be, since heads in closed form learn them as they are.
        """
        ...

    def logits(self, params: Params, outputs: Outputs, batch: Batch) -> Tensor:
        """Return the scores, from the parameters `head.*`."""
        ...

    def loss(self, logits: Tensor, batch: Batch) -> Tensor:  # nats, mean over what is judged
        """Return the mean loss of what is judged in the batch."""
        ...

    def judged(self, batch: Batch) -> int:
        """Return how many units the loss of a batch is the mean of: its weight wherever parts are summed."""
        ...

    def of_data_set(self, batch: Batch, task: TaskInfo) -> Batch:
        """Return the batch with targets numbered as in the whole data set, whose tasks share a head."""
        ...

    def predict(self, logits: Tensor) -> Tensor:
        """Return the prediction for each example."""
        ...

    def metrics(self, logits: Tensor, batch: Batch) -> Mapping[str, float]:
        """Return the metrics of the batch by name."""
        ...

    @property
    def measures(self) -> Measures:
        """What these metrics are, with unit and direction; the first is the primary one."""
        ...
