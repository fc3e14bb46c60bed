"""A model after few-shot adaptation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from metaglot.adaptation.checks import check_labelled, check_texts
from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.model import Model
from metaglot.errors import MetaglotError
from metaglot.models.heads import LOG_SCALE, prototype_layer, scores
from metaglot.types import Params


@dataclass(frozen=True)
class Examples:
    """The labelled texts an adaptation saw; empty after loading, unless they were saved with it."""

    texts: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    pairs: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Adapted:
    """Labels, a head, and the parameters that adaptation changed, over a model."""

    model: Model
    labels: tuple[str, ...]
    params: Params  # changed parameters and head.*
    effort: Effort | AsTrained
    seed: int = 0
    sums: Tensor | None = None  # [C, D], sums of unit features by class, where the head is closed-form
    counts: tuple[int, ...] = ()  # examples of each class
    examples: Examples = field(default_factory=Examples)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def head_only(self) -> bool:
        """Whether the body is the model's own, so that features can be shared between tasks."""
        return all(name.startswith("head.") for name in self.params)

    def predict_proba(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:  # [n, C]
        """Return the probability of each label, in the order of `labels`; no texts give an empty array."""
        if not isinstance(texts, str) and len(texts) == 0:
            return np.zeros((0, len(self.labels)))
        check_texts(texts, pairs)
        features = self.model.features({**self.model.meta, **self.params}, texts, pairs)
        return self.proba_of_features(features.cpu().numpy())

    def proba_of_features(self, features: np.ndarray) -> np.ndarray:  # [n, D] -> [n, C]
        """Return the probabilities for features of the adapted body."""
        head = {name: value.double().cpu() for name, value in self.params.items() if name.startswith("head.")}
        return scores(head, torch.as_tensor(features).double()).softmax(-1).numpy()

    def predict(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> list[str]:
        """Return the most probable label of each text."""
        return [self.labels[i] for i in self.predict_proba(texts, pairs).argmax(-1)]

    def add_examples(
        self, texts: Sequence[str], labels: Sequence[str], *, pairs: Sequence[str] | None = None
    ) -> "Adapted":
        """Return a new adaptation with these examples too; new labels become new classes.

        A closed-form one only adds to its class means. Any other starts again from all examples, and raises
        MetaglotError if it was loaded from a folder that does not hold them.
        """
        from metaglot.adaptation.storage import data_hash  # storage builds on this module

        old = self.examples
        if old.texts and (old.pairs is None) != (pairs is None):
            raise MetaglotError("the earlier examples and the new ones must either all be pairs or none")
        if self.sums is not None:
            added = self._closed_form(texts, labels, pairs)
            new_hash = data_hash(texts, labels, pairs)
            history = [*self.provenance.get("added", []), new_hash]
            return replace(added, provenance={**self.provenance, "added": history})
        if not old.texts:
            raise MetaglotError(
                "the examples of this adaptation were not saved with it, and gradient steps need them all; "
                "adapt again from all examples, or save with keep_examples=True"
            )
        texts, labels, pairs = check_labelled(texts, labels, pairs)
        merged = None if pairs is None or old.pairs is None else [*old.pairs, *pairs]
        return self.model.adapt(
            [*old.texts, *texts], [*old.labels, *labels], pairs=merged, effort=self.effort, seed=self.seed
        )

    def save(self, folder: str | Path, *, keep_examples: bool = False, force: bool = False) -> Path:
        """Write labels, head, changed weights, provenance and a model card; the texts only if asked.

        Raises MetaglotError if the folder holds something else, unless `force`.
        """
        from metaglot.adaptation.storage import save_adapted

        return save_adapted(self, Path(folder), keep_examples=keep_examples, force=force)

    @staticmethod
    def load(folder: str | Path, *, model: Model | None = None) -> "Adapted":
        """Return the adaptation saved in a folder, over its base model (or over `model`, if that is loaded)."""
        from metaglot.adaptation.storage import load_adapted

        return load_adapted(Path(folder), model=model)

    def _closed_form(self, texts: Sequence[str], labels: Sequence[str], pairs: Sequence[str] | None) -> "Adapted":
        texts, labels, pairs = check_labelled(texts, labels, pairs)
        assert self.sums is not None
        names = (*self.labels, *sorted(set(labels) - set(self.labels)))
        features = self.model.features(self.model.meta, texts, pairs)
        sums = torch.zeros(len(names), features.shape[1], device=features.device)
        sums[: len(self.labels)] = self.sums
        counts = [*self.counts, *[0] * (len(names) - len(self.labels))]
        for feature, label in zip(features, labels, strict=True):
            at = names.index(label)
            sums[at] += feature
            counts[at] += 1
        old = self.examples
        known = old.texts or not sum(self.counts)
        examples = Examples(
            (*old.texts, *texts) if known else (),
            (*old.labels, *labels) if known else (),
            (*(old.pairs or ()), *pairs) if known and pairs is not None else None,
        )
        head = closed_form_head(self.model, sums, counts)
        return replace(self, labels=names, params=head, sums=sums, counts=tuple(counts), examples=examples)


def adapt_model(
    model: Model,
    texts: list[str],
    labels: list[str],
    pairs: list[str] | None,
    effort: Effort | AsTrained,
    *,
    seed: int,
) -> Adapted:
    """Return the model adapted with an effort to checked examples."""
    from metaglot.adaptation.storage import provenance_of

    provenance = provenance_of(model, texts, labels, pairs, effort=effort, seed=seed)
    names = tuple(sorted(set(labels)))
    if effort.closed_form:
        empty = Adapted(model, (), {}, effort, seed, torch.zeros(0, model.backbone.learner.hidden_size))
        made = empty._closed_form(texts, labels, pairs)  # pyright: ignore[reportPrivateUsage]
        return replace(made, provenance=provenance)
    number = {name: i for i, name in enumerate(names)}
    batch = model.collate(texts, pairs, [number[label] for label in labels])
    fast = model.fit(batch, model.problem(names), effort, seed=seed)
    examples = Examples(tuple(texts), tuple(labels), None if pairs is None else tuple(pairs))
    counts = tuple(labels.count(name) for name in names)
    return Adapted(model, names, fast.params, effort, seed, None, counts, examples, provenance)


def closed_form_head(model: Model, sums: Tensor, counts: Sequence[int]) -> dict[str, Tensor]:
    """Return the prototype head of class sums [C, D], with the scale that the model learnt."""
    means = sums / torch.tensor(counts, device=sums.device)[:, None].clamp(min=1)
    scale = model.meta[LOG_SCALE].exp() if LOG_SCALE in model.meta else sums.new_tensor(10.0)
    return prototype_layer(means, scale, model.metric)
