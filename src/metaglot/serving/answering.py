"""Predictions as JSON, by any adaptation; texts of different tasks are read in common batches (`serving/engine/`)."""

import asyncio
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np

from metaglot.adaptation import Adapted, Explanation, Model
from metaglot.data.candidates import as_cell
from metaglot.data.empty import empty_rows
from metaglot.data.texts import inputs_of
from metaglot.serving import engine
from metaglot.serving.engine import Answer, Batcher, Cache, Engine, Request
from metaglot.serving.examples import FieldError, given
from metaglot.serving.forms.texts import Input
from metaglot.serving.limits import Limits
from metaglot.serving.store.weights import Weights

REQUESTS = 2  # of the most texts, that one tenant has waiting at most
TENANTS = 4  # that may have so much waiting at once


class Options(NamedTuple):
    """What predictions say beside the label."""

    top_k: int | None = None
    unknown: str | None = None
    explain: int = 0


class Ask(NamedTuple):
    """Texts for one adaptation."""

    digest: str
    inputs: Sequence[Input]
    options: Options


class Answerer(Protocol):
    """What answers, and does not block the event loop."""

    async def start(self) -> None:
        """Make it ready."""
        ...

    async def stop(self) -> None:
        """Answer what waits, and end."""
        ...

    async def predict(self, tenant: str, asks: Sequence[Ask]) -> list[list[dict[str, Any]]]:
        """Return a prediction for each input of each ask; raise MetaglotError for inputs that do not fit a task."""
        ...

    async def embed(self, tenant: str, inputs: Sequence[Input]) -> np.ndarray:  # [n, D]
        """Return the features of texts."""
        ...

    def forget(self, digest: str) -> None:
        """Forget an adaptation that was deleted."""
        ...


class Batched:
    """Answers the asks of all tenants in common batches, by adaptations of which as many are in memory as fit."""

    def __init__(self, model: Model, weights: Weights, limits: Limits) -> None:
        self._engine = Engine(model)
        self._cache = Cache[str](self._load, limit_bytes=limits.cache_megabytes << 20)
        own = REQUESTS * limits.texts
        waiting = engine.Limits(max_waiting=TENANTS * own, max_waiting_tenant=own)
        self._batcher = Batcher(self._engine.outcomes, waiting)
        self._weights = weights

    async def start(self) -> None:
        """Begin to gather batches."""
        await self._batcher.start()

    async def stop(self) -> None:
        """Answer what waits, and end."""
        await self._batcher.stop()

    async def predict(self, tenant: str, asks: Sequence[Ask]) -> list[list[dict[str, Any]]]:
        """Return a prediction for each input of each ask."""
        tasks = [await self._cache.fetch(ask.digest, whole=_wanted(ask).needs_examples) for ask in asks]
        for task, ask in zip(tasks, asks, strict=True):
            check_options(task, ask.options)
        pairs = zip(tasks, asks, strict=True)
        return list(await asyncio.gather(*(self._replies(tenant, task, ask) for task, ask in pairs)))

    async def embed(self, tenant: str, inputs: Sequence[Input]) -> np.ndarray:  # [n, D]
        """Return the features of texts."""
        texts = inputs_of(*texts_alone(inputs))
        return await self._batcher.call(tenant, lambda: self._engine.embed(texts), texts=len(texts))

    def forget(self, digest: str) -> None:
        """Forget an adaptation."""
        self._cache.drop(digest)

    def _load(self, digest: str, whole: bool) -> Adapted:
        return self._engine.load(self._weights.path(digest), whole=whole)

    async def _replies(self, tenant: str, task: Adapted, ask: Ask) -> list[dict[str, Any]]:
        """Return a prediction for each input; a blank one has the label null."""
        pairs = given(ask.inputs, task.fit.family, "inputs").pairs
        blank = set(empty_rows([one.text for one in ask.inputs], pairs))
        read = [one for row, one in enumerate(ask.inputs) if row not in blank]
        if not read:
            return [{"label": None} for _ in ask.inputs]
        texts, pairs = given(read, task.fit.family, "inputs")
        request = Request(task, inputs_of(texts, pairs), _wanted(ask))
        request.check()
        found = iter(replies(task, read, await self._batcher.submit(tenant, request), ask.options))
        return [{"label": None} if row in blank else next(found) for row in range(len(ask.inputs))]


