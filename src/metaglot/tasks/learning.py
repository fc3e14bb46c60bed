"""Task distributions that read the model they teach."""

from typing import Protocol, runtime_checkable

from metaglot.types import Learner, Params, Snapshot


@runtime_checkable
class LearnsFromModel(Protocol):
    """A task distribution that also reads the model; what it finds is in its snapshot, so a resume is exact."""

    @property
    def every(self) -> int:
        """Steps between two readings, at least 1; the first stands before step 0."""
        ...

    def refresh(self, snapshot: Snapshot, learner: Learner, params: Params, *, step: int) -> Snapshot:
        """Return the snapshot remade with the model as it is after `step` steps, a pure function.

        Where nothing is read from the model, that is the very snapshot given.
        """
        ...
