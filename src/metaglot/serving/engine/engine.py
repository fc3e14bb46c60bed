"""Many tasks over one encoder: the texts of a batch are read together, whichever tasks they are for.

    passages of all tasks → one body at a time, equal ones once → the head of each task on its own rows

With `exact`, what a text gives does not depend on what is beside it (`models/steady.py`), and the head of a task sees
the rows of one request alone: so other tasks in a batch leave an answer as it is, to the last bit.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from metaglot.adaptation import Adapted, Encoder, Model
from metaglot.adaptation.storage import load_fit
from metaglot.data.examples import Inputs
from metaglot.errors import MetaglotError
from metaglot.serving.engine.plans import Plan, plan_of
from metaglot.serving.engine.reading import Body, Reading, body_of, moved_by
from metaglot.serving.engine.request import Answer, Request

Outcome = Answer | MetaglotError


class Engine:
    """What answers the requests of many tasks over one model.

    Parameters
    ----------
    model : metaglot.Model or metaglot.adaptation.Encoder
        The model that all tasks were adapted from.
    exact : bool, default=True
        Whether an answer has the same bits whatever requests are beside it.

    Attributes
    ----------
    encoder : metaglot.adaptation.Encoder
        The model without its methods for users: what `Adapted.load` takes.

    Examples
    --------
    >>> import metaglot as mg
    >>> from metaglot.data.texts import inputs_of
    >>> from metaglot.serving.engine import Engine, Request
    >>> model = mg.load("builtin:mini")
    >>> engine = Engine(model)
    >>> texts = ["Refund my order.", "I was charged twice.", "The app crashes.", "The screen stays black."]
    >>> topics = engine.adopt(model.adapt(texts, ["billing", "billing", "technical", "technical"], effort="instant"))
    >>> stars = engine.adopt(model.adapt(texts, [2.5, 1.5, 1.0, 1.5], effort="instant"))
    >>> asked = inputs_of(["Why is there a fee on my invoice?"])
    >>> answers = engine.answer([Request(topics, asked), Request(stars, asked)])
    >>> answers[0].targets, answers[1].outputs
    (['billing'], ('number',))
    """

    def __init__(self, model: Model | Encoder, *, exact: bool = True) -> None:
        given = model.encoder if isinstance(model, Model) else model
        learner = replace(given.backbone.learner, steady=exact)
        self.encoder = replace(given, backbone=given.backbone._replace(learner=learner))
        self.fingerprint = self.encoder.fingerprint()

    def adopt(self, task: Adapted) -> Adapted:
        """Return the same task over the encoder of the engine.

        Raises MetaglotError for a task of another model.
        """
        own, other = self.encoder, task.fit.encoder
        learner = replace(other.backbone.learner, steady=own.backbone.learner.steady)
        same = replace(other, backbone=other.backbone._replace(learner=learner))
        if not self._is_own(same) and other.fingerprint() != self.fingerprint:
            raise MetaglotError(
                f"this task was adapted from {other.name}, and the server answers by {own.name}; adapt again from it"
            )
        return Adapted(replace(task.fit, encoder=replace(own, reads=other.reads)))

    def load(self, folder: Path, *, whole: bool = True) -> Adapted:
        """Return the task that was saved in a folder, over the encoder of the engine.

        Without `whole` it has what predictions need alone: it cannot explain, tell texts of none of the classes, or
        take examples.  Raises MetaglotError where the folder is damaged, and for a task of another model.
        """
        return Adapted(load_fit(folder, encoder=self.encoder, whole=whole, fingerprint=self.fingerprint))

    def answer(self, rows: Sequence[Request]) -> list[Answer]:
        """Return the answer of each request; raise MetaglotError where one of them cannot be answered."""
        answers: list[Answer] = []
        for outcome in self.outcomes(rows):
            if isinstance(outcome, MetaglotError):
                raise outcome
            answers.append(outcome)
        return answers

    def outcomes(self, rows: Sequence[Request]) -> list[Outcome]:
        """Return for each request its answer, or the error that says why there is none."""
        plans = [self._plan(request) for request in rows]
        readings: dict[Body, Reading] = {}
        for request, plan in zip(rows, plans, strict=True):
            if not isinstance(plan, MetaglotError):
                plan.gather(_reading(readings, request))
        for reading in readings.values():
            reading.read()
        return [
            plan if isinstance(plan, MetaglotError) else _answered(plan, _reading(readings, request))
            for request, plan in zip(rows, plans, strict=True)
        ]

    def embed(self, inputs: Inputs) -> np.ndarray:  # [n, D]
        """Return the pooled features of the model itself, float32."""
        return self.encoder.embed(inputs)

    def _plan(self, request: Request) -> Plan | MetaglotError:
        try:
            if not self._is_own(request.task.fit.encoder):
                raise MetaglotError("this task is not over the encoder of the engine; give what `adopt` returns")
            request.check()
            return plan_of(request)
        except MetaglotError as error:
            return error

    def _is_own(self, other: Encoder) -> bool:
        """Whether an encoder has the network and the meta-parameters of the engine: the same objects."""
        own = self.encoder
        same = own.meta.keys() == other.meta.keys() and all(own.meta[name] is other.meta[name] for name in own.meta)
        return same and own.backbone.learner == other.backbone.learner


def _reading(readings: dict[Body, Reading], request: Request) -> Reading:
    fit = request.task.fit
    body = body_of(fit)
    if body not in readings:
        readings[body] = Reading.over(fit.encoder, moved_by(fit))
    return readings[body]


def _answered(plan: Plan, reading: Reading) -> Outcome:
    try:
        return plan.answer(reading)
    except MetaglotError as error:
        return error