def _wanted(ask: Ask) -> engine.Options:
    return engine.Options(top_k=ask.options.top_k, unknown=ask.options.unknown, explain=ask.options.explain)


def texts_alone(inputs: Sequence[Input]) -> tuple[list[str], list[str] | None]:
    """Return the texts of inputs without candidates, and their second texts."""
    paired = [one.pair is not None for one in inputs]
    for row, one in enumerate(inputs):
        if one.candidates is not None:
            raise FieldError(f"inputs.{row}.candidates", "have no use here; leave them out")
        if any(paired) and not paired[row]:
            raise FieldError(f"inputs.{row}.pair", "is missing: other inputs have a second text")
    return [one.text for one in inputs], [one.pair or "" for one in inputs] if any(paired) else None


def check_options(task: Adapted, options: Options) -> None:
    """Raise FieldError for an option that only classes have, or labels with probabilities."""
    family = task.fit.family
    for name, asked in (("unknown", options.unknown is not None), ("explain", options.explain > 0)):
        if asked and family.exclusive is None:
            raise FieldError(name, f"needs classes, and this is a task of {family.name}; leave it out")
    if options.top_k is not None and not labelled(task):
        why = f"needs labels with probabilities, which a task of {family.name} has not; leave it out"
        raise FieldError("top_k", why)


def labelled(task: Adapted) -> bool:
    """Whether each label of a task has a probability for a text."""
    family = task.fit.family
    return family.probable and family.tokens is None and family.writes is None


def replies(task: Adapted, inputs: Sequence[Input], answer: Answer, options: Options) -> list[dict[str, Any]]:
    """Return an answer as JSON, input by input."""
    family, found = task.fit.family, list[dict[str, Any]]()
    for row, (one, target) in enumerate(zip(inputs, answer.targets, strict=True)):
        if family.tokens is not None:
            found.append({"label": family.tokens.beside(target, _read(one))[0]})
        elif family.writes is not None:
            found.append({"label": target, "probability": float(answer.values[row][0])})
        else:
            found.append(_reply(task, answer, row, options))
    return found


def _read(one: Input) -> str:
    """Return the text of an input in which targets stand."""
    return as_cell(one.candidates) if one.candidates is not None else one.text if one.pair is None else one.pair


def _reply(task: Adapted, answer: Answer, row: int, options: Options) -> dict[str, Any]:
    target = answer.targets[row]
    reply: dict[str, Any] = {"label": task.fit.family.plain(target)}
    if labelled(task):
        reply |= _chances(task, answer.values[row], reply["label"], options)
    if answer.in_scope is not None:
        reply["in_scope"] = float(answer.in_scope[row])
        if answer.in_scope[row] < 0.5:
            reply |= {"label": options.unknown, "probability": 1 - reply["in_scope"]}
    if answer.explanations is not None:
        reply["because"] = _because(answer.explanations[row])
    return reply


def _chances(task: Adapted, values: np.ndarray, label: Any, options: Options) -> dict[str, Any]:  # [K]
    labels, chances = task.labels, [float(value) for value in values]
    own = [chances[labels.index(one)] for one in label] if isinstance(label, list) else max(chances)
    if options.top_k is None:
        return {"probability": own}
    order = sorted(range(len(labels)), key=lambda number: -chances[number])[: options.top_k]
    return {"probability": own, "probabilities": [{"label": labels[i], "probability": chances[i]} for i in order]}


def _because(reason: Explanation) -> list[dict[str, Any]]:
    return [one._asdict() for one in reason.evidence]
