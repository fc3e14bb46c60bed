"""A model after few-shot adaptation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.adaptation.checks import check_labelled, check_texts, listed
from metaglot.adaptation.closed_form import Known, Solver, layer
from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.examples import Examples, data_hash
from metaglot.adaptation.explanation import Evidence, Explanation, gaps, heaviest
from metaglot.adaptation.ingredients import features_of, head_of, names_as
from metaglot.adaptation.model import Model
from metaglot.adaptation.outside import in_scope
from metaglot.data.names import names_of, words_of
from metaglot.errors import MetaglotError
from metaglot.models.heads import scores
from metaglot.types import Params


@dataclass(frozen=True)
class Adapted:
    """Labels, a head, and the parameters that adaptation changed, over a model."""

    model: Model
    labels: tuple[str, ...]
    params: Params  # changed parameters and head.*
    effort: Effort | AsTrained
    seed: int = 0
    known: Known | None = None  # what a head in closed form was made of
    solver: Solver = "ridge"  # and how
    counts: tuple[int, ...] = ()  # examples of each class
    examples: Examples = field(default_factory=Examples)
    provenance: Mapping[str, Any] = field(default_factory=dict)
    kept: bool = False  # whether the examples come from a folder that holds them

    @property
    def head_only(self) -> bool:
        """Whether the body is the model's own, so that features can be shared between tasks."""
        return all(name.startswith("head.") for name in self.params)

    def predict_proba(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:  # [n, C]
        """Return the probability of each label, in the order of `labels`; no texts give an empty array."""
        texts = listed("text", texts)
        if not texts:
            return np.zeros((0, len(self.labels)))
        return self.proba_of_features(self._pooled(texts, pairs).cpu().numpy())

    def proba_of_features(self, features: np.ndarray) -> np.ndarray:  # [n, D] -> [n, C]
        """Return the probabilities for features of the adapted body."""
        head = {name: value.double().cpu() for name, value in self.params.items() if name.startswith("head.")}
        return scores(head, torch.as_tensor(features).double()).softmax(-1).numpy()

    def predict(
        self, texts: Sequence[str], pairs: Sequence[str] | None = None, *, unknown: str | None = None
    ) -> list[str]:
        """Return the most probable label of each text; with `unknown`, this for texts that are likelier of none."""
        texts = listed("text", texts)
        if unknown is None or not texts:
            return [self.labels[i] for i in self.predict_proba(texts, pairs).argmax(-1)]
        rows, features = self._rows("what lies outside the classes"), self._features(texts, pairs)
        found = self.proba_of_features(features.numpy()).argmax(-1)
        known = in_scope(rows, len(self.labels), features)
        return [self.labels[i] if p >= 0.5 else unknown for i, p in zip(found, known, strict=True)]

    def in_scope(self, texts: Sequence[str], pairs: Sequence[str] | None = None) -> np.ndarray:  # [n]
        """Return the probability that each text is of one of the classes, as the support set alone tells.

        Raises MetaglotError where it cannot tell: from one example a class without names, or a head of another form.
        """
        texts = listed("text", texts)
        if not texts:
            return np.zeros(0)
        return in_scope(self._rows("what lies outside the classes"), len(self.labels), self._features(texts, pairs))

    def explain(self, text: str, pair: str | None = None, *, count: int = 3) -> Explanation:
        """Return the label of a text, the runner-up, and the examples that weigh most between the two.

        Raises MetaglotError for a head of another form than the efforts' own.
        """
        rows = self._rows("a prediction")
        (feature,) = self._features([text], None if pair is None else [pair])
        chances = self.proba_of_features(feature[None].numpy())[0]
        first, second = (int(i) for i in np.argsort(-chances, kind="stable")[:2])
        weights, bias = gaps(
            rows, len(self.labels), self.model.metric, feature, over=(first, second), solver=self.solver
        )
        beta = self._beta(rows)
        chosen = heaviest(weights, count)
        evidence = tuple(self._evidence(rows, row, beta * float(weights[row])) for row in chosen)
        rest = beta * (float(weights.sum()) + bias) - sum(one.weight for one in evidence)
        return Explanation(self.labels[first], float(chances[first]), self.labels[second], evidence, rest)

    def _rows(self, what: str) -> Known:
        if self.known is None or self.effort.head != "blend":
            raise MetaglotError(
                f"{what} cannot be told from this head; adapt with an effort that ends in closed form: instant, fast, "
                "thorough or auto"
            )
        return Known(*(part.cpu() for part in self.known))

    def _features(self, texts: Sequence[str], pairs: Sequence[str] | None) -> Tensor:  # [n, D], unit length
        return normalize(self._pooled(texts, pairs).float().cpu(), dim=-1)

    def _pooled(self, texts: Sequence[str], pairs: Sequence[str] | None) -> Tensor:  # [n, D]
        texts, pairs = check_texts(texts, pairs)
        reads = self.provenance.get("reads", "first")  # there is such a choice where the examples were pairs
        if pairs is None and len(texts) and reads != "first":
            what = "both texts" if reads == "both" else "the second text"
            raise MetaglotError(
                f"this was adapted to pairs, of which it reads {what}; give `pairs` too (in a file: text_pair)"
            )
        return self.model.features({**self.model.meta, **self.params}, texts, pairs)

    def _beta(self, rows: Known) -> float:
        weight, _ = layer(rows, len(self.labels), self.model.metric, self.solver)
        return float(self.params["head.weight"].double().norm() / weight.norm())

    def _evidence(self, rows: Known, row: int, weight: float) -> Evidence:
        label = self.labels[int(rows.numbers[row])]
        if rows.spoken[row]:
            said = self.provenance.get("names") or {}
            return Evidence(said.get(label) or words_of(label), label, None, weight)
        number = int((~rows.spoken[:row]).sum())
        return Evidence(self.examples.texts[number] if self.examples.texts else "", label, number, weight)

    def add_examples(
        self, texts: Sequence[str], labels: Sequence[str], *, pairs: Sequence[str] | None = None
    ) -> "Adapted":
        """Return a new adaptation with these examples too; new labels become new classes.

        A closed-form one only adds to the features it knows. Any other starts again from all examples, and raises
        MetaglotError if it was loaded from a folder that does not hold them. What `auto` expected of the earlier
        examples is not kept.
        """
        old = self.examples
        if old.texts and (old.pairs is None) != (pairs is None):
            raise MetaglotError("the earlier examples and the new ones must either all be pairs or none")
        texts, labels, pairs = check_labelled(texts, labels, pairs)
        if self.effort.closed_form:
            added = self._with(texts, labels, pairs)
            history = [*self.provenance.get("added", []), data_hash(texts, labels, pairs)]
            # What was to be expected, and why, was told of the earlier examples.
            told = {name: value for name, value in self.provenance.items() if name != "choice"}
            return replace(added, provenance={**told, "added": history})
        if not old.texts:
            raise MetaglotError(
                "the examples of this adaptation were not saved with it, and gradient steps need them all; "
                "adapt again from all examples, or save with keep_examples=True"
            )
        merged = None if pairs is None or old.pairs is None else [*old.pairs, *pairs]
        given = self.provenance.get("names", True)
        again = self.model.adapt(
            [*old.texts, *texts],
            [*old.labels, *labels],
            pairs=merged,
            effort=self.effort,
            seed=self.seed,
            names=given,
        )
        return replace(again, kept=self.kept)

    def save(self, folder: str | Path, *, keep_examples: bool | None = None, force: bool = False) -> Path:
        """Write labels, head, changed weights, provenance and a model card; the texts only if asked.

        Texts that were kept stay kept, unless `keep_examples` is False: those of an adaptation that was loaded with
        them, and those of which the folder holds some already.  Raises MetaglotError if the folder holds something
        else, unless `force`.
        """
        from metaglot.adaptation.storage import save_adapted

        return save_adapted(self, Path(folder), keep_examples=keep_examples, force=force)

    @staticmethod
    def load(folder: str | Path, *, model: Model | None = None) -> "Adapted":
        """Return the adaptation saved in a folder, over its base model (or over `model`, if that is loaded)."""
        from metaglot.adaptation.storage import load_adapted

        return load_adapted(Path(folder), model=model)

    def _with(self, texts: list[str], labels: list[str], pairs: list[str] | None) -> "Adapted":
        """Return a closed-form adaptation with more checked examples; new labels come after the old ones."""
        assert self.known is not None
        new = sorted(set(labels) - set(self.labels))
        names = (*self.labels, *new)
        numbers = [names.index(label) for label in labels]
        known = self.known.plus(features_of(self.model, {}, texts, pairs, numbers))
        if self.known.spoken.any():
            words = names_of(names, self.provenance.get("names"))
            said = {c: words[c] for c in range(len(self.labels), len(names)) if words[c]}
            known = known.plus(names_as(self.model, {}, said))
        counts = [*self.counts, *[0] * len(new)]
        for number in numbers:
            counts[number] += 1
        old = self.examples
        remembered = old.texts or not sum(self.counts)
        examples = Examples(
            (*old.texts, *texts) if remembered else (),
            (*old.labels, *labels) if remembered else (),
            (*(old.pairs or ()), *pairs) if remembered and pairs is not None else None,
        )
        head, solver = head_of(self.model, self.effort, known, len(names))
        made = {"params": head, "known": known, "solver": solver}
        return replace(self, labels=names, counts=tuple(counts), examples=examples, **made)
