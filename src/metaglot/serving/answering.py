"""Predictions as JSON, by any adaptation; texts of different tasks are read in common batches (`serving/engine/`)."""

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import numpy as np

from metaglot.adaptation import Adapted, Explanation, Model
from metaglot.data.candidates import as_cell
from metaglot.data.texts import inputs_of
from metaglot.errors import MetaglotError
from metaglot.serving import engine
from metaglot.serving.engine import Answer, Batcher, Cache, Engine, Options, Request
from metaglot.serving.examples import FieldError
from metaglot.serving.forms.texts import Input
from metaglot.serving.limits import Limits
from metaglot.serving.pieces import A_TOKEN, MOST, Ask, Piece, cut, is_blank, pieces_of, short_texts
from metaglot.serving.store.weights import Weights

REQUESTS = 2  # of the most texts, that one tenant has waiting at most
TENANTS = 4  # that may have so much waiting at once


class UnreadableError(Exception):
    """The weights of a version cannot be read: its task was removed, or a file is damaged."""

    def __init__(self, digest: str) -> None:
        super().__init__(digest)
        self.digest = digest


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
        self._weights, self._limits = weights, limits

    async def start(self) -> None:
        """Begin to gather batches."""
        await self._batcher.start()

    async def stop(self) -> None:
        """Answer what waits, and end."""
        await self._batcher.stop()

    async def predict(self, tenant: str, asks: Sequence[Ask]) -> list[list[dict[str, Any]]]:
        """Return a prediction for each input of each ask."""
        found: list[list[dict[str, Any]]] = [[] for _ in asks]
        wave: list[Piece] = []
        chances = 0
        for number, ask in enumerate(asks):
            task = await self._cache.fetch(ask.digest, whole=ask.options.needs_examples)
            check_options(task, ask.options)
            chances += len(ask.inputs) * min(ask.options.top_k or 0, len(task.labels))
            check_chances(chances, self._limits)
            for piece in pieces_of(task, ask, number):
                if wave and sum(one.size for one in wave) + piece.size > MOST:
                    await self._answer(tenant, wave, found)
                    wave = []
                wave.append(piece)
        await self._answer(tenant, wave, found)
        return [with_blanks(ask.inputs, replies) for ask, replies in zip(asks, found, strict=True)]

    async def embed(self, tenant: str, inputs: Sequence[Input]) -> np.ndarray:  # [n, D]
        """Return the features of texts."""
        texts = inputs_of(*texts_alone(inputs))
        read = A_TOKEN * self._engine.encoder.max_length
        sizes = [short_texts(min(read, length)) for length in texts.lengths()]
        found = [
            await self._batcher.call(tenant, partial(self._engine.embed, texts.at(rows)), texts=size)
            for rows, size in cut(range(len(texts)), sizes, MOST)
        ]
        return np.concatenate(found)

    def forget(self, digest: str) -> None:
        """Forget an adaptation."""
        self._cache.drop(digest)

    def _load(self, digest: str, whole: bool) -> Adapted:
        try:
            return self._engine.load(self._weights.path(digest), whole=whole)
        except (MetaglotError, OSError) as error:
            raise UnreadableError(digest) from error

    async def _answer(self, tenant: str, wave: Sequence[Piece], found: Sequence[list[dict[str, Any]]]) -> None:
        """Answer pieces together, and add what they reply to that of their asks."""
        asked = (self._batcher.submit(tenant, piece.request, texts=piece.size) for piece in wave)
        for piece, answer in zip(wave, await asyncio.gather(*asked), strict=True):
            found[piece.ask].extend(replies(piece.request, piece.inputs, answer))


def with_blanks(inputs: Sequence[Input], replies: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return a reply for each input; a blank one, of which there is none, has the label null."""
    rest = iter(replies)
    return [{"label": None} if is_blank(one) else next(rest) for one in inputs]


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


def check_chances(count: int, limits: Limits) -> None:
    """Raise FieldError where one answer would have too many probabilities."""
    if count > limits.probabilities:
        why = f"asks for {count:,} probabilities, and an answer has {limits.probabilities:,} at most; send fewer texts"
        raise FieldError("top_k", why)


def labelled(task: Adapted) -> bool:
    """Whether each label of a task has a probability for a text."""
    family = task.fit.family
    return family.probable and family.tokens is None and family.writes is None


def replies(request: Request, inputs: Sequence[Input], answer: Answer) -> list[dict[str, Any]]:
    """Return an answer as JSON, input by input."""
    task, family, found = request.task, request.task.fit.family, list[dict[str, Any]]()
    for row, (one, target) in enumerate(zip(inputs, answer.targets, strict=True)):
        if family.tokens is not None:
            found.append({"label": family.tokens.beside(target, _read(one))[0]})
        elif family.writes is not None:
            found.append({"label": target, "probability": float(answer.values[row][0])})
        else:
            found.append(_reply(task, answer, row, request.options))
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
