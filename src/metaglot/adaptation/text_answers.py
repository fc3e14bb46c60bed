"""Answers to texts: features where one pass is enough for a text, and units or written texts where it is not."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, overload

import numpy as np

from metaglot.adaptation.arguments import check_decoding, check_target
from metaglot.adaptation.checks import check_candidates, check_targeted, chooses, many_seconds, one_second
from metaglot.adaptation.evidence import tools_of
from metaglot.adaptation.feature_answers import FeatureAnswers
from metaglot.data.arguments import check_text
from metaglot.data.candidates import Candidates
from metaglot.data.texts import Texts, inputs_of, is_one_pair
from metaglot.decoding import Decoding
from metaglot.errors import MetaglotError
from metaglot.families.classes.explanation import Explanation
from metaglot.families.records import Predictions


@dataclass(frozen=True, repr=False)
class TextAnswers(FeatureAnswers):
    """The second part of `Adapted`: one text or many become predictions, scores and explanations."""

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
            return self.predict([texts], one_second(pairs), unknown=unknown, **how)[0]
        if unknown is None:
            return list(self.predictions(texts, many_seconds(pairs), **how).targets)
        features = self.embed(texts, many_seconds(pairs))
        likeliest, in_scope = self.proba_of_features(features).argmax(-1), self.in_scope_of_features(features)
        return [self.fit.labels[i] if p >= 0.5 else unknown for i, p in zip(likeliest, in_scope, strict=True)]

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
            return self.predict_proba([texts], one_second(pairs))[0]
        return self.proba_of_features(self.embed(texts, many_seconds(pairs)))

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
        return self.fit.score(check_targeted(self.fit.family, texts, targets, pairs))

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
