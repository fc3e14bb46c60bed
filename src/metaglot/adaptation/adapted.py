"""A model after few-shot adaptation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

from metaglot.adaptation.arguments import (
    check_decoding,
    check_features,
    check_relabelled,
    check_rows,
    check_target,
)
from metaglot.adaptation.checks import check_candidates, check_targeted, chooses, numbered
from metaglot.adaptation.editing import edited, with_more
from metaglot.adaptation.effort import AsTrained, Effort
from metaglot.adaptation.encoder import Encoder
from metaglot.adaptation.evidence import explanations, shares_of, tools_of, units_of
from metaglot.adaptation.fit import Fit
from metaglot.adaptation.storage import load_fit, save_fit
from metaglot.data.arguments import check_path, check_switch, check_text, check_whole, shown
from metaglot.data.candidates import Candidates
from metaglot.data.examples import Examples
from metaglot.data.labels import Label
from metaglot.data.texts import Texts, inputs_of, is_one_pair
from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.families.classes.expected import Expected
from metaglot.families.classes.explanation import Explanation, Shares
from metaglot.families.classes.scope import Scope
from metaglot.families.records import Predictions

SHOWN = 5  # labels of a representation


@dataclass(frozen=True, repr=False)
class Adapted:
    """A model that learnt a task from examples: it predicts, explains, takes more examples, and saves.

    `Model.adapt` returns it, and `metaglot.load` of a folder that it was saved in.  It never changes: a method that
    adds, removes or relabels examples returns a new one.

    Parameters
    ----------
    fit : metaglot.adaptation.Fit
        All that its predictions depend on.

    Examples
    --------
    The examples of the methods go on from this one.

    >>> import metaglot as mg
    >>> texts = ["Refund my order.", "I was charged twice.", "The app crashes.", "The screen stays black."]
    >>> labels = ["billing", "billing", "technical", "technical"]
    >>> adapted = mg.load("builtin:mini").adapt(texts, labels, effort="instant")
    >>> adapted.labels, adapted.counts
    (('billing', 'technical'), (2, 2))
    """

    fit: Fit

    def __repr__(self) -> str:
        """Return what it is, on one line: its tensors would fill pages."""
        named = ", ".join(repr(label) for label in self.labels[:SHOWN])
        more = f", … {len(self.labels) - SHOWN} more" if len(self.labels) > SHOWN else ""
        steps = f"{self.effort.steps} steps" if self.effort.steps else "closed form"
        return f"Adapted({self.fit.encoder!r}, labels=({named}{more}), {self.fit.count} examples, {steps})"

    @property
    def labels(self) -> tuple[Label, ...]:
        """The labels, in the order of the probabilities; a task of numbers has one name."""
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
    def expected(self) -> Expected | None:
        """The accuracy to expect on other texts: None unless the effort was auto and classes have two examples."""
        return None if self.fit.choice is None else self.fit.choice.expected

    @property
    def provenance(self) -> Mapping[str, Any]:
        """What it came from: a record for people."""
        return self.fit.provenance

    @overload
    def predict(  # pyright: ignore[reportOverlappingOverload]  # a string is a sequence of strings too
        self,
        texts: str,
        pairs: str | None = None,
        *,
        unknown: str | None = None,
        max_new_tokens: int | None = None,
        decoding: Decoding | None = None,
    ) -> Any: ...
    @overload
    def predict(
        self,
        texts: Texts,
        pairs: Sequence[str] | None = None,
        *,
        unknown: str | None = None,
        max_new_tokens: int | None = None,
        decoding: Decoding | None = None,
    ) -> list[Any]: ...
    def predict(
        self,
        texts: str | Texts,
        pairs: str | Sequence[str] | None = None,
        *,
        unknown: str | None = None,
        max_new_tokens: int | None = None,
        decoding: Decoding | None = None,
    ) -> Any:
        """Return the prediction for each text: the most probable label, a set of labels, a number, or a text.

        Parameters
        ----------
        texts : str, list of str, or Pairs
            One text or many; no texts give an empty list.  Where pairs were learnt, a tuple of two texts is a pair.
        pairs : str or list of str, optional
            The second text of each; beside one text that has candidates, these.
        unknown : str, optional
            The prediction for a text that is likelier of none of the classes.
        max_new_tokens : int, optional
            How many tokens a text that is written has at most; by default half as many again as the longest example.
        decoding : Decoding, optional
            How a text that is written is chosen; by default the likeliest token each time.

        Returns
        -------
        list
            A target for each text, of the kind that was given; one target for one text.

        Raises
        ------
        MetaglotError
            For anything but texts, for texts alone where pairs were learnt, and as `in_scope` does with `unknown`.

        Examples
        --------
        >>> adapted.predict("Why is there a fee on my invoice?")
        'billing'
        >>> adapted.predict(["A fee?", "It does not start."])
        ['billing', 'technical']
        """
        how: dict[str, Any] = {"max_new_tokens": max_new_tokens, "decoding": decoding}
        if unknown is not None:
            tools_of(self.fit, "unknown")
            check_target("unknown", unknown, self.fit.family)
        if self.fit.paired and pairs is None and is_one_pair(texts):
            return self.predict([texts[0]], [texts[1]], unknown=unknown, **how)[0]
        if isinstance(texts, str) and chooses(self.fit.family) and pairs is not None and not isinstance(pairs, str):
            return self.predict(Candidates([texts], [pairs]))[0]
        if isinstance(texts, str):
            return self.predict([texts], _in_list(pairs), unknown=unknown, **how)[0]
        if unknown is None:
            return list(self.predictions(texts, _many(pairs), **how).targets)
        features = self.embed(texts, _many(pairs))
        likeliest, in_scope = self.proba_of_features(features).argmax(-1), self.in_scope_of_features(features)
        return [self.labels[i] if p >= 0.5 else unknown for i, p in zip(likeliest, in_scope, strict=True)]

    def predict_proba(
        self, texts: str | Texts, pairs: str | Sequence[str] | None = None
    ) -> np.ndarray:  # [n, C]; [C] for one text
        """Return the probability of each label.

        They sum to one, but where a text may have several labels: then each has a probability of its own.

        Parameters
        ----------
        texts : str, list of str, or Pairs
            One text or many.
        pairs : str or list of str, optional
            The second text of each.

        Returns
        -------
        ndarray of shape (n, C), float64
            The columns are in the order of `labels`; one text gives one row, of shape (C,).

        Raises
        ------
        MetaglotError
            As `predict`, and for a task of numbers, which have no probabilities.

        Examples
        --------
        >>> adapted.predict_proba(["Why is there a fee on my invoice?"]).shape
        (1, 2)
        """
        if not self.fit.family.probable or self.fit.family.tokens is not None or self.fit.family.writes is not None:
            raise MetaglotError(f"a task of {self.fit.family.name} has no probabilities of outputs; use predict")
        if isinstance(texts, str):
            return self.predict_proba([texts], _in_list(pairs))[0]
        return self.proba_of_features(self.embed(texts, _many(pairs)))

    def predictions(
        self,
        texts: Texts,
        pairs: Sequence[str] | None = None,
        *,
        max_new_tokens: int | None = None,
        decoding: Decoding | None = None,
    ) -> Predictions:
        """Return all that is predicted: the names of the outputs, their values, and the target of each text.

        Parameters
        ----------
        texts : list of str, or Pairs
            The texts.
        pairs : list of str, optional
            The second text of each.
        max_new_tokens : int, optional
            As in `predict`.
        decoding : Decoding, optional
            As in `predict`.

        Returns
        -------
        Predictions
            Probabilities or numbers, and the targets; of a text that is written, the mean probability of its tokens.

        Raises
        ------
        MetaglotError
            As `predict`.

        Examples
        --------
        >>> predictions = adapted.predictions(["A fee?"])
        >>> predictions.outputs, predictions.values.shape, predictions.targets
        (('billing', 'technical'), (1, 2), ['billing'])
        """
        decoding = check_decoding(self.fit.family, max_new_tokens, decoding)
        if self.fit.family.tokens is not None or self.fit.family.writes is not None:
            check_candidates(self.fit.family, texts)
            return self.fit.predict(inputs_of(texts, pairs), decoding=decoding)
        return self.predictions_of_features(self.embed(texts, pairs))

    def score(self, texts: Texts, targets: Sequence[Any], pairs: Sequence[str] | None = None) -> Mapping[str, float]:
        """Return how good the predictions for other examples are, by each metric of the kind of task.

        Parameters
        ----------
        texts : list of str, or Pairs
            Texts that it did not learn from.
        targets : list
            The true label, set of labels or number of each.
        pairs : list of str, optional
            The second text of each.

        Returns
        -------
        Mapping of str to float
            A score by the name of its metric, the primary one first: accuracy, macro_f1 and ece as shares of one for
            classes; macro_f1, micro_f1 and ece for sets of labels; mae, rmse, spearman and ndcg5 for numbers; chrf and
            others for texts that are written, and the perplexity of the targets.

        Raises
        ------
        MetaglotError
            As `predict`, and for targets of another kind than those that it learnt.

        Examples
        --------
        >>> adapted.score(["A fee?", "It does not start."], ["billing", "technical"])["accuracy"]
        1.0
        """
        family = self.fit.family
        examples = check_targeted(family, texts, targets, pairs)
        truth = family.like(examples.targets, self.fit.schema, numbered)
        scores = dict(family.score(self.fit.predict(examples.inputs), truth).metrics)
        perplexity = self.fit.perplexity(examples)
        return scores if perplexity is None else {**scores, "perplexity": perplexity}

    def in_scope(self, texts: Texts, pairs: Sequence[str] | None = None) -> np.ndarray:  # [n]
        """Return the probability that each text belongs to one of the classes, estimated from the examples alone.

        Parameters
        ----------
        texts : list of str, or Pairs
            The texts.
        pairs : list of str, optional
            The second text of each.

        Returns
        -------
        ndarray of shape (n,), float64
            Probabilities.

        Raises
        ------
        MetaglotError
            As `predict`, for one example a class without names, for a head of another form than the efforts' own, and
            for another kind of task than classes.

        Examples
        --------
        >>> inside, outside = adapted.in_scope(["I was charged a fee.", "Lovely weather on the beach today."])
        >>> bool(inside > outside)
        True
        """
        return self.in_scope_of_features(self.embed(texts, pairs))

    def explain(self, text: str, pair: str | None = None, *, count: int = 3) -> Explanation:
        """Return the label of a text, the runner-up, and the examples that weigh most between the two.

        Parameters
        ----------
        text : str
            The text.
        pair : str, optional
            Its second text.
        count : int, default=3
            How many examples to name at most.

        Returns
        -------
        Explanation
            What the examples add, exactly.

        Raises
        ------
        MetaglotError
            As `predict`, for a head of another form than the efforts' own, and for another kind of task than classes.

        Examples
        --------
        >>> explanation = adapted.explain("Why is there a fee on my invoice?")
        >>> explanation.label, explanation.instead, len(explanation.evidence)
        ('billing', 'technical', 3)
        """
        texts = [check_text("text", text)]
        return self.explain_all(texts, None if pair is None else [check_text("pair", pair)], count=count)[0]

    def explain_all(self, texts: Texts, pairs: Sequence[str] | None = None, *, count: int = 3) -> list[Explanation]:
        """Return `explain` of each text; what all of them share is computed once.

        Parameters
        ----------
        texts : list of str, or Pairs
            The texts.
        pairs : list of str, optional
            The second text of each.
        count : int, default=3
            How many examples to name at most for each text.

        Returns
        -------
        list of Explanation
            One for each text.

        Raises
        ------
        MetaglotError
            As `explain`.

        Examples
        --------
        >>> [explanation.label for explanation in adapted.explain_all(["A fee?", "It does not start."])]
        ['billing', 'technical']
        """
        return self.explain_features(self.embed(texts, pairs), count=count)

    def embed(self, texts: Texts, pairs: Sequence[str] | None = None) -> np.ndarray:  # [n, D]
        """Return the pooled features of the adapted body.

        The methods that end in `_features` go on from them, so that several answers need one pass of the body.

        Parameters
        ----------
        texts : list of str, or Pairs
            The texts; none give an empty array.
        pairs : list of str, optional
            The second text of each.

        Returns
        -------
        ndarray of shape (n, D), float32
            Features.

        Raises
        ------
        MetaglotError
            For anything but a list of texts, and for texts alone where it reads their second texts.

        Examples
        --------
        >>> adapted.embed(["A fee?"]).shape
        (1, 384)
        """
        check_candidates(self.fit.family, texts)
        inputs = inputs_of(texts, pairs)
        if not len(inputs):
            return np.zeros((0, self.fit.encoder.width), np.float32)
        return self.fit.features(inputs).cpu().numpy()

    def proba_of_features(self, features: np.ndarray) -> np.ndarray:  # [n, D] -> [n, C]
        """Return the probabilities of the labels, or the numbers of a task of numbers, for features of `embed`.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            Features.

        Returns
        -------
        ndarray of shape (n, C), float64
            Probabilities or numbers.

        Raises
        ------
        MetaglotError
            For anything but finite features of this width.

        Examples
        --------
        >>> adapted.proba_of_features(adapted.embed(["A fee?"])).shape
        (1, 2)
        """
        return self.fit.values(self._checked(features))

    def predictions_of_features(self, features: np.ndarray) -> Predictions:  # [n, D]
        """Return `predictions` for features of `embed`.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            Features.

        Returns
        -------
        Predictions
            Probabilities or numbers, and the targets.

        Raises
        ------
        MetaglotError
            For anything but finite features of this width.

        Examples
        --------
        >>> adapted.predictions_of_features(adapted.embed(["A fee?"])).targets
        ['billing']
        """
        return self.fit.predictions(self._checked(features))

    def _checked(self, features: np.ndarray) -> np.ndarray:
        if self.fit.family.writes is not None:
            raise MetaglotError(f"a task of {self.fit.family.name} writes texts, and no features decide; use predict")
        if self.fit.family.tokens is not None:
            raise MetaglotError(
                f"a task of {self.fit.family.name} decides on the tokens of a text, and these are features of whole "
                "texts; use predict"
            )
        return check_features(features, self.fit.width)

    def in_scope_of_features(self, features: np.ndarray) -> np.ndarray:  # [n, D] -> [n]
        """Return `in_scope` for features of `embed`.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            Features.

        Returns
        -------
        ndarray of shape (n,), float64
            Probabilities.

        Raises
        ------
        MetaglotError
            As `in_scope`, and for anything but finite features of this width.

        Examples
        --------
        >>> adapted.in_scope_of_features(adapted.embed(["A fee?"])).shape
        (1,)
        """
        features = check_features(features, self.fit.encoder.backbone.learner.hidden_size)
        return self._scope.chances(_unit(features)) if len(features) else np.zeros(0)

    def explain_features(self, features: np.ndarray, *, count: int = 3) -> list[Explanation]:  # [n, D] -> [n]
        """Return `explain` for features of `embed`.

        Parameters
        ----------
        features : ndarray of shape (n, D)
            Features.
        count : int, default=3
            How many examples to name at most for each text.

        Returns
        -------
        list of Explanation
            One for each row.

        Raises
        ------
        MetaglotError
            As `explain`, and for anything but finite features of this width.

        Examples
        --------
        >>> adapted.explain_features(adapted.embed(["A fee?"]), count=1)[0].label
        'billing'
        """
        count = check_whole("count", count, least=1)
        features = check_features(features, self.fit.encoder.backbone.learner.hidden_size)
        return list(explanations(self.fit, self._shares, _unit(features), count))

    @cached_property
    def _scope(self) -> Scope:
        tools, units = units_of(self.fit, "the scope of the classes")
        return tools.scope(units, len(self.labels))

    @cached_property
    def _shares(self) -> Shares:
        return shares_of(self.fit)

    def add_examples(self, texts: Texts, labels: Sequence[Any], *, pairs: Sequence[str] | None = None) -> "Adapted":
        """Return a new adaptation with these examples too; new labels become new classes.

        An adaptation in closed form reads only what is new.  Any other starts again from all examples.  What `auto`
        expected of the earlier examples is not kept.

        Parameters
        ----------
        texts : list of str, or Pairs
            The new texts.
        labels : list
            Their labels, sets of labels or numbers, of the kind of the others.
        pairs : list of str, optional
            The second text of each.

        Returns
        -------
        Adapted
            The new adaptation.

        Raises
        ------
        MetaglotError
            For examples of another kind, and after gradient steps where the earlier examples were not kept.

        Examples
        --------
        >>> adapted.add_examples(["Where is my parcel?"], ["delivery"]).labels
        ('billing', 'technical', 'delivery')
        """
        return Adapted(with_more(self.fit, check_targeted(self.fit.family, texts, labels, pairs)))

    def without(self, rows: Sequence[int]) -> "Adapted":
        """Return the adaptation without some examples, as if adapted anew to the others.

        It is exact in closed form, and adapts again after gradient steps.  A class without examples goes.

        Parameters
        ----------
        rows : list of int
            The numbers of the examples, from 0, as they stand in `examples`.

        Returns
        -------
        Adapted
            The new adaptation.

        Raises
        ------
        MetaglotError
            For the number of no example, where one class would be left, and where the examples were not kept.

        Examples
        --------
        >>> adapted.without([0]).counts
        (1, 2)
        """
        return Adapted(edited(self.fit, remove=check_rows("rows", rows)))

    def relabelled(self, labels: Mapping[int, Any]) -> "Adapted":
        """Return the adaptation with other labels for some examples, as if adapted anew.

        Parameters
        ----------
        labels : Mapping of int to label
            New labels by the numbers of the examples, from 0.

        Returns
        -------
        Adapted
            The new adaptation.

        Raises
        ------
        MetaglotError
            As `without`, and for labels of another kind.

        Examples
        --------
        >>> adapted.relabelled({1: "technical"}).counts
        (1, 3)
        """
        return Adapted(edited(self.fit, relabel=check_relabelled("labels", labels, self.fit.family)))

    def save(self, folder: str | Path, *, keep_examples: bool | None = None, force: bool = False) -> Path:
        """Write labels, head, changed weights, provenance and a model card.

        Parameters
        ----------
        folder : str or Path
            Where to.
        keep_examples : bool, optional
            Whether the texts are written too.  By default they are not, but texts that were kept stay kept: those of
            an adaptation that was loaded with them, and those of which the folder holds some already.
        force : bool, default=False
            Whether to replace a folder that holds something else.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        MetaglotError
            Where the folder holds something else, unless `force`.

        Examples
        --------
        >>> folder = adapted.save("my-model")
        >>> mg.load(folder).predict("Why is there a fee on my invoice?")
        'billing'
        """
        folder = check_path("folder", folder)
        check_switch("force", force)
        if keep_examples is not None:
            check_switch("keep_examples", keep_examples)
        return save_fit(self.fit, folder, keep_examples=keep_examples, force=force)

    @staticmethod
    def load(folder: str | Path, *, encoder: Encoder | None = None) -> "Adapted":
        """Return the adaptation that was saved in a folder; `metaglot.load` does so too.

        Parameters
        ----------
        folder : str or Path
            Where it is.
        encoder : metaglot.adaptation.Encoder, optional
            The encoder of its base model, where that is loaded already.

        Returns
        -------
        Adapted
            The adaptation, which predicts as it did.

        Raises
        ------
        MetaglotError
            Where the folder or its base model is absent, damaged or another.

        Examples
        --------
        >>> mg.Adapted.load("my-model").labels
        ('billing', 'technical')
        """
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
