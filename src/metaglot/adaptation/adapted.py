"""A model after few-shot adaptation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast, overload

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.adaptation.arguments import (
    check_features,
    check_label,
    check_relabelled,
    check_rows,
)
from metaglot.adaptation.checks import check_targeted, check_texts, listed
from metaglot.adaptation.editing import edited, with_more
from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.encoder import BATCH, Encoder
from metaglot.adaptation.explanation import Evidence, Explanation, Shares, heaviest, shares
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.scope import Scope, scope_of
from metaglot.adaptation.storage import load_fit, save_fit
from metaglot.data.arguments import check_path, check_switch, check_text, check_whole, shown
from metaglot.data.examples import Examples
from metaglot.data.labels import Label, label_text
from metaglot.data.names import words_of
from metaglot.errors import MetaglotError
from metaglot.families.class_heads import Solver
from metaglot.families.family import Predictions
from metaglot.families.support_units import SupportUnits

SHOWN = 5  # labels of a representation


@dataclass(frozen=True, repr=False)
class Adapted:
    """A model that learnt a task from examples: it predicts, explains, takes more examples, and saves."""

    fit: Fit

    def __repr__(self) -> str:
        """Return what it is, on one line: its tensors would fill pages."""
        named = ", ".join(repr(label) for label in self.labels[:SHOWN])
        more = f", … {len(self.labels) - SHOWN} more" if len(self.labels) > SHOWN else ""
        steps = f"{self.effort.steps} steps" if self.effort.steps else "closed form"
        return f"Adapted({self.fit.encoder!r}, labels=({named}{more}), {self.fit.count} examples, {steps})"

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels, in the order of the probabilities; of a number, its one name."""
        return self.fit.labels

    @property
    def counts(self) -> tuple[int, ...]:
        """How many examples each label has."""
        return self.fit.schema.counts

    @property
    def examples(self) -> Examples[Any]:
        """The examples it learnt from; none after loading, unless they were saved with it."""
        return self.fit.examples

    @property
    def effort(self) -> Effort | AsTrained:
        """How it was adapted."""
        return self.fit.effort

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What it came from: a record for people."""
        return self.fit.provenance

    def predict_proba(
        self, texts: str | Sequence[str], pairs: str | Sequence[str] | None = None
    ) -> np.ndarray:  # [n, C]; [C] for one text
        """Return the probability of each label, in the order of `labels`; no texts give an empty array.

        Of several labels a text each has a probability of its own.  One text that is no list gives one row.  Raises
        MetaglotError as `embed` does, and for numbers, which have no probabilities.
        """
        if not self.fit.family.probable:
            raise MetaglotError(f"a task of {self.fit.family.name} has no probabilities; use predict")
        if isinstance(texts, str):
            return self.predict_proba([texts], _in_list(pairs))[0]
        return self.proba_of_features(self.embed(texts, _many(pairs)))

    def embed(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:  # [n, D]
        """Return the pooled features of the adapted body, float32; no texts give an empty array.

        Raises MetaglotError for anything but a list of texts, and for texts alone where it reads their second texts.
        """
        texts = listed("text", texts)
        if not texts:
            return np.zeros((0, self.fit.encoder.backbone.learner.hidden_size), np.float32)
        return self.fit.features(check_texts(texts, pairs)).cpu().numpy()

    def proba_of_features(self, features: np.ndarray) -> np.ndarray:  # [n, D] -> [n, C]
        """Return the probabilities, or numbers, for features of the adapted body."""
        return self.fit.values(check_features(features, self.fit.width))

    def predictions(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> Predictions:
        """Return names of outputs, values [n, K] (probabilities, or numbers) and what is decided; raises as `embed`."""
        return self.predictions_of_features(self.embed(texts, pairs))

    def predictions_of_features(self, features: np.ndarray) -> Predictions:  # [n, D]
        """Return `predictions` for features of the adapted body."""
        return self.fit.predictions(check_features(features, self.fit.width))

    @overload
    def predict(  # pyright: ignore[reportOverlappingOverload]  # a string is a sequence of strings too
        self, texts: str, pairs: str | None = None, *, unknown: str | None = None
    ) -> Any: ...
    @overload
    def predict(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, unknown: str | None = None
    ) -> list[Any]: ...
    def predict(
        self, texts: str | Sequence[str], pairs: str | Sequence[str] | None = None, *, unknown: str | None = None
    ) -> Any:
        """Return what is predicted for each text, of the kind that was given; one target for one text.

        That is the most probable label, a set of labels, or a number.  With `unknown`, texts that are likelier of none
        of the classes get this.
        """
        if unknown is not None:
            check_label("unknown", unknown)
        if isinstance(texts, str):
            return self.predict([texts], _in_list(pairs), unknown=unknown)[0]
        if unknown is None:
            return list(self.predictions_of_features(self.embed(texts, _many(pairs))).targets)
        features = self.embed(texts, _many(pairs))
        found, known = self.proba_of_features(features).argmax(-1), self.in_scope_of_features(features)
        return [self.labels[i] if p >= 0.5 else unknown for i, p in zip(found, known, strict=True)]

    def in_scope(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:  # [n]
        """Return the probability that each text is of one of the classes, as the support set alone tells.

        Raises MetaglotError where it cannot tell: from one example a class without names, a head of another form, or
        another kind of task.
        """
        return self.in_scope_of_features(self.embed(texts, pairs))

    def in_scope_of_features(self, features: np.ndarray) -> np.ndarray:  # [n, D] -> [n]
        """Return `in_scope` for features of the adapted body; raises as it does."""
        features = check_features(features, self.fit.encoder.backbone.learner.hidden_size)
        return self._scope.chances(_unit(features)) if len(features) else np.zeros(0)

    def explain(self, text: str, pair: str | None = None, *, count: int = 3) -> Explanation:
        """Return the label of a text, the runner-up, and the examples that weigh most between the two.

        Raises MetaglotError for a head of another form than the efforts' own, and for another kind of task.
        """
        texts = [check_text("text", text)]
        return self.explain_all(texts, None if pair is None else [check_text("pair", pair)], count=count)[0]

    def explain_all(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, count: int = 3
    ) -> list[Explanation]:
        """Return `explain` of each text; what all of them share is computed once.  Raises as `explain` does."""
        return self.explain_features(self.embed(texts, pairs), count=count)

    def explain_features(self, features: np.ndarray, *, count: int = 3) -> list[Explanation]:  # [n, D] -> [n]
        """Return `explain` for features of the adapted body; raises as it does."""
        count = check_whole("count", count, least=1)
        features = check_features(features, self.fit.encoder.backbone.learner.hidden_size)
        found: list[Explanation] = []
        for block in _unit(features).split(BATCH):
            cosines, offs = self._shares.cosines(block)
            chances = self.proba_of_features(block.numpy())
            for i, row in enumerate(chances):
                found.append(self._explained(row, cosines[:, i], offs[:, i], count))
        return found

    def _explained(self, chances: np.ndarray, cosine: Tensor, off: Tensor, count: int) -> Explanation:
        first, second = (int(i) for i in np.argsort(-chances, kind="stable")[:2])
        shares = self._shares
        weights, bias = shares.gap(cosine, off, (first, second))
        beta = float(self.fit.params["head.weight"].double().norm() / shares.length)
        evidence = tuple(
            self._evidence(shares.rows, row, beta * float(weights[row])) for row in heaviest(weights, count)
        )
        rest = beta * (float(weights.sum()) + bias) - sum(one.weight for one in evidence)
        label, instead = (label_text(self.labels[i]) for i in (first, second))
        return Explanation(label, float(chances[first]), instead, evidence, rest)

    @cached_property
    def _scope(self) -> Scope:
        return scope_of(self._rows("what lies outside the classes"), len(self.labels))

    @cached_property
    def _shares(self) -> Shares:
        solver = cast("Solver", self.fit.solver)
        return shares(self._rows("a prediction"), len(self.labels), self.fit.encoder.metric, solver)

    def _rows(self, what: str) -> SupportUnits:
        if not self.fit.family.exclusive:
            raise MetaglotError(f"{what} is told for classes alone; this is a task of {self.fit.family.name}")
        if self.fit.units is None or self.effort.head != "blend":
            raise MetaglotError(
                f"{what} cannot be told from this head; adapt with an effort that ends in closed form: instant, fast, "
                "thorough or auto"
            )
        return SupportUnits(*(part.cpu() for part in self.fit.units))

    def _evidence(self, rows: SupportUnits, row: int, weight: float) -> Evidence:
        label = label_text(self.labels[int(rows.numbers[row])])
        if rows.is_class_name[row]:
            names = self.fit.class_names
            words = names.get(label) if isinstance(names, Mapping) else None
            return Evidence(words or words_of(label), label, None, weight)
        number = int((~rows.is_class_name[:row]).sum())
        return Evidence(self.examples.inputs.texts[number] if len(self.examples) else "", label, number, weight)

    def add_examples(
        self, texts: Sequence[str], labels: Sequence[Any], *, pairs: Sequence[str] | None = None
    ) -> "Adapted":
        """Return a new adaptation with these examples too; new labels become new classes, of the kind of the others.

        A closed-form one only adds to the features it knows. Any other starts again from all examples, and raises
        MetaglotError if it was loaded from a folder that does not hold them. What `auto` expected of the earlier
        examples is not kept.
        """
        return Adapted(with_more(self.fit, check_targeted(self.fit.family, texts, labels, pairs)))

    def without(self, rows: Sequence[int]) -> "Adapted":
        """Return the adaptation without some examples, by their number from 0; a class without examples goes.

        As if adapted anew to the others: exact in closed form, and adapted again after gradient steps.  Raises
        MetaglotError for an example that there is not, where one class would be left, and where no texts were kept.
        """
        return Adapted(edited(self.fit, remove=check_rows("rows", rows)))

    def relabelled(self, labels: Mapping[int, Any]) -> "Adapted":
        """Return the adaptation with other labels for some examples, by their number from 0; else as `without`."""
        return Adapted(edited(self.fit, relabel=check_relabelled("labels", labels, self.fit.family)))

    def save(self, folder: str | Path, *, keep_examples: bool | None = None, force: bool = False) -> Path:
        """Write labels, head, changed weights, provenance and a model card; the texts only if asked.

        Texts that were kept stay kept, unless `keep_examples` is False: those of an adaptation that was loaded with
        them, and those of which the folder holds some already.  Raises MetaglotError if the folder holds something
        else, unless `force`.
        """
        folder = check_path("folder", folder)
        check_switch("force", force)
        if keep_examples is not None:
            check_switch("keep_examples", keep_examples)
        return save_fit(self.fit, folder, keep_examples=keep_examples, force=force)

    @staticmethod
    def load(folder: str | Path, *, encoder: Encoder | None = None) -> "Adapted":
        """Return the adaptation saved in a folder, over its base model (or over `encoder`, if that is loaded)."""
        if encoder is not None and not isinstance(encoder, Encoder):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise MetaglotError(f"encoder: expected the encoder of a model, as model.encoder, got {shown(encoder)}")
        return Adapted(load_fit(check_path("folder", folder), encoder=encoder))


def _unit(features: np.ndarray) -> Tensor:  # [n, D] -> [n, D], on the CPU
    return normalize(torch.as_tensor(features).float(), dim=-1)


def _in_list(pair: str | Sequence[str] | None) -> Sequence[str] | None:
    """Return the second text that goes with one text as a list of one."""
    if pair is None or isinstance(pair, str):
        return None if pair is None else [pair]
    raise MetaglotError("one text was given, and a list of second texts; give one second text, or a list of texts too")


def _many(pairs: str | Sequence[str] | None) -> Sequence[str] | None:
    """Return the second texts that go with a list of texts."""
    if isinstance(pairs, str):
        raise MetaglotError("a list of texts was given, and one second text; give a list with one for each text")
    return pairs
