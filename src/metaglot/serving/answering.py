"""Predictions as JSON, by any adaptation."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple, Protocol

import numpy as np

from metaglot.adaptation import Adapted, Model
from metaglot.data.candidates import as_cell
from metaglot.data.empty import empty_rows
from metaglot.families.classes.explanation import Explanation
from metaglot.serving.examples import FieldError, given
from metaglot.serving.forms.texts import Input
from metaglot.serving.store.weights import Weights

HOT = 256  # adaptations in memory


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

    async def predict(self, tenant: str, asks: Sequence[Ask]) -> list[list[dict[str, Any]]]:
        """Return a prediction for each input of each ask; raise MetaglotError for inputs that do not fit a task."""
        ...

    async def embed(self, tenant: str, inputs: Sequence[Input]) -> np.ndarray:  # [n, D]
        """Return the features of texts."""
        ...

    def forget(self, digest: str) -> None:
        """Forget an adaptation that was deleted."""
        ...


class Direct:
    """Answers ask by ask, by the adaptation itself."""

    def __init__(self, model: Model, weights: Weights) -> None:
        self._model, self._weights = model, weights
        self._hot: OrderedDict[str, Adapted] = OrderedDict()
        self._one = ThreadPoolExecutor(1, "answers")

    async def predict(self, tenant: str, asks: Sequence[Ask]) -> list[list[dict[str, Any]]]:
        """Return a prediction for each input of each ask."""
        del tenant
        return await asyncio.get_running_loop().run_in_executor(self._one, self._predict, asks)

    async def embed(self, tenant: str, inputs: Sequence[Input]) -> np.ndarray:  # [n, D]
        """Return the features of texts."""
        del tenant
        texts, pairs = texts_alone(inputs)
        return await asyncio.get_running_loop().run_in_executor(self._one, self._model.embed, texts, pairs)

    def forget(self, digest: str) -> None:
        """Forget an adaptation."""
        self._hot.pop(digest, None)

    def _predict(self, asks: Sequence[Ask]) -> list[list[dict[str, Any]]]:
        return [replies(self._adapted(ask.digest), ask.inputs, ask.options) for ask in asks]

    def _adapted(self, digest: str) -> Adapted:
        found = self._hot.get(digest)
        if found is None:
            found = Adapted.load(self._weights.path(digest), encoder=self._model.encoder)
            self._hot[digest] = found
        self._hot.move_to_end(digest)
        while len(self._hot) > HOT:
            self._hot.popitem(last=False)
        return found


def texts_alone(inputs: Sequence[Input]) -> tuple[list[str], list[str] | None]:
    """Return the texts of inputs without candidates, and their second texts."""
    paired = [one.pair is not None for one in inputs]
    for row, one in enumerate(inputs):
        if one.candidates is not None:
            raise FieldError(f"inputs.{row}.candidates", "have no use here; leave them out")
        if any(paired) and not paired[row]:
            raise FieldError(f"inputs.{row}.pair", "is missing: other inputs have a second text")
    return [one.text for one in inputs], [one.pair or "" for one in inputs] if any(paired) else None


def replies(adapted: Adapted, inputs: Sequence[Input], options: Options) -> list[dict[str, Any]]:
    """Return a prediction for each input; a blank one has the label null."""
    family = adapted.fit.family
    check_options(adapted, options)
    pairs = given(inputs, family, "inputs").pairs
    blank = set(empty_rows([one.text for one in inputs], pairs))
    rows = [row for row in range(len(inputs)) if row not in blank]
    read = [inputs[row] for row in rows]
    found = iter(_replies(adapted, read, options) if read else ())
    return [{"label": None} if row in blank else next(found) for row in range(len(inputs))]


def check_options(adapted: Adapted, options: Options) -> None:
    """Raise FieldError for an option that only classes have."""
    family = adapted.fit.family
    if family.exclusive is None:
        for name, asked in (("unknown", options.unknown is not None), ("explain", options.explain > 0)):
            if asked:
                raise FieldError(name, f"needs classes, and this is a task of {family.name}; leave it out")
    if options.top_k is not None and (not family.probable or family.tokens is not None or family.writes is not None):
        raise FieldError(
            "top_k", f"needs labels with probabilities, which a task of {family.name} has not; leave it out"
        )


def _replies(adapted: Adapted, inputs: Sequence[Input], options: Options) -> list[dict[str, Any]]:
    family = adapted.fit.family
    texts, pairs = given(inputs, family, "inputs")
    if family.writes is not None:
        found = adapted.predictions(texts, pairs)
        return [
            {"label": target, "probability": float(value[0])}
            for target, value in zip(found.targets, found.values, strict=True)
        ]
    if family.tokens is not None:
        targets = adapted.predictions(texts, pairs).targets
        seconds = adapted_texts(inputs)
        return [{"label": family.tokens.beside(target, text)[0]} for target, text in zip(targets, seconds, strict=True)]
    return of_features(adapted, adapted.embed(texts, pairs), options)


def adapted_texts(inputs: Sequence[Input]) -> list[str]:
    """Return of each input the text in which a family looks for its targets."""
    return [
        as_cell(one.candidates) if one.candidates is not None else one.text if one.pair is None else one.pair
        for one in inputs
    ]


def of_features(adapted: Adapted, features: np.ndarray, options: Options) -> list[dict[str, Any]]:  # [n, D]
    """Return the predictions for features of whole texts."""
    family = adapted.fit.family
    outputs, values, targets = adapted.predictions_of_features(features)
    scope = adapted.in_scope_of_features(features) if options.unknown is not None else None
    reasons = adapted.explain_features(features, count=options.explain) if options.explain else None
    found: list[dict[str, Any]] = []
    for row, target in enumerate(targets):
        reply: dict[str, Any] = {"label": family.plain(target)}
        if family.probable:
            reply |= _chances(adapted, values[row], reply["label"], options.top_k)
        if scope is not None:
            reply |= {"in_scope": float(scope[row])}
            if scope[row] < 0.5:
                reply |= {"label": options.unknown, "probability": 1 - float(scope[row])}
        if reasons is not None:
            reply["because"] = _because(reasons[row])
        found.append(reply)
    del outputs
    return found


def _chances(adapted: Adapted, values: np.ndarray, label: Any, top_k: int | None) -> dict[str, Any]:  # [K]
    labels = adapted.labels
    chances = [float(value) for value in values]
    several = isinstance(label, list)
    own = [chances[labels.index(one)] for one in label] if several else max(chances)
    if top_k is None:
        return {"probability": own}
    order = sorted(range(len(labels)), key=lambda number: -chances[number])[:top_k]
    return {"probability": own, "probabilities": [{"label": labels[i], "probability": chances[i]} for i in order]}


def _because(reason: Explanation) -> list[dict[str, Any]]:
    return [one._asdict() for one in reason.evidence]
