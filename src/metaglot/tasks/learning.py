"""Task distributions that read the model which learns from them."""

from typing import Protocol, runtime_checkable

from metaglot.types import Learner, Params, Snapshot


@runtime_checkable
class LearnsFromModel(Protocol):
    """A task distribution that also reads the model; its snapshot holds the result, so a resume is exact."""

    @property
    def every(self) -> int:
        """Steps between two readings, at least 1; the first reading is before step 0."""
        ...

    def refresh(self, snapshot: Snapshot, learner: Learner, params: Params, *, step: int) -> Snapshot:
        """Return a new snapshot, made with the model after `step` steps; a pure function.

        Where nothing is read from the model, the given snapshot itself is returned.
        """
        ...
