"""What a job does: examples become a folder of weights."""

import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from metaglot.adaptation import Adapted, Expected, Model
from metaglot.adaptation.fit import Fit
from metaglot.errors import MetaglotError
from metaglot.serving.examples import given, named, numbered
from metaglot.serving.forms.texts import Example


class Order(NamedTuple):
    """An adaptation to be made; plain values, which a process can be sent as JSON."""

    family: str
    effort: str | None
    seed: int
    examples: list[dict[str, Any]]
    before: str | None  # the folder of weights to which the examples are added
    part: str  # the folder to be written, which is not there yet


class Done(NamedTuple):
    """What came of an order."""

    labels: list[Any]
    examples: int
    expected: dict[str, Any] | None
    seconds: float


class OrderError(Exception):
    """An order that failed: `fault` says whether the request was at fault or the server."""

    def __init__(self, reason: str, fault: str) -> None:
        super().__init__(reason)
        self.reason, self.fault = reason, fault


REQUEST, SERVER = "request", "server"  # faults


class Worker(Protocol):
    """What carries out orders, one at a time."""

    def start(self) -> None:
        """Make it ready for orders; return when it is."""
        ...

    def run(self, order: Order, seconds: float) -> Done:
        """Carry out an order in so many seconds; raise OrderError where that fails."""
        ...

    def close(self) -> None:
        """End it, in the middle of an order too."""
        ...


def carry_out(model: Model, order: Order) -> Done:
    """Write the folder of an order; raise MetaglotError where the examples are at fault, else OrderError."""
    begin = time.monotonic()
    family = named(order.family)
    examples = [Example.model_validate(one) for one in order.examples]
    texts, pairs = given(examples, family, numbered("examples", len(examples)))
    labels = [one.label for one in examples]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # notes on labels that are written alike
        if order.before is None:
            kind = {"task": order.family, "effort": order.effort, "seed": order.seed}
            adapted = model.adapt(texts, labels, pairs=pairs, **kind)  # pyright: ignore[reportArgumentType]
        else:
            before = _before(model, order.before)
            adapted = before.add_examples(texts, labels, pairs=pairs)
    adapted.save(Path(order.part), keep_examples=True)
    return done_of(adapted, time.monotonic() - begin)


def done_of(adapted: Adapted, seconds: float) -> Done:
    """Return what is told of an adaptation that took so many seconds."""
    return Done(list(adapted.labels), adapted.fit.count, _expected(adapted), seconds)


def _before(model: Model, folder: str) -> Adapted:
    try:
        return Adapted.load(folder, encoder=model.encoder)
    except MetaglotError as error:
        raise OrderError("the weights of the version before cannot be read", SERVER) from error


def _expected(adapted: Adapted) -> dict[str, Any] | None:
    """Return the accuracy to expect: what `auto` found, else that of the head, by examples set aside."""
    found = adapted.expected or _by_head(adapted.fit)
    return None if found is None else {"accuracy": found.accuracy, "low": found.low, "high": found.high}


def _by_head(fit: Fit) -> Expected | None:
    """Return what examples set aside tell of a head in closed form; after steps they would tell too much."""
    tools, units = fit.family.exclusive, fit.units
    if tools is None or units is None or fit.effort.steps:
        return None
    return tools.expected(units, len(fit.labels), fit.encoder.metric, gain=0.0, solver=fit.solver)
