"""A worker in this process: it takes turns with predictions, and cannot be ended within an order."""

from dataclasses import dataclass

from metaglot.adaptation import Model
from metaglot.errors import MetaglotError
from metaglot.serving.jobs.work import REQUEST, Done, Order, OrderError, carry_out


@dataclass(frozen=True)
class ThreadWorker:
    """Carries out orders in the thread that gives them."""

    model: Model

    def start(self) -> None:
        """Do nothing: the model is loaded."""

    def run(self, order: Order, seconds: float) -> Done:
        """Carry out an order, however long it takes."""
        del seconds
        try:
            return carry_out(self.model, order)
        except MetaglotError as error:
            raise OrderError(str(error), REQUEST) from error

    def close(self) -> None:
        """Do nothing: an order ends by itself."""
